// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Trees of a claim: tensors, the list of their roots, single nodes (docs/program-format.md, "Trees").
/// @dev Hashes and siblings are read from calldata; every loop is bounded by the tree's height or its number of leaves.
library Openings {
    /// @notice `keccak(0x00 ‖ bytes)`.
    function leafHash(bytes calldata leaf) internal pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore8(free, 0)
            calldatacopy(add(free, 1), leaf.offset, leaf.length)
            hash := keccak256(free, add(leaf.length, 1))
        }
    }

    /// @notice `keccak(0x01 ‖ left ‖ right)`; EMPTY of two EMPTY ones.
    function nodeHash(bytes32 left, bytes32 right) internal pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            if or(left, right) {
                let free := mload(0x40)
                mstore8(free, 1)
                mstore(add(free, 0x01), left)
                mstore(add(free, 0x21), right)
                hash := keccak256(free, 0x41)
            }
        }
    }

    /// @notice Hash that a node and its siblings, lowest first, lead up to. The index has no bits beyond the siblings.
    function climb(bytes32 hash, uint256 index, bytes32[] calldata siblings) internal pure returns (bytes32) {
        for (uint256 i = 0; i < siblings.length; ++i) {
            hash = (index >> i) & 1 == 0 ? nodeHash(hash, siblings[i]) : nodeHash(siblings[i], hash);
        }
        return hash;
    }

    /// @notice Top of the tree over hashes, `height` binary levels high, places beyond the list EMPTY.
    /// @param level at least one hash, at most 2^height; overwritten
    function topOf(bytes32[] memory level, uint256 height) internal pure returns (bytes32) {
        uint256 count = level.length;
        for (uint256 b = 0; b < height; ++b) {
            uint256 parents = (count + 1) / 2;
            for (uint256 i = 0; i < parents; ++i) {
                level[i] = nodeHash(level[2 * i], 2 * i + 1 < count ? level[2 * i + 1] : bytes32(0));
            }
            count = parents;
        }
        return level[0];
    }

    /// @notice Leaves of a trace's tree: each tensor root hashed as a leaf.
    function rootLeaves(bytes32[] calldata roots) internal pure returns (bytes32[] memory leaves) {
        leaves = roots;
        for (uint256 i = 0; i < leaves.length; ++i) {
            leaves[i] = rootLeaf(leaves[i]);
        }
    }

    /// @notice `keccak(0x00 ‖ root)`.
    function rootLeaf(bytes32 root) internal pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            mstore8(0x00, 0)
            mstore(0x01, root)
            hash := keccak256(0x00, 0x21)
        }
    }

    /// @notice Top that several leaves and their siblings lead up to: siblings follow level by level and ascending within a
    /// level, none that is itself opened or computed.
    /// @param indices strictly ascending, below 2^height; overwritten
    /// @param known their hashes; overwritten
    /// @param siblings exactly those needed
    /// @return top 0 when there are too few or too many siblings
    function climbMany(uint256[] memory indices, bytes32[] memory known, bytes32[] calldata siblings, uint256 height)
        internal
        pure
        returns (bytes32 top)
    {
        uint256 count = indices.length;
        uint256 used = 0;
        for (uint256 b = 0; b < height; ++b) {
            uint256 parents = 0;
            for (uint256 i = 0; i < count; ++i) {
                uint256 index = indices[i];
                bytes32 hash = known[i];
                if (index & 1 == 0 && i + 1 < count && indices[i + 1] == index + 1) {
                    ++i;
                    hash = nodeHash(hash, known[i]);
                } else {
                    if (used == siblings.length) return 0;
                    bytes32 sibling = siblings[used];
                    ++used;
                    hash = index & 1 == 0 ? nodeHash(hash, sibling) : nodeHash(sibling, hash);
                }
                indices[parents] = index >> 1;
                known[parents] = hash;
                ++parents;
            }
            count = parents;
        }
        return used == siblings.length ? known[0] : bytes32(0);
    }

    /// @notice `keccak(0x02 ‖ type ‖ length ‖ top)`.
    function tensorRoot(uint8 elementType, uint32 length, bytes32 top) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(0x02), elementType, length, top));
    }

    /// @notice `keccak(0x03 ‖ tensor roots)`: a claim's input or output.
    function listRoot(bytes32[] calldata roots) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(0x03), roots));
    }

    /// @notice `keccak(0x05 ‖ count ‖ top)`; leaf i of the tree is the root of tensor i.
    function traceRoot(uint256 count, bytes32 top) internal pure returns (bytes32) {
        // casting to 'uint32' is safe because a model has at most 512 instructions
        // forge-lint: disable-next-line(unsafe-typecast)
        return keccak256(abi.encodePacked(bytes1(0x05), uint32(count), top));
    }

    /// @notice 32-byte words of packed bytes; the length is a multiple of 32.
    function words(bytes calldata packed) internal pure returns (bytes32[] calldata list) {
        assembly ("memory-safe") {
            list.offset := packed.offset
            list.length := shr(5, packed.length)
        }
    }
}
