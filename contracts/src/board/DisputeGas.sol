// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {UnitKind} from "../interfaces/IClaimBoard.sol";

/// @title The fixed gas schedule that prices demands, costs and rewards.
/// @dev Each figure is the dearest transaction of its kind, measured at prague rules (calldata floor included, all storage
/// cold, all data nonzero) plus a margin for the prover's tip; contracts/snapshots/ClaimBoard.json holds the measurements and
/// a test holds every one of them below its figure here.
library DisputeGas {
    /// @notice Escrow of a demand in multiples of its answer's price now, so that the fee may rise eightfold before the answer.
    uint256 internal constant ESCROW_FACTOR = 8;
    /// @notice Reward in dearest disputes.
    uint256 internal constant REWARD_DISPUTES = 2;
    /// @notice Leaves of the input that the dearest dispute accounts for.
    uint256 internal constant INPUT_LEAVES = 32;

    uint256 internal constant COMMIT = 50_000;
    /// @notice Openings, verdict and payouts of proveFault, without the step.
    uint256 internal constant PROVE = 350_000;

    function demandGas(UnitKind kind) internal pure returns (uint256) {
        return kind < UnitKind.NodeChildren ? 140_000 : 175_000;
    }

    /// @param instructions the model's instruction count; matters for TensorRoots only
    function answerGas(UnitKind kind, uint256 instructions) internal pure returns (uint256) {
        if (kind == UnitKind.TensorRoots) return 150_000 + 1500 * instructions;
        return 180_000;
    }

    /// @notice Demand and answer of one unit.
    function unitGas(UnitKind kind, uint256 instructions) internal pure returns (uint256) {
        return demandGas(kind) + answerGas(kind, instructions);
    }

    /// @notice Everything on chain: input leaves, roots, a path of nodes and its leaf, commitment, fault.
    function worstDispute(uint256 inputLeaves, uint256 instructions, uint256 depth, uint256 stepGas)
        internal
        pure
        returns (uint256)
    {
        if (inputLeaves > INPUT_LEAVES) inputLeaves = INPUT_LEAVES;
        return inputLeaves * unitGas(UnitKind.InputLeaf, instructions) + unitGas(UnitKind.TensorRoots, instructions)
            + depth * unitGas(UnitKind.NodeChildren, instructions) + unitGas(UnitKind.TensorLeaf, instructions) + COMMIT
            + PROVE + stepGas;
    }
}
