// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IInstructionValidator} from "../../src/interfaces/IInstructionValidator.sol";

/// @notice Judges parameters by the evidence, a single byte which is the verdict, and records by their last bytes, so that a
/// test writes the verdict into the record: byte 203 is nonzero for a malformed one, bytes 200, 201 and 202 are its depth, step
/// bytes and step gas.
contract ToyValidator is IInstructionValidator {
    function validateInstruction(bytes calldata record)
        external
        pure
        returns (bool valid, uint8 depth, uint32 stepBytes, uint64 stepGas)
    {
        if (record[203] != 0) return (false, 0, 0, 0);
        return (true, uint8(record[200]), uint8(record[201]), uint8(record[202]));
    }

    function validateParameters(bytes calldata, uint256, bytes calldata evidence) external pure returns (bool) {
        require(evidence.length == 1, "opens nothing");
        return evidence[0] != 0;
    }
}
