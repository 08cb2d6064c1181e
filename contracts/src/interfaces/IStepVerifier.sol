// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Computes one element of one instruction from opened bytes (docs/program-format.md).
interface IStepVerifier {
    /// @notice Recomputes the element and returns its value. Pure in the mathematical sense: the result depends on the arguments alone.
    /// @param record 204-byte instruction record, already checked against the model's instruction root by the caller
    /// @param element index of the element in the instruction's output tensor
    /// @param sourceRoots tensor roots of the instruction's sources, in order, already checked against the trace by the caller
    /// @param evidence packed openings of the parameters and the sources; form in docs/dispute.md
    /// @return value the element, in the range of the output type
    /// Reverts when the record is malformed, the element out of range, or the evidence does not open exactly what the step needs.
    function step(bytes calldata record, uint256 element, bytes32[] calldata sourceRoots, bytes calldata evidence)
        external
        view
        returns (int256 value);
}
