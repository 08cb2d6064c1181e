// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Judges one instruction record by itself: the structural rules of docs/program-format.md.
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
}
