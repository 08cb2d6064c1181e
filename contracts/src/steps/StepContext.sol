// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Evidence, Opened} from "./Evidence.sol";
import {Integers} from "./Integers.sol";
import {Record} from "./Record.sol";

/// @dev A checked record and everything opened for one step of it.
struct StepContext {
    Record record;
    uint256 element;
    Opened parameters;
    Opened[] sources;
}

/// @title Reading of opened elements and parameters.
library StepReads {
    using Evidence for Opened;

    /// @notice Element `index` of the n-th source.
    function source(StepContext memory self, uint256 n, uint256 index) internal pure returns (int256) {
        uint256 elementType = self.record.sourceType(n);
        return self.sources[n].element(index << elementType, elementType);
    }

    /// @notice Memory pointer to `count` consecutive elements of the n-th source.
    function run(StepContext memory self, uint256 n, uint256 index, uint256 count) internal pure returns (uint256) {
        uint256 elementType = self.record.sourceType(n);
        return self.sources[n].read(index << elementType, count << elementType);
    }

    /// @notice Memory pointer to consecutive parameter bytes.
    function parameter(StepContext memory self, uint256 offset, uint256 size) internal pure returns (uint256) {
        return self.parameters.read(offset, size);
    }

    /// @notice The output's clamp: two neighbouring attributes.
    function clamped(StepContext memory self, int256 value, uint256 lowAt) internal pure returns (int256) {
        return Integers.clamp(value, self.record.attribute(lowAt), self.record.attribute(lowAt + 1));
    }

    /// @notice Index into a second operand, whose elements each serve `inner` consecutive ones, then start over.
    function repeated(StepContext memory self, uint256 innerAt) internal pure returns (uint256) {
        return (self.element / self.record.size(innerAt)) % self.record.sourceLength(1);
    }
}
