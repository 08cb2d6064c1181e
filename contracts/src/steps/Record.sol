// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @dev Calldata offset of a 204-byte instruction record.
type Record is uint256;

using RecordFields for Record global;

/// @dev Codes of the instruction kinds, in the order of `core/program/types.ts`.
uint256 constant INPUT = 0;
uint256 constant LINEAR = 1;
uint256 constant MATMUL = 2;
uint256 constant RESCALE = 3;
uint256 constant MULTIPLY = 4;
uint256 constant TABLE = 5;
uint256 constant MAX = 6;
uint256 constant SUM = 7;
uint256 constant MAP = 8;
uint256 constant GATHER = 9;
uint256 constant SELECT = 10;
uint256 constant ARG = 11;
uint256 constant DIVIDE = 12;
uint256 constant ISQRT = 13;
uint256 constant TREE = 14;

uint256 constant RECORD_BYTES = 204;
uint256 constant MAX_SOURCES = 8;
uint256 constant ATTRIBUTE_SLOTS = 24;

/// @notice A record that lies in calldata. Whoever calls has checked its length.
function recordIn(bytes calldata data) pure returns (Record self) {
    assembly ("memory-safe") {
        self := data.offset
    }
}

/// @title Fields of an instruction record, read where they lie (docs/program-format.md, "Records").
library RecordFields {
    function kind(Record self) internal pure returns (uint256) {
        return _field(self, 0, 1);
    }

    /// @return code of the output's element type
    function elementType(Record self) internal pure returns (uint256) {
        return _field(self, 1, 1);
    }

    function sourceCount(Record self) internal pure returns (uint256) {
        return _field(self, 2, 1);
    }

    /// @return elements of the output
    function length(Record self) internal pure returns (uint256) {
        return _field(self, 4, 4);
    }

    /// @return bytes of parameters
    function parameterBytes(Record self) internal pure returns (uint256) {
        return _field(self, 8, 4);
    }

    function parameterRoot(Record self) internal pure returns (bytes32) {
        return bytes32(_field(self, 12, 32));
    }

    /// @return position of the i-th source's instruction
    function sourcePosition(Record self, uint256 i) internal pure returns (uint256) {
        return _field(self, 44 + 8 * i, 2);
    }

    function sourceType(Record self, uint256 i) internal pure returns (uint256) {
        return _field(self, 46 + 8 * i, 1);
    }

    /// @return elements of the i-th source
    function sourceLength(Record self, uint256 i) internal pure returns (uint256) {
        return _field(self, 48 + 8 * i, 4);
    }

    /// @return the eight bytes of a source slot
    function sourceSlot(Record self, uint256 i) internal pure returns (uint256) {
        return _field(self, 44 + 8 * i, 8);
    }

    /// @return reserved byte of the head
    function reserved(Record self) internal pure returns (uint256) {
        return _field(self, 3, 1);
    }

    function attribute(Record self, uint256 i) internal pure returns (int256 value) {
        assembly ("memory-safe") {
            value := signextend(3, shr(224, calldataload(add(self, add(108, shl(2, i))))))
        }
    }

    /// @notice An attribute that a valid record keeps non-negative.
    function size(Record self, uint256 i) internal pure returns (uint256) {
        return uint256(attribute(self, i));
    }

    function _field(Record self, uint256 offset, uint256 bytes_) private pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := shr(sub(256, shl(3, bytes_)), calldataload(add(self, offset)))
        }
    }
}
