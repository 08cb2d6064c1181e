// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title The one Merkle tree of the project (docs/program-format.md, "Trees"; `core/tree.ts`).
/// @notice Leaves hash as `keccak(0x00 ‖ bytes)`, nodes as `keccak(0x01 ‖ left ‖ right)`; a missing subtree is EMPTY and a
/// node of two EMPTY children is EMPTY. A level counts five binary ones, so a node has 32 children. The depth follows from
/// the number of leaves, which the caller knows, so that neither position nor depth is ever the choice of who opens.
library Merkle {
    /// @dev Hash of a missing subtree of any height.
    bytes32 internal constant EMPTY = 0;
    uint256 internal constant CHUNK_BYTES = 512;
    uint256 internal constant FAN_OUT = 32;
    uint256 internal constant BITS_PER_LEVEL = 5;

    /// @notice Indices are not strictly ascending or not below the number of nodes, or counts do not match.
    error InvalidIndices();
    /// @notice Too few or too many siblings.
    error InvalidSiblings();
    /// @notice Not exactly 32 children, or a child that cannot exist is not EMPTY.
    error InvalidChildren();

    function leaf(bytes calldata data) internal pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            let buffer := mload(0x40)
            mstore8(buffer, 0)
            calldatacopy(add(buffer, 1), data.offset, data.length)
            hash := keccak256(buffer, add(data.length, 1))
        }
    }

    function leafOfMemory(bytes memory data) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(0), data));
    }

    /// @notice Leaf of a trace tree, whose leaves are tensor roots.
    function leafOfRoot(bytes32 root) internal pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            mstore8(0, 0)
            mstore(1, root)
            hash := keccak256(0, 33)
        }
    }

    function node(bytes32 left, bytes32 right) internal pure returns (bytes32 hash) {
        if (left | right == EMPTY) return EMPTY;
        assembly ("memory-safe") {
            let buffer := mload(0x40)
            mstore8(buffer, 1)
            mstore(add(buffer, 1), left)
            mstore(add(buffer, 33), right)
            hash := keccak256(buffer, 65)
        }
    }

    /// @notice Levels of 32 above the leaves: 0 for one leaf, 1 for 2 to 32, 2 for 33 to 1,024.
    function depth(uint256 leafCount) internal pure returns (uint256 levels) {
        for (uint256 capacity = 1; capacity < leafCount; capacity *= FAN_OUT) {
            ++levels;
        }
    }

    /// @notice How many chunks of 512 bytes hold `byteLength` bytes; at least one.
    function chunkCount(uint256 byteLength) internal pure returns (uint256) {
        return byteLength <= CHUNK_BYTES ? 1 : (byteLength + CHUNK_BYTES - 1) / CHUNK_BYTES;
    }

    /// @notice Bytes of chunk `index` of `byteLength` bytes; the last one may be shorter. The index must exist.
    function chunkLength(uint256 byteLength, uint256 index) internal pure returns (uint256) {
        if (index >= chunkCount(byteLength)) revert InvalidIndices();
        uint256 rest = byteLength - index * CHUNK_BYTES;
        return rest < CHUNK_BYTES ? rest : CHUNK_BYTES;
    }

    /// @notice Nodes that exist at a level (0 = leaves) of a tree.
    function nodeCount(uint256 leafCount, uint256 level) internal pure returns (uint256) {
        uint256 width = BITS_PER_LEVEL * level;
        return (leafCount + (1 << width) - 1) >> width;
    }

    /// @notice Hash of the node at (level ≥ 1, index) from its 32 children, of which those beyond the tree must be EMPTY.
    /// Without that rule a prover could post garbage in a padding slot, whose fault nobody could show.
    function nodeOfChildren(uint256 leafCount, uint256 level, uint256 index, bytes32[] calldata children)
        internal
        pure
        returns (bytes32)
    {
        if (children.length != FAN_OUT || level == 0 || level > depth(leafCount)) revert InvalidChildren();
        if (index >= nodeCount(leafCount, level)) revert InvalidIndices();
        uint256 existing = nodeCount(leafCount, level - 1) - index * FAN_OUT;
        for (uint256 i = existing; i < FAN_OUT; ++i) {
            if (children[i] != EMPTY) revert InvalidChildren();
        }
        return hashChildren(children);
    }

    /// @notice Binary Merkle root of exactly 32 children.
    function hashChildren(bytes32[] calldata children) internal pure returns (bytes32) {
        if (children.length != FAN_OUT) revert InvalidChildren();
        bytes32[] memory level = children;
        return reduce(level, BITS_PER_LEVEL);
    }

    /// @notice Top of the tree of the given leaf hashes (at least one). Overwrites the array.
    function topOfLeaves(bytes32[] memory leaves) internal pure returns (bytes32) {
        if (leaves.length == 0) revert InvalidIndices();
        return reduce(leaves, BITS_PER_LEVEL * depth(leaves.length));
    }

    /// @notice The top that one opened node leads to. The caller compares it with the top it trusts.
    /// @param level 32-way level of the node: 0 for a leaf
    /// @param siblings one hash a binary level, from below
    function topOfOne(uint256 leafCount, uint256 level, uint256 index, bytes32 hash, bytes32[] calldata siblings)
        internal
        pure
        returns (bytes32)
    {
        if (level > depth(leafCount) || index >= nodeCount(leafCount, level)) revert InvalidIndices();
        if (siblings.length != BITS_PER_LEVEL * (depth(leafCount) - level)) revert InvalidSiblings();
        for (uint256 i = 0; i < siblings.length; ++i) {
            hash = index & 1 == 0 ? node(hash, siblings[i]) : node(siblings[i], hash);
            index >>= 1;
        }
        return hash;
    }

    /// @notice The top that several opened nodes of one level lead to, exactly as `topFromOpening` in `core/tree.ts`.
    /// @param indices strictly ascending
    /// @param siblings binary level by binary level from below, ascending within a level; none is left over
    function topOfMany(
        uint256 leafCount,
        uint256 level,
        uint256[] memory indices,
        bytes32[] memory hashes,
        bytes32[] calldata siblings
    ) internal pure returns (bytes32 top) {
        uint256 count = indices.length;
        if (count == 0 || count != hashes.length || level > depth(leafCount)) revert InvalidIndices();
        if (indices[count - 1] >= nodeCount(leafCount, level)) revert InvalidIndices();
        uint256[] memory nodes = new uint256[](2 * count);
        for (uint256 i = 0; i < count; ++i) {
            if (i > 0 && indices[i] <= indices[i - 1]) revert InvalidIndices();
            nodes[2 * i] = indices[i];
            nodes[2 * i + 1] = uint256(hashes[i]);
        }
        uint256 from;
        uint256 pointer;
        assembly ("memory-safe") {
            from := siblings.offset
            pointer := add(nodes, 0x20)
        }
        uint256 end;
        (top, end) = climb(pointer, count, BITS_PER_LEVEL * (depth(leafCount) - level), from);
        if (end != from + 32 * siblings.length) revert InvalidSiblings();
    }

    /// @notice Climbs binary levels from opened nodes, reading siblings from calldata.
    /// @param nodes memory pointer to `count` pairs (index, hash) with strictly ascending indices; overwritten
    /// @param siblings calldata offset of the first sibling
    /// @return top hash of the only node left
    /// @return end calldata offset behind the last sibling used: the caller checks it against what it was given
    function climb(uint256 nodes, uint256 count, uint256 levels, uint256 siblings)
        internal
        pure
        returns (bytes32 top, uint256 end)
    {
        assembly ("memory-safe") {
            end := siblings
            let buffer := mload(0x40)
            mstore8(buffer, 1)
            let left := add(buffer, 1)
            let right := add(buffer, 33)
            for {} levels { levels := sub(levels, 1) } {
                let last := add(nodes, shl(6, count))
                let out := nodes
                for { let entry := nodes } lt(entry, last) {} {
                    let index := mload(entry)
                    let hash := mload(add(entry, 32))
                    entry := add(entry, 64)
                    switch and(index, 1)
                    case 0 {
                        mstore(left, hash)
                        let other
                        switch and(lt(entry, last), eq(mload(entry), add(index, 1)))
                        case 1 {
                            other := mload(add(entry, 32))
                            entry := add(entry, 64)
                        }
                        default {
                            other := calldataload(end)
                            end := add(end, 32)
                        }
                        mstore(right, other)
                        hash := or(hash, other)
                    }
                    default {
                        let other := calldataload(end)
                        end := add(end, 32)
                        mstore(left, other)
                        mstore(right, hash)
                        hash := or(hash, other)
                    }
                    if hash { hash := keccak256(buffer, 65) }
                    mstore(out, shr(1, index))
                    mstore(add(out, 32), hash)
                    out := add(out, 64)
                }
                count := shr(6, sub(out, nodes))
            }
            top := mload(add(nodes, 32))
        }
    }

    /// @dev Halves the array `levels` times in place, missing right neighbours being EMPTY.
    function reduce(bytes32[] memory level, uint256 levels) internal pure returns (bytes32 top) {
        assembly ("memory-safe") {
            let buffer := mload(0x40)
            mstore8(buffer, 1)
            let count := mload(level)
            let base := add(level, 32)
            for {} levels { levels := sub(levels, 1) } {
                let last := add(base, shl(5, count))
                let out := base
                for { let entry := base } lt(entry, last) { entry := add(entry, 64) } {
                    let left := mload(entry)
                    let right := 0
                    if lt(add(entry, 32), last) { right := mload(add(entry, 32)) }
                    let hash := or(left, right)
                    if hash {
                        mstore(add(buffer, 1), left)
                        mstore(add(buffer, 33), right)
                        hash := keccak256(buffer, 65)
                    }
                    mstore(out, hash)
                    out := add(out, 32)
                }
                count := shr(5, sub(out, base))
            }
            top := mload(base)
        }
    }
}
