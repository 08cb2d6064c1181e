// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Integers} from "./Integers.sol";
import {Record} from "./Record.sol";
import {StepContext, StepReads} from "./StepContext.sol";
import {Taps, Window} from "./Window.sol";

/// @title Reductions over a window or an axis: max, sum, arg.
library RangeSteps {
    using StepReads for StepContext;
    using Window for Taps;

    uint256 private constant KERNEL = 6;
    uint256 private constant MINIMUM = 14;

    function max(StepContext memory self) internal pure returns (int256 best) {
        unchecked {
            Record record = self.record;
            bool minimum = record.size(MINIMUM) == 1;
            uint256 elementType = record.elementType();
            best = minimum ? Integers.maximumOf(elementType) : Integers.minimumOf(elementType);
            uint256 channel = self.element % record.size(Window.CHANNELS);
            Taps memory taps = Window.tapsOf(record, self.element / record.size(Window.CHANNELS), KERNEL);
            (uint256 y, uint256 yEnd) = taps.rows();
            (uint256 xFrom, uint256 xEnd) = taps.columns();
            for (; y < yEnd; ++y) {
                for (uint256 x = xFrom; x < xEnd; ++x) {
                    int256 value = self.source(0, taps.offset(y, x) + channel);
                    if (minimum ? value < best : value > best) best = value;
                }
            }
        }
    }

    /// @dev Attributes behind the window's: zeroPoint, multiplier, shift, bias, low, high.
    function sum(StepContext memory self) internal pure returns (int256) {
        unchecked {
            Record record = self.record;
            int256 total;
            uint256 channel = self.element % record.size(Window.CHANNELS);
            Taps memory taps = Window.tapsOf(record, self.element / record.size(Window.CHANNELS), KERNEL);
            (uint256 y, uint256 yEnd) = taps.rows();
            (uint256 xFrom, uint256 xEnd) = taps.columns();
            int256 zeroPoint = record.attribute(14);
            for (; y < yEnd; ++y) {
                for (uint256 x = xFrom; x < xEnd; ++x) {
                    total += self.source(0, taps.offset(y, x) + channel) - zeroPoint;
                }
            }
            total = total * record.attribute(15) + record.attribute(17);
            return self.clamped(Integers.shiftHalfUp(total, record.size(16)), 18);
        }
    }

    /// @dev Attributes: outer, axis, inner, minimum.
    function arg(StepContext memory self) internal pure returns (int256) {
        unchecked {
            Record record = self.record;
            uint256 axis = record.size(1);
            uint256 inner = record.size(2);
            bool minimum = record.size(3) == 1;
            uint256 position = (self.element / inner) * axis * inner + self.element % inner;
            uint256 best = 0;
            int256 value = self.source(0, position);
            for (uint256 i = 1; i < axis; ++i) {
                position += inner;
                int256 next = self.source(0, position);
                if (minimum ? next < value : next > value) {
                    best = i;
                    value = next;
                }
            }
            return int256(best);
        }
    }
}
