// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Payout} from "./interfaces/IClaimSource.sol";
import {IStakeVault} from "./interfaces/IStakeVault.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// @title Stake: see IStakeVault.
contract StakeVault is IStakeVault, EIP712 {
    using SafeCast for uint256;

    /// One slot, so that a claim touches one. 2^96 wei is more ether than there is; 2^80 wei is 1.2 million ether of locks.
    struct Account {
        uint96 free;
        uint80 lockedByRequests;
        uint80 lockedByChannels;
    }

    struct Binding {
        address owner;
        uint64 retiredAt;
    }

    bytes32 private constant KEY_TYPEHASH = keccak256("KeyBinding(address owner,address key)");

    /// The two claim sources: code that is fixed with the vault.
    address public immutable REQUESTS;
    address public immutable CHANNELS;

    mapping(address owner => Account) private _accounts;
    mapping(address key => Binding) private _bindings;

    constructor(address requests, address channels) EIP712("Assay StakeVault", "1") {
        // Channels may be absent (zero): then nobody can be their source.
        if (requests == address(0) || requests == channels) revert ZeroAddress();
        REQUESTS = requests;
        CHANNELS = channels;
    }

    modifier onlySource() {
        // INVARIANT: onlySourcesLock
        if (msg.sender != REQUESTS && msg.sender != CHANNELS) revert NotSource(msg.sender);
        _;
    }

    /// @inheritdoc IStakeVault
    function deposit(address owner) external payable {
        if (owner == address(0)) revert ZeroAddress();
        _accounts[owner].free += msg.value.toUint96();
        emit Deposited(owner, msg.sender, msg.value);
    }

    /// @inheritdoc IStakeVault
    function withdraw(uint256 amount, address to) external {
        if (to == address(0)) revert ZeroAddress();
        Account storage account = _accounts[msg.sender];
        // INVARIANT: withdrawLeavesLocks
        if (account.free < amount) revert InsufficientFreeStake(msg.sender, account.free, amount);
        account.free -= uint96(amount);
        emit Withdrawn(msg.sender, to, amount);
        (bool sent,) = to.call{value: amount}("");
        if (!sent) revert TransferFailed(to);
    }

    /// @inheritdoc IStakeVault
    function addKey(address key, bytes calldata signature) external {
        if (key == msg.sender) revert KeyIsOwner();
        address bound = _bindings[key].owner;
        // INVARIANT: keyBindingsAppendOnly
        if (bound != address(0)) revert KeyTaken(key, bound);
        (address signer, ECDSA.RecoverError failure,) = ECDSA.tryRecover(keyDigest(msg.sender, key), signature);
        if (failure != ECDSA.RecoverError.NoError || signer != key) revert KeySignatureInvalid(key);
        _bindings[key] = Binding(msg.sender, 0);
        emit KeyAdded(msg.sender, key);
    }

    /// @inheritdoc IStakeVault
    function retireKey(address key) external {
        Binding storage binding = _bindings[key];
        if (binding.owner != msg.sender || binding.retiredAt != 0) revert NotKeyOf(msg.sender, key);
        binding.retiredAt = uint64(block.timestamp);
        emit KeyRetired(msg.sender, key);
    }

    /// @inheritdoc IStakeVault
    function lock(address owner, uint256 amount) external onlySource {
        Account storage account = _accounts[owner];
        // INVARIANT: locksAreBacked
        if (account.free < amount) revert InsufficientFreeStake(owner, account.free, amount);
        account.free -= uint96(amount);
        if (msg.sender == REQUESTS) account.lockedByRequests += amount.toUint80();
        else account.lockedByChannels += amount.toUint80();
        emit Locked(owner, msg.sender, amount);
    }

    /// @inheritdoc IStakeVault
    function release(address owner, uint256 amount) external onlySource {
        Account storage account = _unlock(owner, amount);
        account.free += amount.toUint96();
        emit Released(owner, msg.sender, amount);
    }

    /// @inheritdoc IStakeVault
    function slash(address owner, uint256 amount, Payout[] calldata payouts) external onlySource {
        _unlock(owner, amount);
        uint256 paid = 0;
        for (uint256 i = 0; i < payouts.length; ++i) {
            paid += payouts[i].amount;
            _accounts[payouts[i].to].free += uint256(payouts[i].amount).toUint96();
            emit Credited(payouts[i].to, payouts[i].amount);
        }
        // INVARIANT: slashPaysAtMostHalf
        if (paid > amount / 2) revert PayoutsExceedHalf(paid, amount);
        uint256 burned = amount - paid;
        emit Slashed(owner, msg.sender, amount, paid, burned);
        // No code lives at the zero address, so this neither fails nor calls back.
        (bool sent,) = address(0).call{value: burned}("");
        if (!sent) revert TransferFailed(address(0));
    }

    /// @inheritdoc IStakeVault
    function keyDigest(address owner, address key) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(KEY_TYPEHASH, owner, key)));
    }

    /// @inheritdoc IStakeVault
    function proverOf(address key) external view returns (address) {
        Binding storage binding = _bindings[key];
        return binding.retiredAt == 0 ? binding.owner : address(0);
    }

    /// @inheritdoc IStakeVault
    function bindingOf(address key) external view returns (address owner, uint64 retiredAt) {
        Binding storage binding = _bindings[key];
        return (binding.owner, binding.retiredAt);
    }

    /// @inheritdoc IStakeVault
    function freeOf(address owner) external view returns (uint256) {
        return _accounts[owner].free;
    }

    /// @inheritdoc IStakeVault
    function lockedOf(address owner, address source) external view returns (uint256) {
        if (source == REQUESTS) return _accounts[owner].lockedByRequests;
        return source == CHANNELS ? _accounts[owner].lockedByChannels : 0;
    }

    /// Takes from the calling source's own locks: the checked subtraction is what keeps sources apart.
    function _unlock(address owner, uint256 amount) private returns (Account storage account) {
        account = _accounts[owner];
        // INVARIANT: sourceReachesOwnLocksOnly
        if (msg.sender == REQUESTS) account.lockedByRequests -= amount.toUint80();
        else account.lockedByChannels -= amount.toUint80();
    }
}
