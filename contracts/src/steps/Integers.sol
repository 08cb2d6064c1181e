// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Exact integers of the instruction semantics (`core/ops/operation.ts`). Operands come from 32-bit fields and tensors of
/// at most 2^26 elements, so that no sum or product here reaches 2^200 and unchecked arithmetic is exact.
library Integers {
    uint256 internal constant U8 = 0;
    uint256 internal constant I16 = 1;
    uint256 internal constant I32 = 2;

    function minimumOf(uint256 elementType) internal pure returns (int256) {
        if (elementType == U8) return 0;
        return elementType == I16 ? int256(type(int16).min) : int256(type(int32).min);
    }

    function maximumOf(uint256 elementType) internal pure returns (int256) {
        if (elementType == U8) return int256(uint256(type(uint8).max));
        return elementType == I16 ? int256(type(int16).max) : int256(type(int32).max);
    }

    function clamp(int256 value, int256 low, int256 high) internal pure returns (int256) {
        if (value < low) return low;
        return value > high ? high : value;
    }

    /// @notice 2^(shift − 1), what rounding half up adds; nothing for shift 0.
    function half(uint256 shift) internal pure returns (int256 value) {
        assembly ("memory-safe") {
            value := shr(1, shl(shift, 1))
        }
    }

    /// @notice ⌊(value + 2^(shift−1)) / 2^shift⌋: round half up.
    function shiftHalfUp(int256 value, uint256 shift) internal pure returns (int256 result) {
        unchecked {
            result = (value + half(shift)) >> shift;
        }
    }

    /// @notice Largest |x − zeroPoint| over a type.
    function magnitude(uint256 elementType, int256 zeroPoint) internal pure returns (uint256) {
        unchecked {
            int256 above = maximumOf(elementType) - zeroPoint;
            int256 below = zeroPoint - minimumOf(elementType);
            return uint256(above > below ? above : below);
        }
    }

    function absolute(int256 value) internal pure returns (uint256) {
        unchecked {
            return uint256(value < 0 ? -value : value);
        }
    }

    /// @notice Little-endian two's complement integer in memory: u8 unsigned, i16 and i32 signed.
    function load(uint256 pointer, uint256 elementType) internal pure returns (int256 value) {
        assembly ("memory-safe") {
            let word := mload(pointer)
            switch elementType
            case 0 { value := byte(0, word) }
            case 1 { value := signextend(1, or(byte(0, word), shl(8, byte(1, word)))) }
            default {
                value := signextend(
                    3,
                    or(or(byte(0, word), shl(8, byte(1, word))), or(shl(16, byte(2, word)), shl(24, byte(3, word))))
                )
            }
        }
    }

    /// @notice Little-endian u16 in memory.
    function loadU16(uint256 pointer) internal pure returns (uint256 value) {
        assembly ("memory-safe") {
            let word := mload(pointer)
            value := or(byte(0, word), shl(8, byte(1, word)))
        }
    }

    /// @notice Little-endian u32 in memory.
    function loadU32(uint256 pointer) internal pure returns (uint256) {
        return uint256(load(pointer, I32)) & 0xffffffff;
    }

    /// @notice Little-endian i64 in memory.
    function loadI64(uint256 pointer) internal pure returns (int256) {
        unchecked {
            return int256(loadU32(pointer)) + (load(pointer + 4, I32) << 32);
        }
    }
}
