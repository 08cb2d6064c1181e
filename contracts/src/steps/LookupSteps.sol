// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Integers} from "./Integers.sol";
import {Record} from "./Record.sol";
import {StepContext, StepReads} from "./StepContext.sol";

/// @title Lookups, whose places depend on data: table, map, gather, tree.
library LookupSteps {
    using StepReads for StepContext;

    uint256 internal constant TREE_NODE_BYTES = 12;

    /// @dev Attributes: offset, entries, width, channels, channelInner.
    function table(StepContext memory self) internal pure returns (int256) {
        unchecked {
            Record record = self.record;
            uint256 width = record.size(2);
            uint256 j = self.element / width;
            uint256 entry = _bounded(self.source(0, j) - record.attribute(0), record.attribute(1));
            uint256 channel = (j / record.size(4)) % record.size(3);
            uint256 index = (channel * record.size(1) + entry) * width + self.element % width;
            return _constant(self, 0, index);
        }
    }

    function map(StepContext memory self) internal pure returns (int256) {
        unchecked {
            Record record = self.record;
            uint256 index = Integers.loadU32(self.parameter(4 * self.element, 4));
            uint256 sources = record.sourceCount();
            for (uint256 n = 0; n < sources; ++n) {
                uint256 length = record.sourceLength(n);
                if (index < length) return self.source(n, index);
                index -= length;
            }
            return _constant(self, 4 * record.length(), index);
        }
    }

    /// @dev Attributes: outer, axis, width, count, perOuter, offset.
    function gather(StepContext memory self) internal pure returns (int256) {
        unchecked {
            Record record = self.record;
            uint256 width = record.size(2);
            uint256 j = self.element / width;
            uint256 outer = j / record.size(3);
            int256 index = self.source(1, record.size(4) == 1 ? j : j % record.size(3));
            uint256 entry = _bounded(index - record.attribute(5), record.attribute(1));
            return self.source(0, (outer * record.size(1) + entry) * width + self.element % width);
        }
    }

    /// @dev Attributes: rows, features, trees, nodes, depth.
    function tree(StepContext memory self) internal pure returns (int256) {
        unchecked {
            Record record = self.record;
            uint256 features = record.size(1);
            uint256 trees = record.size(2);
            // A coordinate: rounding down is the point.
            // forge-lint: disable-next-line(divide-before-multiply)
            uint256 row = (self.element / trees) * features;
            uint256 base = (self.element % trees) * record.size(3);
            uint256 depth = record.size(4);
            uint256 place = 0;
            for (uint256 i = 0; i < depth; ++i) {
                uint256 node = self.parameter((base + place) * TREE_NODE_BYTES, TREE_NODE_BYTES);
                uint256 feature = _least(Integers.loadU16(node), features - 1);
                bool left = self.source(0, row + feature) <= Integers.load(node + 8, Integers.I32);
                place = _least(Integers.loadU16(node + (left ? 2 : 4)), record.size(3) - 1);
            }
            return int256(place);
        }
    }

    /// @dev Constant `index` of the output's type, counted from a parameter byte on.
    function _constant(StepContext memory self, uint256 from, uint256 index) private pure returns (int256) {
        unchecked {
            uint256 elementType = self.record.elementType();
            return Integers.load(self.parameter(from + (index << elementType), 1 << elementType), elementType);
        }
    }

    /// @dev clamp(index, 0, count − 1).
    function _bounded(int256 index, int256 count) private pure returns (uint256) {
        unchecked {
            return uint256(Integers.clamp(index, 0, count - 1));
        }
    }

    function _least(uint256 a, uint256 b) private pure returns (uint256) {
        return a < b ? a : b;
    }
}
