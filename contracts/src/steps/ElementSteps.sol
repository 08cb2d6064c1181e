// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Integers} from "./Integers.sol";
import {Record} from "./Record.sol";
import {StepContext, StepReads} from "./StepContext.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title Arithmetic of single elements: rescale, multiply, divide, isqrt, select.
library ElementSteps {
    using StepReads for StepContext;

    uint256 private constant RESCALE_ROW_BYTES = 16;

    /// @dev Attributes: channels, channelInner, shift, zeroPointA, zeroPointB, innerB, low, high.
    function rescale(StepContext memory self) internal pure returns (int256) {
        unchecked {
            Record record = self.record;
            uint256 channel = (self.element / record.size(1)) % record.size(0);
            uint256 row = self.parameter(channel * RESCALE_ROW_BYTES, RESCALE_ROW_BYTES);
            int256 sum = Integers.load(row, Integers.I32) * (self.source(0, self.element) - record.attribute(3));
            if (record.sourceCount() == 2) {
                int256 second = self.source(1, self.repeated(5)) - record.attribute(4);
                sum += Integers.load(row + 4, Integers.I32) * second;
            }
            return self.clamped(Integers.shiftHalfUp(sum + Integers.loadI64(row + 8), record.size(2)), 6);
        }
    }

    /// @dev Attributes: multiplier, shift, zeroPointA, zeroPointB, innerB, bias, low, high.
    function multiply(StepContext memory self) internal pure returns (int256) {
        unchecked {
            Record record = self.record;
            int256 first = self.source(0, self.element) - record.attribute(2);
            int256 second = self.source(1, self.repeated(4)) - record.attribute(3);
            int256 sum = first * second * record.attribute(0) + record.attribute(5);
            return self.clamped(Integers.shiftHalfUp(sum, record.size(1)), 6);
        }
    }

    /// @dev Attributes: multiplier, zeroPoint, innerB, offset, low, high.
    function divide(StepContext memory self) internal pure returns (int256) {
        unchecked {
            Record record = self.record;
            int256 denominator = self.source(1, self.repeated(2));
            if (denominator < 1) denominator = 1;
            int256 numerator =
                (self.source(0, self.element) - record.attribute(1)) * record.attribute(0) + (denominator >> 1);
            int256 quotient = numerator / denominator;
            // Solidity truncates toward zero; the quotient is rounded down.
            if (numerator < 0 && quotient * denominator != numerator) --quotient;
            return self.clamped(quotient + record.attribute(3), 4);
        }
    }

    /// @dev Attribute: shift.
    function isqrt(StepContext memory self) internal pure returns (int256) {
        int256 value = self.source(0, self.element);
        if (value < 0) value = 0;
        int256 root = int256(Math.sqrt(uint256(value) << self.record.size(0)));
        int256 highest = Integers.maximumOf(self.record.elementType());
        return root > highest ? highest : root;
    }

    /// @dev Attribute: threshold.
    function select(StepContext memory self) internal pure returns (int256) {
        bool chosen = self.source(0, self.element) > self.record.attribute(0);
        return self.source(chosen ? 1 : 2, self.element);
    }
}
