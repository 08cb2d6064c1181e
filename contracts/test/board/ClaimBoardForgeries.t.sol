// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Fault, IClaimBoard, NodeProof, Unit} from "../../src/interfaces/IClaimBoard.sol";
import {Merkle} from "../../src/libraries/Merkle.sol";
import {vm} from "../Assertions.sol";
import {AttackMoves} from "./AttackMoves.sol";
import {FlatTensor, FlatTensors} from "./FlatTensor.sol";
import {SmallTree} from "./SmallTree.sol";

/// @title Attacks with forged openings and trees.
contract ClaimBoardForgeriesTest is AttackMoves {
    using FlatTensors for FlatTensor;

    // With forged openings.

    function test_openingAtAWrongIndex() public {
        FlatTensor[] memory run = _run(3, 40);
        _disputed(CLAIM, run);
        Unit memory unit = _node(3, 0, 41);
        NodeProof memory proof = _nodeProof(run, _node(3, 0, 40));
        vm.expectRevert(IClaimBoard.NodeOpeningInvalid.selector);
        this.demandNode(unit, proof);
        proof = _nodeProof(run, _node(3, 1, 1));
        vm.expectRevert(IClaimBoard.NodeOpeningInvalid.selector);
        this.demandNode(_node(3, 1, 2), proof);
        // The record and root of another position.
        vm.expectRevert(IClaimBoard.RecordOpeningInvalid.selector);
        this.demandNode(_node(2, 1, 1), proof);
        proof.record = records[2];
        proof.recordSiblings = SmallTree.siblings(_recordLeaves(), 2);
        vm.expectRevert(IClaimBoard.RootOpeningInvalid.selector);
        this.demandNode(_node(2, 1, 1), proof);
        // A height that is not the node's: too many siblings.
        proof = _nodeProof(run, _node(3, 0, 1));
        vm.expectRevert(Merkle.InvalidSiblings.selector);
        this.demandNode(_node(3, 1, 1), proof);
        // The top with a hash that somebody made up.
        proof = _nodeProof(run, _node(3, 2, 0));
        proof.node = keccak256("made up");
        vm.expectRevert(IClaimBoard.NodeOpeningInvalid.selector);
        this.demandNode(_node(3, 2, 0), proof);
    }

    function test_Identity_faultWithForgedParts() public {
        FlatTensor[] memory run = _run(3, 40);
        _disputed(CLAIM, run);
        Fault memory good = _fault(run, 3, 40 * 512);
        Fault memory bad = _fault(run, 3, 40 * 512);
        bad.element += 512;
        _refused(bad, IClaimBoard.NodeOpeningInvalid.selector);
        bad = _fault(run, 3, 40 * 512);
        bad.leaf[1] ^= 0x01;
        _refused(bad, IClaimBoard.NodeOpeningInvalid.selector);
        bad = _fault(run, 3, 40 * 512);
        bad.leafSiblings[9] ^= bytes32(uint256(1));
        _refused(bad, IClaimBoard.NodeOpeningInvalid.selector);
        bad = _fault(run, 3, 40 * 512);
        bad.leaf = bytes.concat(bad.leaf, hex"00");
        _refused(bad, IClaimBoard.NodeOpeningInvalid.selector);
        bad = _fault(run, 3, 40 * 512);
        bad.record[2] = 0;
        _refused(bad, IClaimBoard.RecordOpeningInvalid.selector);
        bad = _fault(run, 3, 40 * 512);
        bad.record = bytes.concat(bad.record, hex"00");
        _refused(bad, IClaimBoard.RecordOpeningInvalid.selector);
        bad = _fault(run, 3, 40 * 512);
        (bad.roots[0], bad.roots[1]) = (bad.roots[1], bad.roots[0]);
        _refused(bad, IClaimBoard.RootOpeningInvalid.selector);
        bad = _fault(run, 3, 40 * 512);
        bad.roots = new bytes32[](3);
        _refused(bad, IClaimBoard.RootOpeningInvalid.selector);
        bad = _fault(run, 3, 40 * 512);
        bad.rootSiblings[0] ^= bytes32(uint256(1));
        _refused(bad, IClaimBoard.RootOpeningInvalid.selector);
        bad = _fault(run, 3, 40 * 512);
        bad.position = 5;
        _refused(bad, IClaimBoard.RecordOpeningInvalid.selector);
        bad = _fault(run, 3, 40 * 512);
        bad.element = 40_000;
        _refused(bad, IClaimBoard.UnitInvalid.selector);
        // Inputs are nobody's step.
        bad = _fault(run, 1, 0);
        bad.position = 0;
        bad.record = records[0];
        bad.recordSiblings = SmallTree.siblings(_recordLeaves(), 0);
        _refused(bad, IClaimBoard.UnitInvalid.selector);
        _commit(challenger, CLAIM, good);
        vm.roll(vm.getBlockNumber() + 1);
        _prove(challenger, CLAIM, good);
    }

    /// CanonicalEncoding: a tree that hides something in a place that no tensor has. Nobody can open it honestly, the prover not
    /// either: its answer cannot be accepted, so its silence convicts it.
    function test_paddingSlotGarbage() public {
        _useModel(3, 0, 600, "");
        bytes32[] memory children = new bytes32[](6);
        (children[0], children[1]) = (_base().hashAt(0, 0), _base().hashAt(0, 1));
        children[5] = keccak256("garbage");
        bytes memory posted =
            abi.encodePacked(children[0], children[1], bytes32(0), bytes32(0), bytes32(0), children[5]);
        _convictUnanswerable(SmallTree.top(children), 1, posted, abi.encodePacked(children[0], children[1]));
    }

    /// CanonicalEncoding: leaves of other sizes than the tensor's length makes.
    function test_nonCanonicalLeaves() public {
        _useModel(3, 0, 300, "");
        bytes memory longer = new bytes(301);
        _convictUnanswerable(FlatTensors.leafHash(longer), 0, longer, new bytes(300));
    }

    /// A leaf whose bytes are a node's two hashes: leaves and nodes hash under different prefixes, so it opens nothing.
    function test_secondPreimageLeaf() public {
        _useModel(3, 0, 64, "");
        bytes memory twoHashes = abi.encodePacked(keccak256("left"), keccak256("right"));
        bytes32 asNode = keccak256(abi.encodePacked(bytes1(0x01), twoHashes));
        _convictUnanswerable(asNode, 0, twoHashes, bytes.concat(hex"01", twoHashes));
    }

    /// A tensor root of another type or length in the trace.
    function test_CanonicalEncoding_rootOfAnotherShape() public {
        _useModel(3, 0, 300, "");
        FlatTensor[] memory run = _right();
        bytes32[] memory roots = _roots(run);
        FlatTensor memory shorter = _base();
        shorter.length = 299;
        roots[1] = shorter.root();
        _postCrafted(roots);
        Unit memory unit = _node(1, 0, 0);
        _demandCrafted(roots, unit);
        vm.expectRevert(IClaimBoard.AnswerInvalid.selector);
        this.answer(unit, shorter.leafAt(0));
        vm.expectRevert(IClaimBoard.AnswerInvalid.selector);
        this.answer(unit, _base().leafAt(0));
        skip(RESPONSE + 1);
        board.expire(address(source), CLAIM, unit);
        assertEq(source.faults(CLAIM), 1);
    }

    /// @dev Posts a trace whose middle tensor has a crafted top; neither byte string answers the demand of it.
    function _convictUnanswerable(bytes32 top, uint256 height, bytes memory posted, bytes memory honest) private {
        bytes32[] memory roots = _roots(_right());
        roots[1] = keccak256(abi.encodePacked(bytes1(0x02), elementType, length, top));
        _postCrafted(roots);
        Unit memory unit = _node(1, height, 0);
        _demandCrafted(roots, unit);
        vm.expectRevert(IClaimBoard.AnswerInvalid.selector);
        this.answer(unit, posted);
        vm.expectRevert(IClaimBoard.AnswerInvalid.selector);
        this.answer(unit, honest);
        skip(RESPONSE + 1);
        board.expire(address(source), CLAIM, unit);
        assertEq(source.faults(CLAIM), 1);
    }

    function _postCrafted(bytes32[] memory roots) private {
        _open(CLAIM, _right());
        _demand(challenger, CLAIM, _rootsUnit());
        vm.prank(proverKey);
        board.answerRoots(address(source), CLAIM, roots);
    }

    function _demandCrafted(bytes32[] memory roots, Unit memory unit) private {
        NodeProof memory proof;
        proof.record = records[unit.position];
        proof.recordSiblings = SmallTree.siblings(_recordLeaves(), unit.position);
        proof.tensorRoot = roots[unit.position];
        proof.rootSiblings = SmallTree.siblings(SmallTree.hashed(roots), unit.position);
        vm.prank(challenger);
        board.demandNode{value: 1 ether}(address(source), CLAIM, unit, proof);
    }

    function _refused(Fault memory fault, bytes4 selector) private {
        _commit(challenger, CLAIM, fault);
        vm.roll(vm.getBlockNumber() + 1);
        vm.expectPartialRevert(selector);
        this.prove(challenger, fault);
    }
}
