// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Merkle} from "./Merkle.sol";

/// @title Openings of the instruction tree (docs/program-format.md, "Trees"): 204-byte records under an instruction root.
library InstructionTree {
    uint256 internal constant MAX_INSTRUCTIONS = 512;

    /// @return binary levels above the leaves
    function height(uint256 count) internal pure returns (uint256) {
        return Merkle.BITS_PER_LEVEL * Merkle.depth(count);
    }

    function root(uint256 count, bytes32 top) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(0x04), uint32(count), top));
    }

    /// @notice Whether a leaf lies at a position. Positions from `count` to the end of the tree may be asked for too: an honest
    /// tree is EMPTY there.
    /// @param leaf leaf hash, or EMPTY
    function opens(bytes32 instructionRoot, uint256 count, uint256 position, bytes32 leaf, bytes32[] calldata siblings)
        internal
        pure
        returns (bool)
    {
        uint256 levels = height(count);
        if (siblings.length != levels || position >> levels != 0) return false;
        bytes32 hash = leaf;
        for (uint256 i = 0; i < levels; ++i) {
            hash = (position >> i) & 1 == 0 ? Merkle.node(hash, siblings[i]) : Merkle.node(siblings[i], hash);
        }
        return root(count, hash) == instructionRoot;
    }
}
