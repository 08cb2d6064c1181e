// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IInstructionValidator} from "./interfaces/IInstructionValidator.sol";
import {Evidence, Opened, Reader} from "./steps/Evidence.sol";
import {InstructionRules} from "./steps/InstructionRules.sol";
import {ParameterRules} from "./steps/ParameterRules.sol";
import {Record} from "./steps/Record.sol";
import {StepCost} from "./steps/StepCost.sol";

/// @title Judges instructions by themselves: their records, and their parameters unit by unit. Holds nothing.
contract InstructionValidator is IInstructionValidator {
    using Evidence for Reader;

    /// @notice The opened leaves do not lead to the record's parameter root.
    error ParametersNotOpened();

    /// @inheritdoc IInstructionValidator
    function validateInstruction(bytes calldata record)
        external
        pure
        returns (bool valid, uint8 depth, uint32 stepBytes, uint64 stepGas)
    {
        Record parsed;
        (valid, parsed) = InstructionRules.parse(record);
        if (!valid) return (false, 0, 0, 0);
        (uint256 bytes_, uint256 gas) = StepCost.ofRecord(parsed);
        // Sizes of more than 32 bits are more than any model may state.
        stepBytes = bytes_ > type(uint32).max ? type(uint32).max : uint32(bytes_);
        stepGas = gas > type(uint64).max ? type(uint64).max : uint64(gas);
        depth = uint8(StepCost.depth(parsed));
    }

    /// @notice Whether one unit of an instruction's parameters holds the rules that need their bytes: an output channel of linear,
    /// a channel of rescale, an element of map, a node of tree.
    /// @param evidence one opening of the parameters that holds the unit, and nothing else (docs/dispute.md, "Evidence of a step")
    /// Reverts when the record is malformed by itself, the unit does not exist, or the evidence does not open it.
    function validateParameters(bytes calldata record, uint256 unit, bytes calldata evidence)
        external
        pure
        returns (bool valid)
    {
        Record parsed = InstructionRules.check(record);
        Reader memory reader = Evidence.reader(evidence);
        (Opened memory parameters, bytes32 top) = reader.open(parsed.parameterBytes());
        reader.finish();
        // INVARIANT: ParametersBound. What is judged lies under the record's own root.
        if (top != parsed.parameterRoot()) revert ParametersNotOpened();
        return ParameterRules.holds(parsed, unit, parameters);
    }
}
