// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @dev Elements in memory, little-endian, padded to whole blocks, with room for reads of a word around them.
/// @param bytes_ of an element: 1 or 2
struct Run {
    uint256 pointer;
    uint256 bytes_;
    bool signed;
    int256 zeroPoint;
}

/// @title Dot products of long runs in memory, many multiply-adds to one MUL.
/// @notice Bytes: a block of 30 is a word of ten lanes of 24 bits, three bytes a lane. Taking every third byte leaves ten
/// numbers with 16 free bits above each; with the second factor's lanes in reverse order, their product as polynomials in
/// 2^24 holds the sum of the ten products in one lane. The ring is that of 2^240 − 1, where exponents wrap: reversing ten lanes
/// then takes five masked loads at shifted addresses, as lanes five apart move alike. Zero points are subtracted lane by
/// lane; the ring carries negative coefficients, and a bias makes them positive before the lane is read.
library DotProduct {
    /// @dev Elements of a block: both runs are padded to a multiple, the first with its zero point, whose terms vanish.
    uint256 internal constant BLOCK = 240;

    // Scratch memory at fixed addresses, which the unrolled loop needs: taken first of all.
    uint256 private constant SCRATCH = 0x80;
    uint256 private constant SCRATCH_END = 0x300;

    uint256 private constant WRAP = 0xffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff;
    uint256 private constant ONES = 0x000001000001000001000001000001000001000001000001000001000001;
    uint256 private constant BYTES_0 = 0x0000ff0000ff0000ff0000ff0000ff0000ff0000ff0000ff0000ff0000ff;
    uint256 private constant BYTES_1 = 0x00ff0000ff0000ff0000ff0000ff0000ff0000ff0000ff0000ff0000ff00;
    uint256 private constant BYTES_2 = 0xff0000ff0000ff0000ff0000ff0000ff0000ff0000ff0000ff0000ff0000;
    uint256 private constant ODD_BYTES = 0xff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00;
    uint256 private constant LANES_0_5 = 0x000000000000000000000000ffffff000000000000000000000000ffffff;
    uint256 private constant LANES_1_6 = 0x000000000000000000ffffff000000000000000000000000ffffff000000;
    uint256 private constant LANES_2_7 = 0x000000000000ffffff000000000000000000000000ffffff000000000000;
    uint256 private constant LANES_3_8 = 0x000000ffffff000000000000000000000000ffffff000000000000000000;
    uint256 private constant LANES_4_9 = 0xffffff000000000000000000000000ffffff000000000000000000000000;
    uint256 private constant LANE_0 = 0x000000000000000000000000000000000000000000000000ffffffffffff;
    uint256 private constant LANE_1 = 0x000000000000000000000000000000000000ffffffffffff000000000000;
    uint256 private constant LANE_2 = 0x000000000000000000000000ffffffffffff000000000000000000000000;
    uint256 private constant LANE_3 = 0x000000000000ffffffffffff000000000000000000000000000000000000;
    uint256 private constant LANE_4 = 0xffffffffffff000000000000000000000000000000000000000000000000;
    uint256 private constant PAIRS = 0x00000000ffff00000000ffff00000000ffff00000000ffff00000000ffff;
    uint256 private constant SIGNS_8 = 0x8080808080808080808080808080808080808080808080808080808080808080;
    uint256 private constant SIGNS_16 = 0x8000800080008000800080008000800080008000800080008000800080008000;
    uint256 private constant EVEN_BYTES = 0x00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff;
    uint256 private constant EVEN_PAIRS = 0x0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff;
    uint256 private constant EVEN_QUADS = 0x00000000ffffffff00000000ffffffff00000000ffffffff00000000ffffffff;
    uint256 private constant EVEN_OCTETS = 0x0000000000000000ffffffffffffffff0000000000000000ffffffffffffffff;
    uint256 private constant WEIGHT_BLOCK = 0xa0;
    uint256 private constant VALUE_BLOCK = 0x1c0;

    /// @notice Memory was used before the scratch area could be taken.
    error ScratchTaken();

    /// @notice Must run before anything else allocates memory.
    function takeScratch() internal pure {
        bool free;
        assembly ("memory-safe") {
            free := eq(mload(0x40), SCRATCH)
            if free { mstore(0x40, SCRATCH_END) }
        }
        if (!free) revert ScratchTaken();
    }

    /// @notice Σ (x − zeroX)(w − zeroW) over `blocks`·240 bytes. x is u8; w is u8, or i8 with zero point 0.
    function ofBytes(Run memory x, Run memory w, uint256 blocks) internal pure returns (int256 total) {
        unchecked {
            uint256 flip = w.signed ? SIGNS_8 : 0;
            uint256 zero = w.signed ? 128 : uint256(w.zeroPoint);
            total = _laneSums(x.pointer, w.pointer, zero, flip, blocks);
            if (x.zeroPoint != 0) {
                int256 sum = int256(_byteSum(w.pointer, flip, blocks)) - int256(zero * BLOCK * blocks);
                total -= x.zeroPoint * sum;
            }
        }
    }

    /// @dev Σ x·(u − zero), u the second run's bytes, flipped: 24 lane products to one addition of lanes of 24 bits.
    function _laneSums(uint256 x, uint256 w, uint256 zero, uint256 flip, uint256 blocks)
        private
        pure
        returns (int256 total)
    {
        assembly ("memory-safe") {
            let offset0 := sub(WRAP, mul(zero, ONES))
            let offset1 := sub(WRAP, mul(zero, shl(8, ONES)))
            let offset2 := sub(WRAP, mul(zero, shl(16, ONES)))
            // A lane holds 24·10 products of x ≤ 255 with a factor in [−zero, 255 − zero]: a range below 2^24.
            let bias := mul(zero, 61200)
            let biases := mulmod(bias, shl(16, ONES), WRAP)
            for { let end := add(x, mul(blocks, 240)) } lt(x, end) {
                x := add(x, 240)
                w := add(w, 240)
            } {
                mcopy(VALUE_BLOCK, x, 240)
                mcopy(WEIGHT_BLOCK, w, 240)
                let sum := 0
                let reversed
                // Bytes 0 to 29.
                reversed := or(and(mload(0xaa), LANES_4_9), and(mload(0xa4), LANES_3_8))
                reversed := or(reversed, or(and(mload(0x9e), LANES_2_7), and(mload(0x98), LANES_1_6)))
                reversed := xor(or(reversed, and(mload(0x92), LANES_0_5)), flip)
                sum := add(sum, mulmod(and(mload(0x1c0), BYTES_2), add(and(reversed, BYTES_0), offset0), WRAP))
                sum := add(sum, mulmod(and(mload(0x1be), BYTES_1), add(and(reversed, BYTES_1), offset1), WRAP))
                sum := add(sum, mulmod(and(mload(0x1bc), BYTES_0), add(and(reversed, BYTES_2), offset2), WRAP))
                // Bytes 30 to 59.
                reversed := or(and(mload(0xc8), LANES_4_9), and(mload(0xc2), LANES_3_8))
                reversed := or(reversed, or(and(mload(0xbc), LANES_2_7), and(mload(0xb6), LANES_1_6)))
                reversed := xor(or(reversed, and(mload(0xb0), LANES_0_5)), flip)
                sum := add(sum, mulmod(and(mload(0x1de), BYTES_2), add(and(reversed, BYTES_0), offset0), WRAP))
                sum := add(sum, mulmod(and(mload(0x1dc), BYTES_1), add(and(reversed, BYTES_1), offset1), WRAP))
                sum := add(sum, mulmod(and(mload(0x1da), BYTES_0), add(and(reversed, BYTES_2), offset2), WRAP))
                // Bytes 60 to 89.
                reversed := or(and(mload(0xe6), LANES_4_9), and(mload(0xe0), LANES_3_8))
                reversed := or(reversed, or(and(mload(0xda), LANES_2_7), and(mload(0xd4), LANES_1_6)))
                reversed := xor(or(reversed, and(mload(0xce), LANES_0_5)), flip)
                sum := add(sum, mulmod(and(mload(0x1fc), BYTES_2), add(and(reversed, BYTES_0), offset0), WRAP))
                sum := add(sum, mulmod(and(mload(0x1fa), BYTES_1), add(and(reversed, BYTES_1), offset1), WRAP))
                sum := add(sum, mulmod(and(mload(0x1f8), BYTES_0), add(and(reversed, BYTES_2), offset2), WRAP))
                // Bytes 90 to 119.
                reversed := or(and(mload(0x104), LANES_4_9), and(mload(0xfe), LANES_3_8))
                reversed := or(reversed, or(and(mload(0xf8), LANES_2_7), and(mload(0xf2), LANES_1_6)))
                reversed := xor(or(reversed, and(mload(0xec), LANES_0_5)), flip)
                sum := add(sum, mulmod(and(mload(0x21a), BYTES_2), add(and(reversed, BYTES_0), offset0), WRAP))
                sum := add(sum, mulmod(and(mload(0x218), BYTES_1), add(and(reversed, BYTES_1), offset1), WRAP))
                sum := add(sum, mulmod(and(mload(0x216), BYTES_0), add(and(reversed, BYTES_2), offset2), WRAP))
                // Bytes 120 to 149.
                reversed := or(and(mload(0x122), LANES_4_9), and(mload(0x11c), LANES_3_8))
                reversed := or(reversed, or(and(mload(0x116), LANES_2_7), and(mload(0x110), LANES_1_6)))
                reversed := xor(or(reversed, and(mload(0x10a), LANES_0_5)), flip)
                sum := add(sum, mulmod(and(mload(0x238), BYTES_2), add(and(reversed, BYTES_0), offset0), WRAP))
                sum := add(sum, mulmod(and(mload(0x236), BYTES_1), add(and(reversed, BYTES_1), offset1), WRAP))
                sum := add(sum, mulmod(and(mload(0x234), BYTES_0), add(and(reversed, BYTES_2), offset2), WRAP))
                // Bytes 150 to 179.
                reversed := or(and(mload(0x140), LANES_4_9), and(mload(0x13a), LANES_3_8))
                reversed := or(reversed, or(and(mload(0x134), LANES_2_7), and(mload(0x12e), LANES_1_6)))
                reversed := xor(or(reversed, and(mload(0x128), LANES_0_5)), flip)
                sum := add(sum, mulmod(and(mload(0x256), BYTES_2), add(and(reversed, BYTES_0), offset0), WRAP))
                sum := add(sum, mulmod(and(mload(0x254), BYTES_1), add(and(reversed, BYTES_1), offset1), WRAP))
                sum := add(sum, mulmod(and(mload(0x252), BYTES_0), add(and(reversed, BYTES_2), offset2), WRAP))
                // Bytes 180 to 209.
                reversed := or(and(mload(0x15e), LANES_4_9), and(mload(0x158), LANES_3_8))
                reversed := or(reversed, or(and(mload(0x152), LANES_2_7), and(mload(0x14c), LANES_1_6)))
                reversed := xor(or(reversed, and(mload(0x146), LANES_0_5)), flip)
                sum := add(sum, mulmod(and(mload(0x274), BYTES_2), add(and(reversed, BYTES_0), offset0), WRAP))
                sum := add(sum, mulmod(and(mload(0x272), BYTES_1), add(and(reversed, BYTES_1), offset1), WRAP))
                sum := add(sum, mulmod(and(mload(0x270), BYTES_0), add(and(reversed, BYTES_2), offset2), WRAP))
                // Bytes 210 to 239.
                reversed := or(and(mload(0x17c), LANES_4_9), and(mload(0x176), LANES_3_8))
                reversed := or(reversed, or(and(mload(0x170), LANES_2_7), and(mload(0x16a), LANES_1_6)))
                reversed := xor(or(reversed, and(mload(0x164), LANES_0_5)), flip)
                sum := add(sum, mulmod(and(mload(0x292), BYTES_2), add(and(reversed, BYTES_0), offset0), WRAP))
                sum := add(sum, mulmod(and(mload(0x290), BYTES_1), add(and(reversed, BYTES_1), offset1), WRAP))
                sum := add(sum, mulmod(and(mload(0x28e), BYTES_0), add(and(reversed, BYTES_2), offset2), WRAP))
                total := add(total, sub(and(shr(112, addmod(sum, biases, WRAP)), 0xffffff), bias))
            }
        }
    }

    /// @dev Sum of `blocks`·240 bytes, flipped. Words of 30 bytes are added whole and once more with every second byte alone: the
    /// difference has the other bytes, in lanes of 16 bits that eight of them do not fill. What lies above the 30 bytes is dropped.
    function _byteSum(uint256 from, uint256 flip, uint256 blocks) private pure returns (uint256 total) {
        assembly ("memory-safe") {
            for { let end := add(from, mul(blocks, 240)) } lt(from, end) { from := add(from, 240) } {
                let word := xor(mload(sub(from, 2)), flip)
                let all := word
                let odd := and(word, ODD_BYTES)
                word := xor(mload(add(from, 28)), flip)
                all := add(all, word)
                odd := add(odd, and(word, ODD_BYTES))
                word := xor(mload(add(from, 58)), flip)
                all := add(all, word)
                odd := add(odd, and(word, ODD_BYTES))
                word := xor(mload(add(from, 88)), flip)
                all := add(all, word)
                odd := add(odd, and(word, ODD_BYTES))
                word := xor(mload(add(from, 118)), flip)
                all := add(all, word)
                odd := add(odd, and(word, ODD_BYTES))
                word := xor(mload(add(from, 148)), flip)
                all := add(all, word)
                odd := add(odd, and(word, ODD_BYTES))
                word := xor(mload(add(from, 178)), flip)
                all := add(all, word)
                odd := add(odd, and(word, ODD_BYTES))
                word := xor(mload(add(from, 208)), flip)
                all := add(all, word)
                odd := add(odd, and(word, ODD_BYTES))
                // Thirty lanes' sum, at most 240·255: below 2^16 − 1, modulo which lanes add up.
                total := add(total, mod(add(and(sub(all, odd), WRAP), shr(8, odd)), 0xffff))
            }
        }
    }

    /// @notice Σ (x − zeroX)(w − zeroW) over `blocks`·240 elements of one or two bytes each, signed or not; each zero point in the
    /// range of its type.
    function ofAny(Run memory x, Run memory w, uint256 blocks) internal pure returns (int256 total) {
        unchecked {
            (uint256 wideX, uint256 sumX) = _widen(x, blocks);
            (uint256 wideW, uint256 sumW) = _widen(w, blocks);
            int256 zeroX = x.zeroPoint + _offset(x);
            int256 zeroW = w.zeroPoint + _offset(w);
            total = int256(_pairSums(wideX, wideW, blocks));
            total += int256(BLOCK * blocks) * zeroX * zeroW - zeroX * int256(sumW) - zeroW * int256(sumX);
        }
    }

    /// @dev Σ x·w over unsigned 16-bit numbers, big-endian: the scheme above with five lanes of 48 bits, three numbers a lane, whose
    /// product needs no wrap.
    function _pairSums(uint256 x, uint256 w, uint256 blocks) private pure returns (uint256 total) {
        assembly ("memory-safe") {
            for { let end := add(x, mul(blocks, 480)) } lt(x, end) {} {
                let sum := 0
                for { let last := add(x, 480) } lt(x, last) {
                    x := add(x, 30)
                    w := add(w, 30)
                } {
                    let reversed := or(and(mload(add(w, 22)), LANE_4), and(mload(add(w, 10)), LANE_3))
                    reversed := or(reversed, or(and(mload(sub(w, 2)), LANE_2), and(mload(sub(w, 14)), LANE_1)))
                    reversed := or(reversed, and(mload(sub(w, 26)), LANE_0))
                    // 48 terms of five products below 2^32 stay below 2^40.
                    sum := add(sum, mul(and(mload(sub(x, 2)), PAIRS), and(reversed, PAIRS)))
                    sum := add(sum, mul(and(mload(sub(x, 4)), PAIRS), and(shr(16, reversed), PAIRS)))
                    sum := add(sum, mul(and(mload(sub(x, 6)), PAIRS), and(shr(32, reversed), PAIRS)))
                }
                total := add(total, and(shr(192, sum), 0xffffffffffff))
            }
        }
    }

    /// @dev What `_widen` adds to an element.
    function _offset(Run memory run) private pure returns (int256) {
        if (!run.signed) return 0;
        return run.bytes_ == 1 ? int256(128) : int256(32_768);
    }

    /// @dev Copies elements as unsigned 16-bit numbers, big-endian, signed ones with an offset.
    /// @return wide memory pointer, with room for reads of a word around it
    /// @return sum of the numbers
    function _widen(Run memory run, uint256 blocks) private pure returns (uint256 wide, uint256 sum) {
        uint256 from = run.pointer;
        uint256 bytes_ = run.bytes_;
        bool signed = run.signed;
        assembly ("memory-safe") {
            wide := add(mload(0x40), 32)
            let end := add(wide, mul(blocks, 480))
            mstore(0x40, add(end, 64))
            for { let out := wide } lt(out, end) { out := add(out, 32) } {
                let lanes := mload(from)
                switch bytes_
                case 1 {
                    if signed { lanes := xor(lanes, SIGNS_8) }
                    from := add(from, 16)
                    lanes := shr(128, lanes)
                    lanes := and(or(lanes, shl(64, lanes)), EVEN_OCTETS)
                    lanes := and(or(lanes, shl(32, lanes)), EVEN_QUADS)
                    lanes := and(or(lanes, shl(16, lanes)), EVEN_PAIRS)
                    lanes := and(or(lanes, shl(8, lanes)), EVEN_BYTES)
                }
                default {
                    from := add(from, 32)
                    lanes := or(shl(8, and(lanes, EVEN_BYTES)), and(shr(8, lanes), EVEN_BYTES))
                    if signed { lanes := xor(lanes, SIGNS_16) }
                }
                mstore(out, lanes)
                sum := add(sum, mod(add(and(lanes, EVEN_PAIRS), and(shr(16, lanes), EVEN_PAIRS)), 0xffffffff))
            }
        }
    }
}
