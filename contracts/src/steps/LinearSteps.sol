// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {DotProduct} from "./DotProduct.sol";
import {Integers} from "./Integers.sol";
import {Record} from "./Record.sol";
import {StepContext, StepReads} from "./StepContext.sol";
import {Taps, Window} from "./Window.sol";

/// @dev Two runs being copied together in memory, element for element, padded for the dot product.
struct Runs {
    uint256 first;
    uint256 second;
    uint256 count;
    uint256 bytesFirst;
    uint256 bytesSecond;
}

/// @title Sums of products: linear (dense and convolution) and matmul.
library LinearSteps {
    using StepReads for StepContext;
    using Window for Taps;

    // Attributes of linear behind the window's.
    uint256 private constant OUT_CHANNELS = 6;
    uint256 private constant KERNEL = 7;
    uint256 private constant GROUPS = 15;
    uint256 private constant ZERO_POINT = 16;
    uint256 private constant WEIGHT_BYTES = 17;
    uint256 private constant LOW = 18;

    function linear(StepContext memory self) internal pure returns (int256) {
        unchecked {
            Record record = self.record;
            uint256 weightBytes = record.size(WEIGHT_BYTES);
            uint256 channel = self.element % record.size(OUT_CHANNELS);
            uint256 fanIn = _fanIn(record);
            uint256 row = channel * (fanIn * weightBytes + 5);
            uint256 tail = self.parameter(row + fanIn * weightBytes, 5);
            Runs memory runs = _newRuns(fanIn, 1 << record.sourceType(0), weightBytes);
            _gather(self, runs, row, channel);
            int256 sum = Integers.load(tail, Integers.I32);
            int256 zeroPoint = record.attribute(ZERO_POINT);
            uint256 blocks = _pad(runs, zeroPoint);
            if (runs.bytesFirst == 1 && weightBytes == 1) {
                sum += DotProduct.ofBytes(runs.first, zeroPoint, runs.second, 0, true, blocks);
            } else {
                sum += DotProduct.ofAny(
                    runs.first,
                    runs.bytesFirst,
                    runs.bytesFirst == 2,
                    zeroPoint,
                    runs.second,
                    weightBytes,
                    true,
                    0,
                    blocks
                );
            }
            return self.clamped(
                Integers.shiftHalfUp(sum, uint256(Integers.load(tail + 4, Integers.U8))), LOW
            );
        }
    }

    /// @dev Weights of one output channel.
    function _fanIn(Record record) private pure returns (uint256) {
        unchecked {
            return record.size(KERNEL) * record.size(KERNEL + 1)
                * (record.size(Window.CHANNELS) / record.size(GROUPS));
        }
    }

    /// @dev Collects what lies under the taps inside the image and the weights that meet it; padding adds nothing, and the weights
    /// that meet it need not be opened.
    /// @param row parameter byte where the channel's weights begin
    function _gather(StepContext memory self, Runs memory runs, uint256 row, uint256 channel) private pure {
        unchecked {
            Record record = self.record;
            Taps memory taps = Window.tapsOf(record, self.element / record.size(OUT_CHANNELS), KERNEL);
            uint256 perGroup = taps.channels / record.size(GROUPS);
            uint256 first = (channel / (record.size(OUT_CHANNELS) / record.size(GROUPS))) * perGroup;
            (uint256 y, uint256 yEnd) = taps.rows();
            (uint256 xFrom, uint256 xEnd) = taps.columns();
            if (xFrom == xEnd) return;
            // Neighbouring taps of a row are one run where they touch in both the image and the weights.
            bool touching = perGroup == taps.channels && taps.dilationWidth == 1;
            uint256 step = touching ? xEnd - xFrom : 1;
            for (; y < yEnd; ++y) {
                for (uint256 x = xFrom; x < xEnd; x += step) {
                    uint256 count = step * perGroup;
                    uint256 weights = row + (y * taps.kernelWidth + x) * perGroup * runs.bytesSecond;
                    _append(
                        runs,
                        self.run(0, taps.offset(y, x) + first, count),
                        self.parameter(weights, count * runs.bytesSecond),
                        count
                    );
                }
            }
        }
    }

    // Attributes of matmul.
    uint256 private constant ROWS = 1;
    uint256 private constant INNER = 2;
    uint256 private constant COLUMNS = 3;
    uint256 private constant ZERO_POINT_A = 4;
    uint256 private constant ZERO_POINT_B = 5;
    uint256 private constant SHIFT = 6;
    uint256 private constant BIAS = 7;
    uint256 private constant MATMUL_LOW = 8;
    uint256 private constant SHARE_B = 10;

    function matmul(StepContext memory self) internal pure returns (int256) {
        unchecked {
            Record record = self.record;
            uint256 inner = record.size(INNER);
            Runs memory runs = _newRuns(inner, 1 << record.sourceType(0), 1 << record.sourceType(1));
            {
                uint256 row = self.element / record.size(COLUMNS);
                uint256 batch = record.size(SHARE_B) == 1 ? 0 : row / record.size(ROWS);
                uint256 column = batch * record.size(COLUMNS) + self.element % record.size(COLUMNS);
                _append(runs, self.run(0, row * inner, inner), self.run(1, column * inner, inner), inner);
            }
            int256 zeroA = record.attribute(ZERO_POINT_A);
            int256 zeroB = record.attribute(ZERO_POINT_B);
            uint256 blocks = _pad(runs, zeroA);
            int256 sum = record.attribute(BIAS);
            if (runs.bytesFirst == 1 && runs.bytesSecond == 1) {
                sum += DotProduct.ofBytes(runs.first, zeroA, runs.second, zeroB, false, blocks);
            } else {
                sum += DotProduct.ofAny(
                    runs.first,
                    runs.bytesFirst,
                    runs.bytesFirst == 2,
                    zeroA,
                    runs.second,
                    runs.bytesSecond,
                    runs.bytesSecond == 2,
                    zeroB,
                    blocks
                );
            }
            return self.clamped(Integers.shiftHalfUp(sum, record.size(SHIFT)), MATMUL_LOW);
        }
    }

    /// @dev Room for `count` elements of both runs and their padding.
    function _newRuns(uint256 count, uint256 bytesFirst, uint256 bytesSecond) private pure returns (Runs memory runs) {
        unchecked {
            runs.bytesFirst = bytesFirst;
            runs.bytesSecond = bytesSecond;
            uint256 room = count + DotProduct.BLOCK + 32;
            uint256 first;
            assembly ("memory-safe") {
                first := mload(0x40)
                mstore(0x40, and(add(add(first, mul(room, add(bytesFirst, bytesSecond))), 95), not(31)))
            }
            runs.first = first;
            runs.second = first + room * bytesFirst;
        }
    }

    function _append(Runs memory runs, uint256 first, uint256 second, uint256 count) private pure {
        unchecked {
            uint256 to = runs.first + runs.count * runs.bytesFirst;
            uint256 size = count * runs.bytesFirst;
            assembly ("memory-safe") {
                mcopy(to, first, size)
            }
            to = runs.second + runs.count * runs.bytesSecond;
            size = count * runs.bytesSecond;
            assembly ("memory-safe") {
                mcopy(to, second, size)
            }
            runs.count += count;
        }
    }

    /// @dev Fills the first run up to whole blocks with its zero point, whose products vanish whatever meets them.
    /// @return blocks of DotProduct.BLOCK elements
    function _pad(Runs memory runs, int256 zeroPoint) private pure returns (uint256 blocks) {
        unchecked {
            blocks = (runs.count + DotProduct.BLOCK - 1) / DotProduct.BLOCK;
            uint256 position = runs.first + runs.count * runs.bytesFirst;
            uint256 end = runs.first + blocks * DotProduct.BLOCK * runs.bytesFirst;
            uint256 zero = uint256(zeroPoint);
            uint256 pattern = runs.bytesFirst == 1
                ? (zero & 0xff) * (type(uint256).max / 0xff)
                : ((zero & 0xff) << 8 | (zero >> 8) & 0xff) * (type(uint256).max / 0xffff);
            assembly ("memory-safe") {
                for {} lt(position, end) { position := add(position, 32) } { mstore(position, pattern) }
            }
        }
    }
}
