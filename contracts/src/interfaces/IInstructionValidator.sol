// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Judges instructions by themselves: the rules of docs/program-format.md that one record, or one unit of its parameters, can break.
interface IInstructionValidator {
    /// @param record the instruction's bytes, of any length
    /// @return valid whether it is a well-formed record: sizes, geometry, attribute ranges
    /// @return depth greatest tree depth of its output and its parameters; 0 when not valid
    /// @return stepBytes most bytes one step of it opens; 0 when not valid
    /// @return stepGas gas of its dearest step by the schedule of core/program/cost.ts; 0 when not valid
    function validateInstruction(bytes calldata record)
        external
        view
        returns (bool valid, uint8 depth, uint32 stepBytes, uint64 stepGas);

    /// @notice Whether one unit of an instruction's parameters holds the rules that need their bytes: an output channel of linear,
    /// a channel of rescale, an element of map, a node of tree.
    /// @param evidence one opening of the parameters that holds the unit, and nothing else (docs/dispute.md, "Evidence of a step")
    /// Reverts when the record is malformed by itself, the unit does not exist, or the evidence does not open it.
    function validateParameters(bytes calldata record, uint256 unit, bytes calldata evidence)
        external
        view
        returns (bool valid);
}
