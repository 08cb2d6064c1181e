// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {DisputeGas} from "../../src/board/DisputeGas.sol";
import {Answer, Fault, IClaimBoard, Unit, UnitKind} from "../../src/interfaces/IClaimBoard.sol";
import {ClaimView} from "../../src/interfaces/IClaimSource.sol";
import {vm} from "../Assertions.sol";
import {AttackMoves} from "./AttackMoves.sol";
import {FlatTensor, FlatTensors} from "./FlatTensor.sol";

/// @notice Each test is an attack by name, and what becomes of it.
contract ClaimBoardAttacksTest is AttackMoves {
    using FlatTensors for FlatTensor;

    // Against the finder.

    /// Who copies a proof from the mempool cannot reveal it, and copying the commitment hinders nobody.
    function test_FinderKeepsReward_stealAFraudProofFromTheMempool() public {
        FlatTensor[] memory run = _run(3, 40);
        _disputed(CLAIM, run);
        Fault memory fault = _fault(run, 3, 40 * 512);
        bytes memory call = abi.encodeCall(board.proveFault, (address(source), CLAIM, fault, bytes32("salt")));
        bytes32 commitment = keccak256(abi.encodePacked(challenger, call));
        // The thief front-runs the commitment itself.
        vm.prank(friend);
        board.commitFault(commitment);
        vm.prank(challenger);
        board.commitFault(commitment);
        vm.roll(vm.getBlockNumber() + 1);
        // The thief sees the reveal and sends the same call first, then with a commitment of its own in the same block.
        vm.expectPartialRevert(IClaimBoard.NotCommitted.selector);
        this.prove(friend, fault);
        _commit(friend, CLAIM, fault);
        vm.expectRevert(IClaimBoard.CommitmentTooLate.selector);
        this.prove(friend, fault);
        _prove(challenger, CLAIM, fault);
        assertEq(source.paidTo(CLAIM, friend), 0);
        assertGt(source.paidTo(CLAIM, challenger), 0);
    }

    /// A commitment is to one call: it opens no other fault, claim, or salt.
    function test_commitmentToSomethingElse() public {
        FlatTensor[] memory run = _run(3, 40);
        _disputed(CLAIM, run);
        _disputed(OTHER, run);
        Fault memory fault = _fault(run, 3, 40 * 512);
        _commit(challenger, OTHER, fault);
        vm.roll(vm.getBlockNumber() + 1);
        vm.expectPartialRevert(IClaimBoard.NotCommitted.selector);
        this.prove(challenger, fault);
    }

    /// A friend of the prover disputes first, answers come at once, and the friend stops: the claim is as open as before.
    function test_shamDisputeByAFriend() public {
        FlatTensor[] memory run = _run(3, 40);
        _open(CLAIM, run);
        _demand(friend, CLAIM, _rootsUnit());
        _postRoots(CLAIM, run);
        _demandNode(friend, CLAIM, run, _node(3, 2, 0));
        // A sham fault, on a right element.
        Fault memory sham = _fault(run, 4, 0);
        _commit(friend, CLAIM, sham);
        vm.roll(vm.getBlockNumber() + 1);
        vm.expectPartialRevert(IClaimBoard.NoFault.selector);
        this.prove(friend, sham);
        _convict(CLAIM, run, 3, 40 * 512);
        assertEq(source.faults(CLAIM), 1);
    }

    /// A friend demands first what the challenger is about to demand, as late as it can: no level ends earlier for it.
    function test_friendDemandsFirst() public {
        FlatTensor[] memory run = _run(3, 40);
        _open(CLAIM, run);
        skip(WINDOW);
        _demand(friend, CLAIM, _rootsUnit());
        // The challenger's own demand in the same block takes nothing and costs nothing.
        uint256 price = board.priceOf(modelId, _rootsUnit());
        vm.prank(challenger);
        board.demand{value: price}(address(source), CLAIM, _list(_rootsUnit()));
        assertEq(board.creditOf(challenger), price);
        skip(RESPONSE + 1);
        board.expire(address(source), CLAIM, _rootsUnit());
        assertEq(source.faults(CLAIM), 1);
    }

    // By withholding.

    function test_withheldParameterRow() public {
        _open(CLAIM, _right());
        Unit memory unit = _top(UnitKind.ParameterLeaf, LEARNED, 1);
        _demand(challenger, CLAIM, unit);
        // Another row's leaf, however well opened, is no answer.
        bytes memory other = _data(_right(), _top(UnitKind.ParameterLeaf, LEARNED, 0));
        vm.expectRevert(IClaimBoard.AnswerInvalid.selector);
        this.answer(unit, other);
        // Nor is the record alone, which says that the row exists.
        vm.expectRevert(IClaimBoard.AnswerInvalid.selector);
        this.answer(unit, _data(_right(), _top(UnitKind.InstructionRecord, LEARNED, 0)));
        skip(RESPONSE + 1);
        board.expire(address(source), CLAIM, unit);
        assertEq(source.faults(CLAIM), 1);
    }

    /// Every answer in its last second delays no more than the constant, and the fault is proven before it.
    function test_stalling() public {
        FlatTensor[] memory run = _run(2, 78);
        _open(CLAIM, run);
        uint256 finalAt = nowTime() + WINDOW + 5 * (RESPONSE + REACTION) + 2 * REACTION;
        _demand(challenger, CLAIM, _rootsUnit());
        skip(RESPONSE);
        _postRoots(CLAIM, run);
        for (uint256 height = 3; height > 0; --height) {
            Unit memory unit = _node(2, height - 1, uint256(78) >> (5 * (height - 1)));
            _demandNode(challenger, CLAIM, run, unit);
            skip(RESPONSE);
            _answer(proverKey, CLAIM, unit, _data(run, unit));
        }
        _convict(CLAIM, run, 2, 78 * 512);
        assertLt(nowTime(), finalAt);
    }

    function test_lateAnswer() public {
        FlatTensor[] memory run = _run(3, 40);
        bytes32[] memory roots = _roots(run);
        _open(CLAIM, run);
        _demand(challenger, CLAIM, _rootsUnit());
        uint256 deadline = nowTime() + RESPONSE;
        skip(RESPONSE + 1);
        vm.prank(proverKey);
        vm.expectRevert(abi.encodeWithSelector(IClaimBoard.AnswerLate.selector, deadline));
        board.answerRoots(address(source), CLAIM, roots);
        board.expire(address(source), CLAIM, _rootsUnit());
        assertEq(source.faults(CLAIM), 1);
    }

    /// A demand in a level's last second leaves the prover its whole time, and the challenger's reaction after it.
    function test_demandInALevelsLastBlock() public {
        FlatTensor[] memory run = _right();
        _open(CLAIM, run);
        uint256 start = nowTime();
        _demand(friend, CLAIM, _rootsUnit());
        _postRoots(CLAIM, run);
        vm.warp(start + WINDOW + 4 * (RESPONSE + REACTION));
        Unit memory leaf = _node(3, 0, 40);
        _demandNode(friend, CLAIM, run, leaf);
        skip(RESPONSE);
        vm.expectPartialRevert(IClaimBoard.NotExpired.selector);
        board.expire(address(source), CLAIM, leaf);
        _answer(proverKey, CLAIM, leaf, _data(run, leaf));
        uint256 finalAt = board.disputeOf(address(source), CLAIM).finalAt;
        // A reaction to commit in, and another before the end of reveals.
        assertEq(nowTime() + 3 * REACTION, finalAt);
        vm.warp(finalAt + 1);
        assertTrue(board.isFinal(address(source), CLAIM));
    }

    // Against the prover.

    /// HarassmentPays: many claims demanded in one block are answered in one batch, and every demand is income.
    function test_demandSpamOverManyClaimsInABlock() public {
        FlatTensor[] memory run = _right();
        uint256 claims = 40;
        Unit memory unit = _top(UnitKind.InputLeaf, 0, 5);
        bytes memory data = _data(run, unit);
        Answer[] memory answers = new Answer[](claims);
        uint256 spent = friend.balance;
        for (uint256 i = 0; i < claims; ++i) {
            bytes32 id = bytes32(i + 1);
            _open(id, run);
            _demand(friend, id, unit);
            answers[i] = Answer(address(source), id, unit, data);
        }
        spent -= friend.balance;
        skip(RESPONSE);
        vm.prank(proverKey);
        board.answer(answers);
        assertEq(board.creditOf(prover), claims * FEE * DisputeGas.answerGas(unit.kind, count));
        assertEq(board.creditOf(prover) + board.creditOf(friend), spent);
        for (uint256 i = 0; i < claims; ++i) {
            assertEq(board.disputeOf(address(source), bytes32(i + 1)).unanswered, 0);
        }
        skip(30 days);
        assertTrue(board.isFinal(address(source), bytes32(claims)));
    }

    /// Somebody else answers one demand of a batch first: the rest of the batch still arrives.
    function test_frontRunAnswerDoesNotStopABatch() public {
        FlatTensor[] memory run = _right();
        _open(CLAIM, run);
        Answer[] memory answers = new Answer[](2);
        for (uint256 i = 0; i < 2; ++i) {
            Unit memory unit = _top(UnitKind.InputLeaf, 0, i);
            _demand(friend, CLAIM, unit);
            answers[i] = Answer(address(source), CLAIM, unit, _data(run, unit));
        }
        _answer(friend, CLAIM, answers[0].unit, answers[0].data);
        vm.prank(proverKey);
        board.answer(answers);
        assertEq(board.disputeOf(address(source), CLAIM).unanswered, 0);
    }

    /// HonestSafety: a right claim whose demands are answered meets every challenge there is.
    function test_HonestSafety(uint256 seed) public {
        FlatTensor[] memory run = _right();
        _open(CLAIM, run);
        _demand(friend, CLAIM, _rootsUnit());
        _postRoots(CLAIM, run);
        for (uint256 i = 0; i < 6; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            uint256 height = seed % 3;
            Unit memory unit = _node((seed >> 8) % 5, height, (seed >> 16) % (height == 0 ? 79 : height == 1 ? 3 : 1));
            uint256 unanswered = board.disputeOf(address(source), CLAIM).unanswered;
            _demandNode(friend, CLAIM, run, unit);
            if (board.disputeOf(address(source), CLAIM).unanswered == unanswered) continue;
            _answer(proverKey, CLAIM, unit, _data(run, unit));
        }
        Fault memory fault = _fault(run, 1 + seed % 4, (seed >> 32) % 40_000);
        _commit(friend, CLAIM, fault);
        vm.roll(vm.getBlockNumber() + 1);
        vm.expectPartialRevert(IClaimBoard.NoFault.selector);
        this.prove(friend, fault);
        vm.warp(board.disputeOf(address(source), CLAIM).finalAt + 1);
        assertTrue(board.isFinal(address(source), CLAIM));
    }

    /// Who censors an honest prover for the whole response time gets its own demand back and a bounded reward: a quarter of the
    /// lock at most, and no more than two of the dearest disputes above its costs.
    function test_censoredProverRewardIsBounded(uint128 coverage) public {
        coverage = uint128(bound(coverage, board.minimumCoverage(modelId), type(uint128).max));
        ClaimView memory claim = _claimOf(_right());
        claim.coverage = coverage;
        source.open(CLAIM, claim);
        _demand(friend, CLAIM, _rootsUnit());
        skip(RESPONSE + 1);
        board.expire(address(source), CLAIM, _rootsUnit());
        uint256 most = FEE * (2 * board.worstDisputeGas(modelId) + DisputeGas.demandGas(UnitKind.TensorRoots));
        assertEq(source.paidTo(CLAIM, friend), most);
        assertLe(source.paid(CLAIM), coverage / 4);
    }

    /// A prover that slashes itself through friends burns at least three quarters of the lock, less the customer's share.
    function test_selfSlashWithACoalition() public {
        FlatTensor[] memory run = _run(3, 40);
        _open(CLAIM, run);
        vm.fee(100 gwei);
        _demand(friend, CLAIM, _rootsUnit());
        _postRoots(CLAIM, run);
        Fault memory fault = _fault(run, 3, 40 * 512);
        _commit(friend, CLAIM, fault);
        vm.roll(vm.getBlockNumber() + 1);
        _prove(friend, CLAIM, fault);
        assertLe(source.paid(CLAIM), COVERAGE / 4);
    }
}
