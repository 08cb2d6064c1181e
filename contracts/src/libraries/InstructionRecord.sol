// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Fields of a 204-byte instruction record (docs/program-format.md, "Records"). Callers have checked the length.
library InstructionRecord {
    uint256 internal constant BYTES = 204;
    uint8 internal constant INPUT = 0;

    function kind(bytes calldata record) internal pure returns (uint8) {
        return uint8(record[0]);
    }

    function elementType(bytes calldata record) internal pure returns (uint8) {
        return uint8(record[1]);
    }

    function sourceCount(bytes calldata record) internal pure returns (uint256) {
        return uint8(record[2]);
    }

    /// @return elements of the output
    function outputLength(bytes calldata record) internal pure returns (uint32) {
        return uint32(bytes4(record[4:8]));
    }

    /// @return position of the i-th source's instruction
    /// @return sourceType its element type
    /// @return length its elements
    function source(bytes calldata record, uint256 i)
        internal
        pure
        returns (uint256 position, uint8 sourceType, uint32 length)
    {
        uint256 from = 44 + 8 * i;
        position = uint16(bytes2(record[from:from + 2]));
        sourceType = uint8(record[from + 2]);
        length = uint32(bytes4(record[from + 4:from + 8]));
    }
}
