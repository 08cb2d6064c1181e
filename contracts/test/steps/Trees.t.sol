// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Merkle} from "../../src/libraries/Merkle.sol";
import {TensorRoot} from "../../src/libraries/TensorRoot.sol";
import {vm} from "../Assertions.sol";
import {Base} from "../Base.sol";

/// @notice The libraries as external calls, for their calldata arguments and their reverts.
contract TreeCalls {
    function topOfMany(
        uint256 leafCount,
        uint256 level,
        uint256[] memory indices,
        bytes32[] memory hashes,
        bytes32[] calldata siblings
    ) external pure returns (bytes32) {
        return Merkle.topOfMany(leafCount, level, indices, hashes, siblings);
    }

    function topOfOne(uint256 leafCount, uint256 level, uint256 index, bytes32 hash, bytes32[] calldata siblings)
        external
        pure
        returns (bytes32)
    {
        return Merkle.topOfOne(leafCount, level, index, hash, siblings);
    }

    function nodeOfChildren(uint256 leafCount, uint256 level, uint256 index, bytes32[] calldata children)
        external
        pure
        returns (bytes32)
    {
        return Merkle.nodeOfChildren(leafCount, level, index, children);
    }

    function leaf(bytes calldata data) external pure returns (bytes32) {
        return Merkle.leaf(data);
    }

    function topOfLeaves(bytes32[] memory leaves) external pure returns (bytes32) {
        return Merkle.topOfLeaves(leaves);
    }

    function chunkLength(uint256 byteLength, uint256 index) external pure returns (uint256) {
        return Merkle.chunkLength(byteLength, index);
    }

    function ofBytes(uint8 elementType, uint32 length, bytes calldata data) external pure returns (bytes32) {
        return TensorRoot.ofBytes(elementType, length, data);
    }

    function ofMemory(uint8 elementType, uint32 length, bytes memory data) external pure returns (bytes32) {
        return TensorRoot.ofMemory(elementType, length, data);
    }
}

