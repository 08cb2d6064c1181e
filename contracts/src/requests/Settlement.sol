// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {ModelTerms} from "../ModelTypes.sol";
import {IModelRegistry} from "../interfaces/IModelRegistry.sol";
import {IRequests} from "../interfaces/IRequests.sol";
import {IStakeVault} from "../interfaces/IStakeVault.sol";
import {RequestBook} from "./RequestBook.sol";

/// @title Who gets a fee: the creator its royalty, the fire one percent, the prover the rest. All pulled.
/// @notice Ether held = fees of open and claimed requests + what is owed + what waits to be burned.
abstract contract Settlement is RequestBook {
    uint256 internal constant BASIS = 10_000;
    /// Burned in the model's name: use that is measured by it costs who feigns it.
    uint256 public constant BURN_BPS = 100;

    IModelRegistry public immutable REGISTRY;
    IStakeVault public immutable VAULT;

    mapping(address account => uint256) private _owed;
    mapping(bytes32 modelId => uint256) private _toBurn;

    constructor(IModelRegistry registry, IStakeVault vault) {
        REGISTRY = registry;
        VAULT = vault;
    }

    /// @inheritdoc IRequests
    function collect(address to) external returns (uint256 amount) {
        return _collect(msg.sender, to);
    }

    /// @inheritdoc IRequests
    function collectFor(address key) external returns (uint256 amount) {
        (address owner,) = VAULT.bindingOf(key);
        // INVARIANT: unaskedOnlyToKeyOwners. A contract that counts its refunds as it collects them is never paid behind its back.
        if (owner == address(0)) revert NotSigningKey(key);
        return _collect(owner, owner);
    }

    function burnFees(bytes32 modelId) external {
        uint256 amount = _toBurn[modelId];
        _toBurn[modelId] = 0;
        REGISTRY.burnFor{value: amount}(modelId);
    }

    function owedTo(address account) external view returns (uint256) {
        return _owed[account];
    }

    /// @return wei set aside to be burned in a model's name
    function toBurn(bytes32 modelId) external view returns (uint256) {
        return _toBurn[modelId];
    }

    function _pay(uint256 requestId, bytes32 modelId, address prover, uint256 fee, ModelTerms memory terms) internal {
        uint256 royalty = fee * terms.royalty / BASIS;
        uint256 burned = fee * BURN_BPS / BASIS;
        uint256 toProver = fee - royalty - burned;
        if (toProver != 0) _owed[prover] += toProver;
        if (royalty != 0) _owed[terms.creator] += royalty;
        if (burned != 0) _toBurn[modelId] += burned;
        emit Paid(requestId, modelId, prover, toProver, royalty, burned);
    }

    function _collect(address account, address to) private returns (uint256 amount) {
        amount = _owed[account];
        // INVARIANT: owedIsPaidOnce
        _owed[account] = 0;
        emit Collected(account, to, amount);
        (bool sent,) = to.call{value: amount}("");
        if (!sent) revert TransferFailed(to);
    }

    function _refund(uint256 requestId, address requester, uint256 fee) internal {
        if (fee != 0) _owed[requester] += fee;
        emit Refunded(requestId, requester, fee);
    }
}
