// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {ClaimView, IClaimSource, Payout} from "../../src/interfaces/IClaimSource.sol";

/// @notice A claim source that the test commands, and that keeps what the board told it.
contract ToySource is IClaimSource {
    address public immutable BOARD;

    mapping(bytes32 claimId => ClaimView) private _claims;
    mapping(bytes32 claimId => uint256) public faults;
    mapping(bytes32 claimId => mapping(address to => uint256)) public paidTo;
    mapping(bytes32 claimId => uint256) public paid;
    uint256 public payoutCount;

    constructor(address board) {
        BOARD = board;
    }

    function open(bytes32 claimId, ClaimView calldata claim) external {
        _claims[claimId] = claim;
    }

    function end(bytes32 claimId) external {
        _claims[claimId].open = false;
    }

    function claimOf(bytes32 claimId) external view returns (ClaimView memory) {
        return _claims[claimId];
    }

    function onFault(bytes32 claimId, Payout[] calldata payouts) external {
        require(msg.sender == BOARD, "not the board");
        require(_claims[claimId].open, "claim is not open");
        _claims[claimId].open = false;
        ++faults[claimId];
        payoutCount = payouts.length;
        for (uint256 i = 0; i < payouts.length; ++i) {
            paid[claimId] += payouts[i].amount;
            paidTo[claimId][payouts[i].to] += payouts[i].amount;
        }
    }
}
