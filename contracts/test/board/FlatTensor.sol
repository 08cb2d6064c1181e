// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

/// @notice A tensor of any size whose bytes are all alike but for one leaf: its tree is known without building it, so that tests
/// can play disputes about millions of rows.
/// @param changed whether `leaf` stands at `index` instead of the fill
struct FlatTensor {
    uint8 elementType;
    uint32 length;
    bytes1 fill;
    bool changed;
    uint32 index;
    bytes leaf;
}

library FlatTensors {
    uint256 private constant CHUNK = 512;

    function leafCount(FlatTensor memory t) internal pure returns (uint256) {
        return ((uint256(t.length) << t.elementType) + CHUNK - 1) / CHUNK;
    }

    function depth(FlatTensor memory t) internal pure returns (uint256 levels) {
        for (uint256 capacity = 1; capacity < leafCount(t); capacity *= 32) {
            ++levels;
        }
    }

    function leafAt(FlatTensor memory t, uint256 index) internal pure returns (bytes memory leaf) {
        if (t.changed && index == t.index) return t.leaf;
        uint256 rest = (uint256(t.length) << t.elementType) - index * CHUNK;
        leaf = _full(t.fill);
        if (rest < CHUNK) {
            assembly ("memory-safe") {
                mstore(leaf, rest)
            }
        }
    }

    /// @notice Hash at a binary level (0: leaves) and index.
    function hashAt(FlatTensor memory t, uint256 level, uint256 index) internal pure returns (bytes32) {
        bytes32[] memory uniform = new bytes32[](level + 1);
        if (leafCount(t) > 1) uniform[0] = leafHash(_full(t.fill));
        for (uint256 b = 1; b <= level; ++b) {
            uniform[b] = node(uniform[b - 1], uniform[b - 1]);
        }
        return _hashAt(t, uniform, level, index);
    }

    function _hashAt(FlatTensor memory t, bytes32[] memory uniform, uint256 level, uint256 index)
        private
        pure
        returns (bytes32)
    {
        uint256 from = index << level;
        uint256 to = (index + 1) << level;
        if (from >= leafCount(t)) return 0;
        bool touched = t.changed && t.index >= from && t.index < to;
        if (to < leafCount(t) && !touched) return uniform[level];
        if (level == 0) return leafHash(leafAt(t, index));
        return node(_hashAt(t, uniform, level - 1, 2 * index), _hashAt(t, uniform, level - 1, 2 * index + 1));
    }

    /// @notice Siblings of a node of 32-way `height` up to the top.
    function siblings(FlatTensor memory t, uint256 height, uint256 index)
        internal
        pure
        returns (bytes32[] memory list)
    {
        list = new bytes32[](5 * (depth(t) - height));
        for (uint256 i = 0; i < list.length; ++i) {
            list[i] = hashAt(t, 5 * height + i, (index >> i) ^ 1);
        }
    }

    /// @notice The children that a node of 32-way `height` has.
    function children(FlatTensor memory t, uint256 height, uint256 index) internal pure returns (bytes memory packed) {
        uint256 below = (leafCount(t) + (1 << (5 * (height - 1))) - 1) >> (5 * (height - 1));
        for (uint256 i = 32 * index; i < 32 * index + 32 && i < below; ++i) {
            packed = bytes.concat(packed, hashAt(t, 5 * (height - 1), i));
        }
    }

    function root(FlatTensor memory t) internal pure returns (bytes32) {
        bytes32 top = hashAt(t, 5 * depth(t), 0);
        return keccak256(abi.encodePacked(bytes1(0x02), t.elementType, t.length, top));
    }

    function leafHash(bytes memory leaf) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(0x00), leaf));
    }

    function node(bytes32 left, bytes32 right) internal pure returns (bytes32) {
        return left == 0 && right == 0 ? bytes32(0) : keccak256(abi.encodePacked(bytes1(0x01), left, right));
    }

    function _full(bytes1 fill) private pure returns (bytes memory leaf) {
        leaf = new bytes(CHUNK);
        // A byte times 0x0101…01 is the byte in every place of a word.
        uint256 word = uint256(uint8(fill)) * (type(uint256).max / 255);
        assembly ("memory-safe") {
            for { let place := add(leaf, 32) } lt(place, add(leaf, 544)) { place := add(place, 32) } {
                mstore(place, word)
            }
        }
    }
}
