// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Evidence, Opened} from "./Evidence.sol";
import {InstructionRules} from "./InstructionRules.sol";
import {Integers} from "./Integers.sol";
import {LINEAR, MAP, RESCALE, Record, TREE} from "./Record.sol";

/// @title What opened parameters must satisfy, one unit at a time: the rest of `validate` in `core/ops`.
/// @notice A unit is an output channel of linear (symmetric weights, shift, accumulator bound), a channel of rescale (a multiplier
/// without its source, the exact range), an element of map (its index) or a node of tree (feature and children).
library ParameterRules {
    using Evidence for Opened;

    /// @notice The kind's parameters can break no rule, or it has fewer units.
    error NoSuchUnit(uint256 unit);

    uint256 private constant MAX_SHIFT = 30;

    /// @param record a valid record
    /// @param parameters opened under the record's root, as far as the unit needs
    function holds(Record record, uint256 unit, Opened memory parameters) internal pure returns (bool) {
        uint256 kind = record.kind();
        if (kind == LINEAR && unit < record.size(6)) return _linear(record, unit, parameters);
        if (kind == RESCALE && unit < record.size(0)) return _rescale(record, unit, parameters);
        if (kind == MAP && unit < record.length()) return _map(record, unit, parameters);
        if (kind == TREE && unit < record.size(2) * record.size(3)) return _tree(record, unit, parameters);
        revert NoSuchUnit(unit);
    }

    function _linear(Record r, uint256 channel, Opened memory parameters) private pure returns (bool) {
        unchecked {
            uint256 bytes_ = r.size(17);
            uint256 size = r.size(7) * r.size(8) * (r.size(3) / r.size(15)) * bytes_;
            uint256 row = parameters.read(channel * (size + 5), size + 5);
            int256 limit = bytes_ == 1 ? int256(127) : int256(32_767);
            uint256 sum = 0;
            for (uint256 pointer = row; pointer < row + size; pointer += bytes_) {
                int256 weight = _weight(pointer, bytes_);
                if (weight < -limit) return false;
                sum += Integers.absolute(weight);
            }
            uint256 shift = uint256(Integers.load(row + size + 4, Integers.U8));
            if (shift > MAX_SHIFT) return false;
            uint256 bound = sum * Integers.magnitude(r.sourceType(0), r.attribute(16))
                + Integers.absolute(Integers.load(row + size, Integers.I32)) + uint256(Integers.half(shift));
            return bound < InstructionRules.ACCUMULATOR_LIMIT;
        }
    }

    /// @dev Signed weight of one or two bytes.
    function _weight(uint256 pointer, uint256 bytes_) private pure returns (int256 weight) {
        if (bytes_ == 2) return Integers.load(pointer, Integers.I16);
        assembly ("memory-safe") {
            weight := signextend(0, byte(0, mload(pointer)))
        }
    }

    function _rescale(Record r, uint256 channel, Opened memory parameters) private pure returns (bool) {
        unchecked {
            uint256 row = parameters.read(channel * 16, 16);
            uint256 bound = Integers.absolute(Integers.load(row, Integers.I32))
                * Integers.magnitude(r.sourceType(0), r.attribute(3));
            int256 second = Integers.load(row + 4, Integers.I32);
            if (r.sourceCount() == 2) {
                bound += Integers.absolute(second) * Integers.magnitude(r.sourceType(1), r.attribute(4));
            } else if (second != 0) {
                return false;
            }
            bound += Integers.absolute(Integers.loadI64(row + 8)) + uint256(Integers.half(r.size(2)));
            return bound < InstructionRules.EXACT_LIMIT;
        }
    }

    function _map(Record r, uint256 element, Opened memory parameters) private pure returns (bool) {
        unchecked {
            uint256 total = (r.parameterBytes() - 4 * r.length()) >> r.elementType();
            uint256 sources = r.sourceCount();
            for (uint256 i = 0; i < sources; ++i) {
                total += r.sourceLength(i);
            }
            return Integers.loadU32(parameters.read(4 * element, 4)) < total;
        }
    }

    function _tree(Record r, uint256 index, Opened memory parameters) private pure returns (bool) {
        unchecked {
            uint256 node = parameters.read(index * 12, 12);
            uint256 nodes = r.size(3);
            return Integers.loadU16(node) < r.size(1) && Integers.loadU16(node + 2) < nodes
                && Integers.loadU16(node + 4) < nodes;
        }
    }
}
