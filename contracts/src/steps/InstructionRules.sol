// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Integers} from "./Integers.sol";
import {
    ARG,
    ATTRIBUTE_SLOTS,
    DIVIDE,
    GATHER,
    INPUT,
    ISQRT,
    LINEAR,
    MAP,
    MATMUL,
    MAX,
    MAX_SOURCES,
    MULTIPLY,
    RECORD_BYTES,
    RESCALE,
    Record,
    SELECT,
    SUM,
    TABLE,
    TREE
} from "./Record.sol";

/// @title What a record must satisfy by itself: `decodeRecord` and the `validate` of every kind in `core/ops`, as far as they need
/// no parameter bytes. A step of a record that holds these rules never divides by zero and never reads outside its tensors.
library InstructionRules {
    /// @notice The record breaks a rule of the program format.
    error MalformedRecord();

    uint256 internal constant MAX_LENGTH = 1 << 26;
    /// @dev Exact integers stay below this; accumulators of linear and matmul below the second.
    uint256 internal constant EXACT_LIMIT = 1 << 52;
    uint256 internal constant ACCUMULATOR_LIMIT = 1 << 31;
    int256 private constant SIZE = 1 << 26;

    /// @return record the record, when it has its length and holds every rule
    function check(bytes calldata data) internal pure returns (Record record) {
        bool valid;
        (valid, record) = parse(data);
        if (!valid) revert MalformedRecord();
    }

    function parse(bytes calldata data) internal pure returns (bool valid, Record record) {
        uint256 offset;
        assembly ("memory-safe") {
            offset := data.offset
        }
        record = Record.wrap(offset);
        valid = data.length == RECORD_BYTES && _form(record) && _kind(record);
    }

    /// @dev Codes, lengths, unused slots, parameters: the same for all kinds.
    function _form(Record record) private pure returns (bool) {
        unchecked {
            uint256 kind = record.kind();
            uint256 sources = record.sourceCount();
            if (kind > TREE || record.elementType() > Integers.I32 || record.reserved() != 0) return false;
            if (sources > MAX_SOURCES || !_isLength(record.length())) return false;
            if ((record.parameterBytes() == 0) != (record.parameterRoot() == 0)) return false;
            for (uint256 i = 0; i < MAX_SOURCES; ++i) {
                if (i >= sources) {
                    if (record.sourceSlot(i) != 0) return false;
                } else if (
                    record.sourceType(i) > Integers.I32 || (record.sourceSlot(i) >> 32) & 0xff != 0
                        || !_isLength(record.sourceLength(i))
                ) {
                    return false;
                }
            }
            for (uint256 i = attributeCount(kind); i < ATTRIBUTE_SLOTS; ++i) {
                if (record.attribute(i) != 0) return false;
            }
            return true;
        }
    }

    function _isLength(uint256 length) private pure returns (bool) {
        return length > 0 && length <= MAX_LENGTH;
    }

    /// @dev Attributes by kind, input first: 0, 20, 11, 8, 8, 5, 15, 20, 0, 6, 1, 4, 6, 1, 5.
    function attributeCount(uint256 kind) internal pure returns (uint256) {
        return uint8(bytes15(0x00140b0808050f1400060104060105)[kind]);
    }

    function _kind(Record r) private pure returns (bool) {
        uint256 kind = r.kind();
        if (kind == INPUT) return _sources(r, 0) && r.parameterBytes() == 0;
        if (kind == LINEAR) return _linear(r);
        if (kind == MATMUL) return _matmul(r);
        if (kind == RESCALE) return _rescale(r);
        if (kind == MULTIPLY) return _multiply(r);
        if (kind == TABLE) return _table(r);
        if (kind == MAX) return _max(r);
        if (kind == SUM) return _sum(r);
        if (kind == MAP) return _map(r);
        if (kind == GATHER) return _gather(r);
        if (kind == SELECT) return _select(r);
        if (kind == ARG) return _arg(r);
        if (kind == DIVIDE) return _divide(r);
        if (kind == ISQRT) return _isqrt(r);
        return _tree(r);
    }

    /// @dev Attributes: the window's with outChannels after outWidth, groups, zeroPoint, weightBytes, low, high.
    function _linear(Record r) private pure returns (bool) {
        unchecked {
            if (!_sources(r, 1) || r.sourceType(0) == Integers.I32 || !_window(r, 7)) return false;
            if (!_in(r, 6, 1, 1 << 20) || !_in(r, 15, 1, r.attribute(3)) || !_in(r, 17, 1, 2)) return false;
            uint256 groups = r.size(15);
            if (r.size(3) % groups != 0 || r.size(6) % groups != 0) return false;
            if (!_inType(r, 16, r.sourceType(0)) || !_clamp(r, 18)) return false;
            uint256 row = r.size(7) * r.size(8) * (r.size(3) / groups) * r.size(17) + 5;
            return r.length() == r.size(0) * r.size(4) * r.size(5) * r.size(6) && r.parameterBytes() == row * r.size(6);
        }
    }

    /// @dev Attributes: batch, rows, inner, columns, zeroPointA, zeroPointB, shift, bias, low, high, shareB.
    function _matmul(Record r) private pure returns (bool) {
        unchecked {
            if (!_sources(r, 2) || r.sourceType(0) == Integers.I32 || r.sourceType(1) == Integers.I32) return false;
            if (!_sizes(r, 0, 4) || !_in(r, 10, 0, 1) || !_in(r, 6, 0, 30) || !_clamp(r, 8)) return false;
            if (!_inType(r, 4, r.sourceType(0)) || !_inType(r, 5, r.sourceType(1))) return false;
            uint256 batch = r.size(0);
            if (r.sourceLength(0) != batch * r.size(1) * r.size(2)) return false;
            if (r.sourceLength(1) != (r.size(10) == 1 ? 1 : batch) * r.size(3) * r.size(2)) return false;
            uint256 bound = r.size(2) * Integers.magnitude(r.sourceType(0), r.attribute(4))
                * Integers.magnitude(r.sourceType(1), r.attribute(5)) + Integers.absolute(r.attribute(7))
                + uint256(Integers.half(r.size(6)));
            return bound < ACCUMULATOR_LIMIT && r.length() == batch * r.size(1) * r.size(3) && r.parameterBytes() == 0;
        }
    }

    /// @dev Attributes: channels, channelInner, shift, zeroPointA, zeroPointB, innerB, low, high.
    function _rescale(Record r) private pure returns (bool) {
        uint256 sources = r.sourceCount();
        if (sources != 1 && sources != 2) return false;
        return _in(r, 0, 1, 1 << 22) && _sizes(r, 1, 1) && _sizes(r, 5, 1) && _in(r, 2, 0, 47) && _clamp(r, 6)
            && r.length() == r.sourceLength(0) && r.parameterBytes() == r.size(0) * 16;
    }

    /// @dev Attributes: multiplier, shift, zeroPointA, zeroPointB, innerB, bias, low, high.
    function _multiply(Record r) private pure returns (bool) {
        unchecked {
            if (!_sources(r, 2) || !_sizes(r, 4, 1) || !_in(r, 1, 0, 47) || !_clamp(r, 6)) return false;
            uint256 factors = Integers.magnitude(r.sourceType(0), r.attribute(2))
                * Integers.magnitude(r.sourceType(1), r.attribute(3));
            return r.length() == r.sourceLength(0) && r.parameterBytes() == 0
                && _isExact(factors, r.attribute(0), Integers.absolute(r.attribute(5)), r.size(1));
        }
    }

    /// @dev Attributes: offset, entries, width, channels, channelInner.
    function _table(Record r) private pure returns (bool) {
        unchecked {
            return _sources(r, 1) && _sizes(r, 1, 4) && r.length() == r.sourceLength(0) * r.size(2)
                && r.parameterBytes() == (r.size(3) * r.size(1) * r.size(2)) << r.elementType();
        }
    }

    /// @dev Attributes: the window's, minimum.
    function _max(Record r) private pure returns (bool) {
        return _sources(r, 1) && _window(r, 6) && _in(r, 14, 0, 1) && r.elementType() == r.sourceType(0)
            && _isWindowOutput(r) && r.parameterBytes() == 0;
    }

    /// @dev Attributes: the window's, zeroPoint, multiplier, shift, bias, low, high.
    function _sum(Record r) private pure returns (bool) {
        unchecked {
            if (!_sources(r, 1) || !_window(r, 6) || !_in(r, 16, 0, 47) || !_clamp(r, 18)) return false;
            uint256 total = r.size(6) * r.size(7) * Integers.magnitude(r.sourceType(0), r.attribute(14));
            return _isWindowOutput(r) && r.parameterBytes() == 0
                && _isExact(total, r.attribute(15), Integers.absolute(r.attribute(17)), r.size(16));
        }
    }

    function _map(Record r) private pure returns (bool) {
        unchecked {
            uint256 sources = r.sourceCount();
            for (uint256 i = 0; i < sources; ++i) {
                if (r.sourceType(i) != r.elementType()) return false;
            }
            uint256 indices = 4 * r.length();
            return r.parameterBytes() >= indices && (r.parameterBytes() - indices) % (1 << r.elementType()) == 0;
        }
    }

    /// @dev Attributes: outer, axis, width, count, perOuter, offset.
    function _gather(Record r) private pure returns (bool) {
        unchecked {
            if (!_sources(r, 2) || r.sourceType(0) != r.elementType()) return false;
            if (!_sizes(r, 0, 4) || !_in(r, 4, 0, 1)) return false;
            uint256 indices = (r.size(4) == 1 ? r.size(0) : 1) * r.size(3);
            return r.sourceLength(0) == r.size(0) * r.size(1) * r.size(2) && r.sourceLength(1) == indices
                && r.length() == r.size(0) * r.size(3) * r.size(2) && r.parameterBytes() == 0;
        }
    }

    /// @dev Attribute: threshold.
    function _select(Record r) private pure returns (bool) {
        if (!_sources(r, 3) || r.parameterBytes() != 0) return false;
        if (r.sourceType(1) != r.elementType() || r.sourceType(2) != r.elementType()) return false;
        uint256 length = r.length();
        return r.sourceLength(0) == length && r.sourceLength(1) == length && r.sourceLength(2) == length;
    }

    /// @dev Attributes: outer, axis, inner, minimum.
    function _arg(Record r) private pure returns (bool) {
        unchecked {
            if (!_sources(r, 1) || !_sizes(r, 0, 3) || !_in(r, 3, 0, 1)) return false;
            return r.attribute(1) - 1 <= Integers.maximumOf(r.elementType())
                && r.sourceLength(0) == r.size(0) * r.size(1) * r.size(2) && r.length() == r.size(0) * r.size(2)
                && r.parameterBytes() == 0;
        }
    }

    /// @dev Attributes: multiplier, zeroPoint, innerB, offset, low, high.
    function _divide(Record r) private pure returns (bool) {
        unchecked {
            if (!_sources(r, 2) || !_sizes(r, 2, 1) || !_clamp(r, 4)) return false;
            uint256 factor = Integers.absolute(r.attribute(0));
            uint256 bound = Integers.magnitude(r.sourceType(0), r.attribute(1)) * (factor == 0 ? 1 : factor)
                + uint256(Integers.maximumOf(r.sourceType(1))) + Integers.absolute(r.attribute(3));
            return bound < EXACT_LIMIT && r.length() == r.sourceLength(0) && r.parameterBytes() == 0;
        }
    }

    /// @dev Attribute: shift.
    function _isqrt(Record r) private pure returns (bool) {
        return _sources(r, 1) && _in(r, 0, 0, 20) && r.length() == r.sourceLength(0) && r.parameterBytes() == 0;
    }

    /// @dev Attributes: rows, features, trees, nodes, depth.
    function _tree(Record r) private pure returns (bool) {
        unchecked {
            if (!_sources(r, 1) || !_in(r, 0, 1, 1 << 20) || !_in(r, 2, 1, 1 << 20)) return false;
            int256 nodes = Integers.maximumOf(r.elementType()) + 1;
            if (nodes > 65_536) nodes = 65_536;
            if (!_in(r, 1, 1, 65_536) || !_in(r, 3, 1, nodes) || !_in(r, 4, 0, 64)) return false;
            return r.sourceLength(0) == r.size(0) * r.size(1) && r.length() == r.size(0) * r.size(2)
                && r.parameterBytes() == r.size(2) * r.size(3) * 12;
        }
    }

    /// @dev batch, height, width, channels, outHeight, outWidth come first; the kernel's eight attributes at `kernelAt`.
    function _window(Record r, uint256 kernelAt) private pure returns (bool) {
        unchecked {
            if (!_sizes(r, 0, 6)) return false;
            for (uint256 i = kernelAt; i < kernelAt + 6; ++i) {
                if (!_in(r, i, 1, 1 << 16)) return false;
            }
            for (uint256 i = 0; i < 2; ++i) {
                int256 reach = (r.attribute(kernelAt + i) - 1) * r.attribute(kernelAt + 4 + i);
                if (!_in(r, kernelAt + 6 + i, 0, reach)) return false;
            }
            return r.sourceLength(0) == r.size(0) * r.size(1) * r.size(2) * r.size(3);
        }
    }

    function _isWindowOutput(Record r) private pure returns (bool) {
        unchecked {
            return r.length() == r.size(0) * r.size(4) * r.size(5) * r.size(3);
        }
    }

    function _sources(Record r, uint256 count) private pure returns (bool) {
        return r.sourceCount() == count;
    }

    function _in(Record r, uint256 i, int256 low, int256 high) private pure returns (bool) {
        int256 value = r.attribute(i);
        return value >= low && value <= high;
    }

    /// @dev `count` attributes from `i` on are sizes of a tensor.
    function _sizes(Record r, uint256 i, uint256 count) private pure returns (bool) {
        unchecked {
            for (uint256 end = i + count; i < end; ++i) {
                if (!_in(r, i, 1, SIZE)) return false;
            }
            return true;
        }
    }

    function _inType(Record r, uint256 i, uint256 elementType) private pure returns (bool) {
        return _in(r, i, Integers.minimumOf(elementType), Integers.maximumOf(elementType));
    }

    /// @dev low at `i`, high behind it, within the output's type.
    function _clamp(Record r, uint256 i) private pure returns (bool) {
        return
            _inType(r, i, r.elementType()) && _inType(r, i + 1, r.elementType()) && r.attribute(i) <= r.attribute(i + 1);
    }

    /// @dev size·max(1, |multiplier|) + addend + half(shift) < 2^52.
    function _isExact(uint256 size, int256 multiplier, uint256 addend, uint256 shift) private pure returns (bool) {
        unchecked {
            uint256 factor = Integers.absolute(multiplier);
            return size * (factor == 0 ? 1 : factor) + addend + uint256(Integers.half(shift)) < EXACT_LIMIT;
        }
    }
}
