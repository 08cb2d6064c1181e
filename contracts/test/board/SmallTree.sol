// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {FlatTensors} from "./FlatTensor.sol";

/// @notice Trees over a few leaves, built whole: records and tensor roots.
library SmallTree {
    function height(uint256 count) internal pure returns (uint256) {
        if (count == 1) return 0;
        return count <= 32 ? 5 : 10;
    }

    function hashAt(bytes32[] memory leaves, uint256 level, uint256 index) internal pure returns (bytes32) {
        if (index << level >= leaves.length) return 0;
        if (level == 0) return leaves[index];
        return FlatTensors.node(hashAt(leaves, level - 1, 2 * index), hashAt(leaves, level - 1, 2 * index + 1));
    }

    function top(bytes32[] memory leaves) internal pure returns (bytes32) {
        return hashAt(leaves, height(leaves.length), 0);
    }

    function siblings(bytes32[] memory leaves, uint256 index) internal pure returns (bytes32[] memory list) {
        list = new bytes32[](height(leaves.length));
        for (uint256 i = 0; i < list.length; ++i) {
            list[i] = hashAt(leaves, i, (index >> i) ^ 1);
        }
    }

    /// @notice Multi-opening of strictly ascending indices.
    function openMany(bytes32[] memory leaves, uint256[] memory indices) internal pure returns (bytes32[] memory list) {
        bytes32[] memory most = new bytes32[](indices.length * 10);
        uint256[] memory known = new uint256[](indices.length);
        for (uint256 i = 0; i < indices.length; ++i) {
            known[i] = indices[i];
        }
        uint256 count = known.length;
        uint256 used = 0;
        for (uint256 b = 0; b < height(leaves.length); ++b) {
            uint256 parents = 0;
            for (uint256 i = 0; i < count; ++i) {
                uint256 index = known[i];
                if (index % 2 == 0 && i + 1 < count && known[i + 1] == index + 1) ++i;
                else most[used++] = hashAt(leaves, b, index ^ 1);
                known[parents++] = index >> 1;
            }
            count = parents;
        }
        list = new bytes32[](used);
        for (uint256 i = 0; i < used; ++i) {
            list[i] = most[i];
        }
    }

    function hashed(bytes32[] memory roots) internal pure returns (bytes32[] memory leaves) {
        leaves = new bytes32[](roots.length);
        for (uint256 i = 0; i < roots.length; ++i) {
            leaves[i] = FlatTensors.leafHash(abi.encodePacked(roots[i]));
        }
    }
}
