// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IClaimSource, Payout} from "../../src/interfaces/IClaimSource.sol";

/// @notice Stands where the claim board stands, so that tests of requests decide finality and faults themselves.
contract ToyBoard {
    uint256 public constant WINDOW = 1 hours;
    uint256 public immutable MINIMUM;

    mapping(address => mapping(bytes32 => bool)) private _held;

    constructor(uint256 minimum) {
        MINIMUM = minimum;
    }

    /// @notice Keeps a claim from being final, as an unanswered demand would.
    function hold(address source, bytes32 claimId, bool held) external {
        _held[source][claimId] = held;
    }

    function isFinalSince(address source, bytes32 claimId, uint64 claimedAt) external view returns (bool) {
        return block.timestamp > claimedAt + WINDOW && !_held[source][claimId];
    }

    function minimumCoverage(bytes32) external view returns (uint256) {
        return MINIMUM;
    }

    function fault(IClaimSource source, bytes32 claimId, Payout[] calldata payouts) external {
        source.onFault(claimId, payouts);
    }
}
