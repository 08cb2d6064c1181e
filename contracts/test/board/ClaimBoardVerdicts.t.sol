// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Fault, IClaimBoard, Unit} from "../../src/interfaces/IClaimBoard.sol";
import {vm} from "../Assertions.sol";
import {BoardMoves} from "./BoardMoves.sol";
import {FlatTensor, FlatTensors} from "./FlatTensor.sol";

/// @title Verdicts and finality.
contract ClaimBoardVerdictsTest is BoardMoves {
    using FlatTensors for FlatTensor;

    // Verdicts.

    function test_expireAfterTheDeadlineAndNotBefore() public {
        _open(CLAIM, _right());
        Unit memory unit = _rootsUnit();
        vm.expectPartialRevert(IClaimBoard.NotDemanded.selector);
        board.expire(address(source), CLAIM, unit);
        _demand(challenger, CLAIM, unit);
        skip(RESPONSE);
        vm.expectRevert(abi.encodeWithSelector(IClaimBoard.NotExpired.selector, nowTime()));
        board.expire(address(source), CLAIM, unit);
        skip(1);
        vm.prank(friend);
        board.expire(address(source), CLAIM, unit);
        assertEq(source.faults(CLAIM), 1);
        // Whoever paid for the demand earns, not whoever says that it expired.
        assertEq(source.paidTo(CLAIM, friend), 0);
        assertEq(source.paidTo(CLAIM, challenger), source.paid(CLAIM));
        vm.expectRevert(abi.encodeWithSelector(IClaimBoard.ClaimFaulted.selector, address(source), CLAIM));
        board.expire(address(source), CLAIM, unit);
    }

    function test_rightElementIsNoFault() public {
        FlatTensor[] memory run = _run(3, 40);
        _disputed(CLAIM, run);
        Fault memory fault = _fault(run, 3, 40 * 512 + 1);
        _commit(challenger, CLAIM, fault);
        vm.roll(vm.getBlockNumber() + 1);
        vm.expectRevert(abi.encodeWithSelector(IClaimBoard.NoFault.selector, int256(7)));
        this.proveAny(challenger, fault);
        fault = _fault(run, 4, 40 * 512);
        _commit(challenger, CLAIM, fault);
        vm.roll(vm.getBlockNumber() + 1);
        vm.expectRevert(abi.encodeWithSelector(IClaimBoard.NoFault.selector, int256(0xf8)));
        this.proveAny(challenger, fault);
    }

    function test_commitmentsOfThisBlockOrTooLateDoNotCount() public {
        FlatTensor[] memory run = _run(3, 40);
        _disputed(CLAIM, run);
        Fault memory fault = _fault(run, 3, 40 * 512);
        _commit(challenger, CLAIM, fault);
        vm.expectRevert(IClaimBoard.CommitmentTooLate.selector);
        this.proveAny(challenger, fault);
        uint256 finalAt = board.disputeOf(address(source), CLAIM).finalAt;
        assertEq(finalAt, nowTime() + WINDOW + 5 * ROUND + 2 * REACTION);
        vm.warp(finalAt - REACTION + 1);
        _commit(friend, CLAIM, fault);
        vm.roll(vm.getBlockNumber() + 1);
        vm.expectRevert(IClaimBoard.CommitmentTooLate.selector);
        this.proveAny(friend, fault);
        vm.warp(finalAt + 1);
        vm.expectRevert(abi.encodeWithSelector(IClaimBoard.ClaimFinal.selector, address(source), CLAIM));
        this.proveAny(challenger, fault);
        vm.warp(finalAt);
        this.proveAny(challenger, fault);
        assertEq(source.faults(CLAIM), 1);
    }

    function test_lastCommitmentInTime() public {
        FlatTensor[] memory run = _run(3, 40);
        _disputed(CLAIM, run);
        Fault memory fault = _fault(run, 3, 40 * 512);
        vm.warp(board.disputeOf(address(source), CLAIM).finalAt - REACTION);
        _commit(challenger, CLAIM, fault);
        vm.roll(vm.getBlockNumber() + 1);
        this.proveAny(challenger, fault);
        assertEq(source.faults(CLAIM), 1);
    }

    // Finality.

    function test_BoundedTime() public {
        bytes32 other = keccak256("other");
        assertFalse(board.isFinal(address(source), CLAIM));
        FlatTensor[] memory run = _right();
        _open(CLAIM, run);
        _open(other, run);
        uint256 start = nowTime();
        vm.warp(start + WINDOW);
        assertFalse(board.isFinal(address(source), other));
        _demand(friend, CLAIM, _rootsUnit());
        vm.warp(start + WINDOW + 1);
        assertTrue(board.isFinal(address(source), other));
        assertTrue(board.isFinalSince(address(source), other, uint64(start)));
        _postRoots(CLAIM, run);
        uint256 finalAt = start + WINDOW + 5 * ROUND + 2 * REACTION;
        assertEq(board.disputeOf(address(source), CLAIM).finalAt, finalAt);
        // Demands to the last level, each at its last second, move nothing.
        for (uint256 height = 3; height > 0; --height) {
            vm.warp(start + WINDOW + (5 - height) * ROUND);
            Unit memory unit = _node(4, height - 1, 0);
            _demandNode(friend, CLAIM, run, unit);
            skip(RESPONSE);
            _answer(proverKey, CLAIM, unit, _data(run, unit));
        }
        assertEq(board.disputeOf(address(source), CLAIM).finalAt, finalAt);
        vm.warp(finalAt);
        assertFalse(board.isFinal(address(source), CLAIM));
        vm.warp(finalAt + 1);
        assertTrue(board.isFinal(address(source), CLAIM));
        source.end(CLAIM);
        assertFalse(board.isFinal(address(source), CLAIM));
    }

    function test_nothingIsFinalWhileADemandWaits() public {
        _open(CLAIM, _right());
        _demand(challenger, CLAIM, _rootsUnit());
        skip(365 days);
        assertFalse(board.isFinal(address(source), CLAIM));
        board.expire(address(source), CLAIM, _rootsUnit());
        assertFalse(board.isFinal(address(source), CLAIM));
        assertFalse(board.isFinalSince(address(source), CLAIM, 0));
    }

    function test_claimsThatAreNotOpenTakeNoMoves() public {
        vm.expectRevert(abi.encodeWithSelector(IClaimBoard.ClaimNotOpen.selector, address(source), CLAIM));
        this.demandAny(challenger, CLAIM, _right(), _rootsUnit());
        FlatTensor[] memory run = _run(3, 40);
        _disputed(CLAIM, run);
        source.end(CLAIM);
        vm.expectRevert(abi.encodeWithSelector(IClaimBoard.ClaimNotOpen.selector, address(source), CLAIM));
        this.demandAny(challenger, CLAIM, run, _node(3, 2, 0));
        vm.expectRevert(abi.encodeWithSelector(IClaimBoard.ClaimNotOpen.selector, address(source), CLAIM));
        this.proveAny(challenger, _fault(run, 3, 40 * 512));
        vm.expectRevert(abi.encodeWithSelector(IClaimBoard.ClaimNotOpen.selector, address(source), CLAIM));
        board.expire(address(source), CLAIM, _rootsUnit());
    }
}