/// @notice Trees and tensor roots against test/golden/openings.json, which core/tree.ts wrote, and against forged openings.
contract TreesTest is Base {
    TreeCalls internal calls;

    struct Case {
        uint256 leafCount;
        uint256 level;
        uint256[] indices;
        bytes32[] hashes;
        bytes32[] siblings;
        bytes32 top;
    }

    Case[] internal cases;
    uint256[] internal tensorTypes;
    uint256[] internal tensorLengths;
    bytes32[] internal tensorRoots;

    function setUp() public {
        calls = new TreeCalls();
        string memory json = vm.readFile("test/golden/openings.json");
        uint256[] memory leafCounts = vm.parseJsonUintArray(json, ".leafCounts");
        uint256[] memory levels = vm.parseJsonUintArray(json, ".levels");
        uint256[] memory counts = vm.parseJsonUintArray(json, ".counts");
        uint256[] memory siblingCounts = vm.parseJsonUintArray(json, ".siblingCounts");
        bytes32[] memory tops = vm.parseJsonBytes32Array(json, ".tops");
        uint256[] memory indices = vm.parseJsonUintArray(json, ".indices");
        bytes32[] memory hashes = vm.parseJsonBytes32Array(json, ".hashes");
        bytes32[] memory siblings = vm.parseJsonBytes32Array(json, ".siblings");
        uint256 next = 0;
        uint256 nextSibling = 0;
        for (uint256 i = 0; i < tops.length; ++i) {
            Case storage c = cases.push();
            (c.leafCount, c.level, c.top) = (leafCounts[i], levels[i], tops[i]);
            for (uint256 k = 0; k < counts[i]; ++k) {
                c.indices.push(indices[next]);
                c.hashes.push(hashes[next++]);
            }
            for (uint256 k = 0; k < siblingCounts[i]; ++k) {
                c.siblings.push(siblings[nextSibling++]);
            }
        }
        tensorTypes = vm.parseJsonUintArray(json, ".tensorTypes");
        tensorLengths = vm.parseJsonUintArray(json, ".tensorLengths");
        tensorRoots = vm.parseJsonBytes32Array(json, ".tensorRoots");
    }

    function test_openingsLeadToTheTop() public view {
        assertGt(cases.length, 40);
        for (uint256 i = 0; i < cases.length; ++i) {
            Case memory c = cases[i];
            assertEq(calls.topOfMany(c.leafCount, c.level, c.indices, c.hashes, c.siblings), c.top);
            if (c.indices.length == 1) {
                assertEq(calls.topOfOne(c.leafCount, c.level, c.indices[0], c.hashes[0], c.siblings), c.top);
            }
        }
    }

    function test_wholeTreesHaveTheTop() public view {
        for (uint256 i = 0; i < cases.length; ++i) {
            Case memory c = cases[i];
            bytes32[] memory leaves = new bytes32[](c.leafCount);
            for (uint256 k = 0; k < c.leafCount; ++k) {
                leaves[k] = Merkle.leafOfRoot(bytes32(k));
            }
            if (c.level == 0) assertEq(leaves[c.indices[0]], c.hashes[0]);
            assertEq(calls.topOfLeaves(leaves), c.top);
        }
    }

    function test_forgedOpeningsAreRefused() public {
        for (uint256 i = 0; i < cases.length; ++i) {
            Case memory c = cases[i];
            if (c.siblings.length == 0) continue;
            c.siblings[i % c.siblings.length] ^= bytes32(uint256(1));
            assertNotEq(calls.topOfMany(c.leafCount, c.level, c.indices, c.hashes, c.siblings), c.top);
            c = cases[i];
            c.hashes[i % c.hashes.length] ^= bytes32(uint256(1));
            assertNotEq(calls.topOfMany(c.leafCount, c.level, c.indices, c.hashes, c.siblings), c.top);
            bytes32[] memory more = new bytes32[](c.siblings.length + 1);
            bytes32[] memory fewer = new bytes32[](c.siblings.length - 1);
            for (uint256 k = 0; k < c.siblings.length; ++k) {
                more[k] = c.siblings[k];
                if (k < fewer.length) fewer[k] = c.siblings[k];
            }
            vm.expectRevert(Merkle.InvalidSiblings.selector);
            calls.topOfMany(c.leafCount, c.level, c.indices, c.hashes, more);
            vm.expectRevert(Merkle.InvalidSiblings.selector);
            calls.topOfMany(c.leafCount, c.level, c.indices, c.hashes, fewer);
            if (c.indices.length > 1) {
                (c.indices[0], c.indices[1]) = (c.indices[1], c.indices[0]);
                vm.expectRevert(Merkle.InvalidIndices.selector);
                calls.topOfMany(c.leafCount, c.level, c.indices, c.hashes, c.siblings);
                c.indices[0] = c.indices[1];
                vm.expectRevert(Merkle.InvalidIndices.selector);
                calls.topOfMany(c.leafCount, c.level, c.indices, c.hashes, c.siblings);
            } else {
                c.indices[0] = Merkle.nodeCount(c.leafCount, c.level);
                vm.expectRevert(Merkle.InvalidIndices.selector);
                calls.topOfMany(c.leafCount, c.level, c.indices, c.hashes, c.siblings);
                vm.expectRevert(Merkle.InvalidIndices.selector);
                calls.topOfOne(c.leafCount, c.level, c.indices[0], c.hashes[0], c.siblings);
            }
        }
    }

    function test_paddingSlotGarbageIsRefused() public {
        bytes32[] memory children = new bytes32[](32);
        for (uint256 i = 0; i < 5; ++i) {
            children[i] = Merkle.leafOfRoot(bytes32(i));
        }
        bytes32[] memory leaves = new bytes32[](5);
        for (uint256 i = 0; i < 5; ++i) {
            leaves[i] = children[i];
        }
        assertEq(calls.nodeOfChildren(5, 1, 0, children), calls.topOfLeaves(leaves));
        // The same children under a tree of more leaves are a node of it as well; of fewer they are not.
        assertEq(calls.nodeOfChildren(37, 1, 1, children), calls.topOfLeaves(leaves));
        vm.expectRevert(Merkle.InvalidChildren.selector);
        calls.nodeOfChildren(36, 1, 1, children);
        vm.expectRevert(Merkle.InvalidChildren.selector);
        calls.nodeOfChildren(4, 1, 0, children);
        for (uint256 i = 5; i < 32; ++i) {
            children[i] = bytes32(uint256(1));
            vm.expectRevert(Merkle.InvalidChildren.selector);
            calls.nodeOfChildren(5, 1, 0, children);
            children[i] = 0;
        }
        vm.expectRevert(Merkle.InvalidIndices.selector);
        calls.nodeOfChildren(5, 1, 1, children);
        vm.expectRevert(Merkle.InvalidChildren.selector);
        calls.nodeOfChildren(5, 2, 0, children);
        vm.expectRevert(Merkle.InvalidChildren.selector);
        calls.nodeOfChildren(1, 1, 0, children);
        vm.expectRevert(Merkle.InvalidChildren.selector);
        calls.nodeOfChildren(5, 1, 0, new bytes32[](31));
    }

    function test_depthAndChunks() public pure {
        assertEq(Merkle.depth(1), 0);
        assertEq(Merkle.depth(2), 1);
        assertEq(Merkle.depth(32), 1);
        assertEq(Merkle.depth(33), 2);
        assertEq(Merkle.depth(1024), 2);
        assertEq(Merkle.depth(1025), 3);
        assertEq(Merkle.depth(1 << 20), 4);
        assertEq(Merkle.chunkCount(0), 1);
        assertEq(Merkle.chunkCount(512), 1);
        assertEq(Merkle.chunkCount(513), 2);
    }

    function test_chunkLengths() public {
        assertEq(calls.chunkLength(513, 0), 512);
        assertEq(calls.chunkLength(513, 1), 1);
        assertEq(calls.chunkLength(1024, 1), 512);
        assertEq(calls.chunkLength(0, 0), 0);
        vm.expectRevert(Merkle.InvalidIndices.selector);
        calls.chunkLength(1024, 2);
    }

    function test_leafPrefixesSeparateLeavesFromNodes() public view {
        bytes32 left = keccak256("left");
        bytes32 right = keccak256("right");
        assertNotEq(calls.leaf(abi.encodePacked(left, right)), Merkle.node(left, right));
        assertEq(Merkle.node(left, right), keccak256(abi.encodePacked(bytes1(0x01), left, right)));
        assertEq(Merkle.node(0, 0), bytes32(0));
        assertEq(calls.leaf(hex"0102"), Merkle.leafOfMemory(hex"0102"));
        assertEq(calls.leaf(abi.encodePacked(left)), Merkle.leafOfRoot(left));
    }

    function test_tensorRoots() public {
        for (uint256 i = 0; i < tensorRoots.length; ++i) {
            uint8 elementType = uint8(tensorTypes[i]);
            uint32 length = uint32(tensorLengths[i]);
            bytes memory data = new bytes(uint256(length) << elementType);
            for (uint256 k = 0; k < data.length; ++k) {
                data[k] = bytes1(uint8(k * 7 + (k >> 8)));
            }
            assertEq(calls.ofBytes(elementType, length, data), tensorRoots[i]);
            assertEq(calls.ofMemory(elementType, length, data), tensorRoots[i]);
            vm.expectRevert(TensorRoot.InvalidTensorBytes.selector);
            calls.ofBytes(elementType, length + 1, data);
        }
        vm.expectRevert(TensorRoot.InvalidElementType.selector);
        calls.ofBytes(3, 0, "");
        bytes32[] memory list = new bytes32[](2);
        (list[0], list[1]) = (keccak256("a"), keccak256("b"));
        assertEq(TensorRoot.ofList(list), keccak256(abi.encodePacked(bytes1(0x03), list[0], list[1])));
    }
}
