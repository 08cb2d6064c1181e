// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {DotProduct, Run} from "./DotProduct.sol";
import {Integers} from "./Integers.sol";
import {Record} from "./Record.sol";
import {StepContext, StepReads} from "./StepContext.sol";
import {Taps, Window} from "./Window.sol";

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
            Run memory x = _newRun(fanIn, 1 << record.sourceType(0), record.attribute(ZERO_POINT));
            Run memory w = _newRun(fanIn, weightBytes, 0);
            w.signed = true;
            int256 sum = _dot(x, w, _gather(self, x, w, row, channel)) + Integers.load(tail, Integers.I32);
            return self.clamped(Integers.shiftHalfUp(sum, uint256(Integers.load(tail + 4, Integers.U8))), LOW);
        }
    }

    /// @dev Weights of one output channel.
    function _fanIn(Record record) private pure returns (uint256) {
        unchecked {
            return record.size(KERNEL) * record.size(KERNEL + 1) * (record.size(Window.CHANNELS) / record.size(GROUPS));
        }
    }

    /// @dev Collects what lies under the taps inside the image and the weights that meet it; padding adds nothing, and the weights
    /// that meet it need not be opened.
    /// @param row parameter byte where the channel's weights begin
    /// @return copied elements of each run
    function _gather(StepContext memory self, Run memory x, Run memory w, uint256 row, uint256 channel)
        private
        pure
        returns (uint256 copied)
    {
        unchecked {
            Record record = self.record;
            Taps memory taps = Window.tapsOf(record, self.element / record.size(OUT_CHANNELS), KERNEL);
            uint256 perGroup = taps.channels / record.size(GROUPS);
            // A coordinate: rounding down is the point.
            // forge-lint: disable-next-line(divide-before-multiply)
            uint256 first = (channel / (record.size(OUT_CHANNELS) / record.size(GROUPS))) * perGroup;
            (uint256 y, uint256 yEnd) = taps.rows();
            (uint256 xFrom, uint256 xEnd) = taps.columns();
            if (xFrom == xEnd) return 0;
            // Neighbouring taps of a row are one run where they touch in both the image and the weights.
            bool touching = perGroup == taps.channels && taps.dilationWidth == 1;
            uint256 step = touching ? xEnd - xFrom : 1;
            for (; y < yEnd; ++y) {
                for (uint256 tap = xFrom; tap < xEnd; tap += step) {
                    uint256 count = step * perGroup;
                    uint256 weights = row + (y * taps.kernelWidth + tap) * perGroup * w.bytes_;
                    _append(x, copied, self.run(0, taps.offset(y, tap) + first, count), count);
                    _append(w, copied, self.parameter(weights, count * w.bytes_), count);
                    copied += count;
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
            Run memory a = _newRun(inner, 1 << record.sourceType(0), record.attribute(ZERO_POINT_A));
            Run memory b = _newRun(inner, 1 << record.sourceType(1), record.attribute(ZERO_POINT_B));
            uint256 row = self.element / record.size(COLUMNS);
            uint256 batch = record.size(SHARE_B) == 1 ? 0 : row / record.size(ROWS);
            uint256 column = batch * record.size(COLUMNS) + self.element % record.size(COLUMNS);
            _append(a, 0, self.run(0, row * inner, inner), inner);
            _append(b, 0, self.run(1, column * inner, inner), inner);
            b.signed = b.bytes_ == 2;
            int256 sum = _dot(a, b, inner) + record.attribute(BIAS);
            return self.clamped(Integers.shiftHalfUp(sum, record.size(SHIFT)), MATMUL_LOW);
        }
    }

    /// @dev Σ (x − zeroPoint)(w − zeroPoint) over `count` elements; x is u8 or i16.
    function _dot(Run memory x, Run memory w, uint256 count) private pure returns (int256) {
        uint256 blocks = _pad(x, count);
        if (x.bytes_ == 1 && w.bytes_ == 1) return DotProduct.ofBytes(x, w, blocks);
        x.signed = x.bytes_ == 2;
        return DotProduct.ofAny(x, w, blocks);
    }

    /// @dev Room for `count` elements, their padding to whole blocks, and reads of a word at both ends.
    function _newRun(uint256 count, uint256 bytes_, int256 zeroPoint) private pure returns (Run memory run) {
        unchecked {
            run.bytes_ = bytes_;
            run.zeroPoint = zeroPoint;
            uint256 pointer;
            assembly ("memory-safe") {
                pointer := add(mload(0x40), 32)
                mstore(0x40, and(add(add(pointer, mul(add(count, 240), bytes_)), 95), not(31)))
            }
            run.pointer = pointer;
        }
    }

    /// @dev Copies `count` elements behind the `already` copied ones.
    function _append(Run memory run, uint256 already, uint256 from, uint256 count) private pure {
        unchecked {
            uint256 to = run.pointer + already * run.bytes_;
            uint256 size = count * run.bytes_;
            assembly ("memory-safe") {
                mcopy(to, from, size)
            }
        }
    }

    /// @dev Fills a run of `count` elements up to whole blocks with its zero point, whose products vanish whatever meets them.
    /// @return blocks of DotProduct.BLOCK elements
    function _pad(Run memory run, uint256 count) private pure returns (uint256 blocks) {
        unchecked {
            blocks = (count + DotProduct.BLOCK - 1) / DotProduct.BLOCK;
            uint256 position = run.pointer + count * run.bytes_;
            uint256 end = run.pointer + blocks * DotProduct.BLOCK * run.bytes_;
            uint256 zero = uint256(run.zeroPoint);
            uint256 pattern = run.bytes_ == 1
                ? (zero & 0xff) * (type(uint256).max / 0xff)
                : ((zero & 0xff) << 8 | (zero >> 8) & 0xff) * (type(uint256).max / 0xffff);
            assembly ("memory-safe") {
                for {} lt(position, end) { position := add(position, 32) } { mstore(position, pattern) }
            }
        }
    }
}
