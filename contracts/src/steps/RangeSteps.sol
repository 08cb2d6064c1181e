// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Evidence, Opened} from "./Evidence.sol";
import {Integers} from "./Integers.sol";
import {Record} from "./Record.sol";
import {StepContext, StepReads} from "./StepContext.sol";
import {Taps, Window} from "./Window.sol";

/// @title Reductions over a window or an axis: max, sum, arg.
library RangeSteps {
    using StepReads for StepContext;
    using Window for Taps;
    using Evidence for Opened;

    uint256 private constant KERNEL = 6;
    uint256 private constant MINIMUM = 14;

    function max(StepContext memory self) internal pure returns (int256 best) {
        unchecked {
            Record record = self.record;
            bool minimum = record.size(MINIMUM) == 1;
            uint256 elementType = record.elementType();
            best = minimum ? Integers.maximumOf(elementType) : Integers.minimumOf(elementType);
            Taps memory taps = Window.tapsOf(record, self.element / record.size(Window.CHANNELS), KERNEL);
            (uint256 y, uint256 yEnd) = taps.rows();
            (uint256 xFrom, uint256 xEnd) = taps.columns();
            if (xFrom == xEnd) return best;
            for (; y < yEnd; ++y) {
                (Opened memory blob, uint256 offset, uint256 step) = _row(self, taps, y, xFrom);
                for (uint256 x = xFrom; x < xEnd; ++x) {
                    int256 value = blob.element(offset, elementType);
                    if (minimum ? value < best : value > best) best = value;
                    offset += step;
                }
            }
        }
    }

    /// @dev Attributes behind the window's: zeroPoint, multiplier, shift, bias, low, high.
    function sum(StepContext memory self) internal pure returns (int256) {
        unchecked {
            Record record = self.record;
            int256 total;
            uint256 elementType = record.sourceType(0);
            Taps memory taps = Window.tapsOf(record, self.element / record.size(Window.CHANNELS), KERNEL);
            (uint256 y, uint256 yEnd) = taps.rows();
            (uint256 xFrom, uint256 xEnd) = taps.columns();
            if (xFrom == xEnd) yEnd = y;
            total = -record.attribute(14) * int256((yEnd - y) * (xEnd - xFrom));
            for (; y < yEnd; ++y) {
                (Opened memory blob, uint256 offset, uint256 step) = _row(self, taps, y, xFrom);
                for (uint256 x = xFrom; x < xEnd; ++x) {
                    total += blob.element(offset, elementType);
                    offset += step;
                }
            }
            total = total * record.attribute(15) + record.attribute(17);
            return self.clamped(Integers.shiftHalfUp(total, record.size(16)), 18);
        }
    }

    /// @dev The source, the byte of the first tap inside the image in row `y` of the window, and the bytes from tap to tap.
    function _row(StepContext memory self, Taps memory taps, uint256 y, uint256 xFrom)
        private
        pure
        returns (Opened memory blob, uint256 offset, uint256 step)
    {
        unchecked {
            uint256 elementType = self.record.sourceType(0);
            blob = self.sources[0];
            offset = (taps.offset(y, xFrom) + self.element % taps.channels) << elementType;
            step = (taps.dilationWidth * taps.channels) << elementType;
        }
    }

    /// @dev Attributes: outer, axis, inner, minimum.
    function arg(StepContext memory self) internal pure returns (int256) {
        unchecked {
            Record record = self.record;
            uint256 axis = record.size(1);
            uint256 inner = record.size(2);
            bool minimum = record.size(3) == 1;
            uint256 elementType = record.sourceType(0);
            Opened memory blob = self.sources[0];
            // A coordinate: rounding down is the point.
            // forge-lint: disable-next-line(divide-before-multiply)
            uint256 offset = ((self.element / inner) * axis * inner + self.element % inner) << elementType;
            uint256 best = 0;
            int256 value = blob.element(offset, elementType);
            for (uint256 i = 1; i < axis; ++i) {
                offset += inner << elementType;
                int256 next = blob.element(offset, elementType);
                if (minimum ? next < value : next > value) {
                    best = i;
                    value = next;
                }
            }
            return int256(best);
        }
    }
}
