// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {
    DemandStatus,
    DemandView,
    Fault,
    IClaimBoard,
    NodeProof,
    Phase,
    Unit,
    UnitKind
} from "../../src/interfaces/IClaimBoard.sol";
import {vm} from "../Assertions.sol";
import {BoardMoves} from "./BoardMoves.sol";
import {FlatTensor, FlatTensors} from "./FlatTensor.sol";

/// @notice The moves of the board, one by one, each at its bounds.
contract ClaimBoardTest is BoardMoves {
    using FlatTensors for FlatTensor;

    function test_wrongElementIsSlashed() public {
        FlatTensor[] memory run = _run(3, 40);
        _disputed(CLAIM, run);
        _convict(CLAIM, run, 3, 40 * 512);
        assertEq(source.faults(CLAIM), 1);
        assertEq(uint256(board.disputeOf(address(source), CLAIM).phase), uint256(Phase.Faulted));
        assertGt(source.paidTo(CLAIM, challenger), 0);
    }

    /// The disputed tensor is the output itself, of every element type.
    function test_wrongOutputIsSlashed() public {
        for (uint8 type_ = 0; type_ < 3; ++type_) {
            bytes32 id = keccak256(abi.encode(type_));
            _useModel(3, type_, 1000, "");
            FlatTensor[] memory run = _run(2, 1);
            _disputed(id, run);
            _convict(id, run, 2, 512 >> type_);
            assertEq(source.faults(id), 1);
        }
    }

    /// Detectability: every level taken in its last second, every answer in its last second.
    function test_everythingWithheldUntilTheLastMoment() public {
        FlatTensor[] memory run = _run(2, 78);
        _open(CLAIM, run);
        skip(WINDOW);
        _demand(challenger, CLAIM, _rootsUnit());
        skip(RESPONSE);
        _postRoots(CLAIM, run);
        uint256[3] memory indices = [uint256(0), 2, 78];
        for (uint256 i = 0; i < 3; ++i) {
            skip(REACTION);
            Unit memory unit = _node(2, 2 - i, indices[i]);
            _demandNode(challenger, CLAIM, run, unit);
            skip(RESPONSE);
            _answer(friend, CLAIM, unit, _data(run, unit));
        }
        Fault memory fault = _fault(run, 2, 78 * 512);
        skip(REACTION);
        _commit(challenger, CLAIM, fault);
        skip(REACTION);
        _prove(challenger, CLAIM, fault);
        assertEq(source.faults(CLAIM), 1);
    }

    // Demands.

    function test_demandEscrowsThePriceAndCreditsTheRest() public {
        _open(CLAIM, _right());
        Unit memory unit = _rootsUnit();
        uint256 price = board.priceOf(modelId, unit);
        vm.prank(challenger);
        vm.expectRevert(abi.encodeWithSelector(IClaimBoard.EscrowTooLow.selector, price, price - 1));
        board.demand{value: price - 1}(address(source), CLAIM, _list(unit));
        vm.prank(challenger);
        board.demand{value: price + 5}(address(source), CLAIM, _list(unit));
        assertEq(board.creditOf(challenger), 5);
        DemandView memory placed = board.demandOf(address(source), CLAIM, unit);
        assertEq(uint256(placed.status), uint256(DemandStatus.Open));
        assertEq(placed.payer, challenger);
        assertEq(placed.deadline, nowTime() + RESPONSE);
        assertEq(placed.feePerGas, FEE);
    }

    function test_creditPaysForDemands() public {
        _open(CLAIM, _right());
        uint256 price = board.priceOf(modelId, _rootsUnit());
        vm.prank(challenger);
        board.demand{value: price}(address(source), CLAIM, new Unit[](0));
        assertEq(board.creditOf(challenger), price);
        vm.prank(challenger);
        board.demand(address(source), CLAIM, _list(_rootsUnit()));
        assertEq(board.creditOf(challenger), 0);
    }

    /// A demand of nothing does not start a dispute, so it delays nothing.
    function test_emptyDemandStartsNothing() public {
        _open(CLAIM, _right());
        vm.prank(friend);
        board.demand(address(source), CLAIM, new Unit[](0));
        assertEq(uint256(board.disputeOf(address(source), CLAIM).phase), uint256(Phase.Quiet));
        skip(WINDOW + 1);
        assertTrue(board.isFinal(address(source), CLAIM));
    }

    function test_OneDemandPerUnit() public {
        _open(CLAIM, _right());
        _demand(friend, CLAIM, _rootsUnit());
        Unit[] memory units = new Unit[](2);
        (units[0], units[1]) = (_rootsUnit(), _top(UnitKind.InputLeaf, 0, 7));
        uint256 price = board.priceOf(modelId, units[1]);
        skip(10);
        vm.prank(challenger);
        board.demand{value: price}(address(source), CLAIM, units);
        assertEq(board.demandOf(address(source), CLAIM, units[0]).payer, friend);
        assertEq(board.demandOf(address(source), CLAIM, units[0]).deadline, nowTime() - 10 + RESPONSE);
        assertEq(board.disputeOf(address(source), CLAIM).unanswered, 2);
        assertEq(board.creditOf(challenger), 0);
    }

    function test_demandLevelsCloseAtTheirSecond() public {
        FlatTensor[] memory run = _run(2, 3);
        _open(CLAIM, run);
        _demand(challenger, CLAIM, _rootsUnit());
        _postRoots(CLAIM, run);
        uint256 start = nowTime();
        Unit[3] memory units = [_top(UnitKind.InputLeaf, 0, 0), _node(2, 2, 0), _node(2, 1, 0)];
        for (uint256 i = 0; i < 3; ++i) {
            uint256 level = i == 0 ? 0 : i + 1;
            assertEq(board.levelOf(units[i]), level);
            uint256 until = start + WINDOW + level * ROUND;
            vm.warp(until + 1);
            vm.expectRevert(abi.encodeWithSelector(IClaimBoard.LevelClosed.selector, level, until));
            this.demandAny(challenger, CLAIM, run, units[i]);
            vm.warp(until);
            this.demandAny(challenger, CLAIM, run, units[i]);
        }
    }

    function test_firstDemandWithinTheWindowOnly() public {
        _open(CLAIM, _right());
        skip(WINDOW + 1);
        vm.expectRevert(abi.encodeWithSelector(IClaimBoard.ClaimFinal.selector, address(source), CLAIM));
        this.demandAny(challenger, CLAIM, _right(), _rootsUnit());
        vm.warp(nowTime() - 1);
        this.demandAny(challenger, CLAIM, _right(), _rootsUnit());
    }

    function test_unitsThatDoNotExistAreRefused() public {
        FlatTensor[] memory run = _right();
        _open(CLAIM, run);
        _demand(challenger, CLAIM, _rootsUnit());
        _postRoots(CLAIM, run);
        Unit[14] memory units = [
            _top(UnitKind.InputLeaf, 0, 79),
            _top(UnitKind.InputLeaf, 1, 0),
            _top(UnitKind.InstructionRecord, 5, 0),
            _top(UnitKind.InstructionRecord, 0, 1),
            _top(UnitKind.ParameterLeaf, 5, 0),
            _top(UnitKind.ParameterLeaf, 0, 1024),
            _top(UnitKind.TensorRoots, 1, 0),
            _top(UnitKind.TensorRoots, 0, 1),
            _node(2, 1, 3),
            _node(2, 3, 0),
            _node(2, 0, 79),
            _node(2, 2, 1),
            _node(2, 1, 0),
            _node(2, 0, 0)
        ];
        units[12].length = 40_001;
        units[13].elementType = 1;
        for (uint256 i = 0; i < units.length; ++i) {
            vm.expectPartialRevert(IClaimBoard.UnitInvalid.selector);
            this.demandAny(challenger, CLAIM, run, units[i]);
        }
        Unit memory spelled = _top(UnitKind.InputLeaf, 0, 0);
        spelled.height = 1;
        vm.expectRevert(IClaimBoard.UnitInvalid.selector);
        this.demandAny(challenger, CLAIM, run, spelled);
        spelled = _top(UnitKind.InputLeaf, 0, 0);
        spelled.length = 1;
        vm.expectRevert(IClaimBoard.UnitInvalid.selector);
        this.demandAny(challenger, CLAIM, run, spelled);
        // A leaf in a node's dress, and the other way round.
        spelled = _node(2, 1, 0);
        spelled.kind = UnitKind.TensorLeaf;
        vm.expectRevert(IClaimBoard.UnitInvalid.selector);
        this.demandAny(challenger, CLAIM, run, spelled);
        spelled = _node(2, 0, 0);
        spelled.kind = UnitKind.NodeChildren;
        vm.expectRevert(IClaimBoard.UnitInvalid.selector);
        this.demandAny(challenger, CLAIM, run, spelled);
    }

    function test_eachDemandFunctionTakesItsOwnKinds() public {
        FlatTensor[] memory run = _right();
        _open(CLAIM, run);
        _demand(challenger, CLAIM, _rootsUnit());
        _postRoots(CLAIM, run);
        vm.expectRevert(abi.encodeWithSelector(IClaimBoard.WrongDemand.selector, UnitKind.NodeChildren));
        board.demand(address(source), CLAIM, _list(_node(2, 2, 0)));
        NodeProof memory proof = _nodeProof(run, _node(2, 2, 0));
        vm.expectRevert(abi.encodeWithSelector(IClaimBoard.WrongDemand.selector, UnitKind.TensorRoots));
        board.demandNode(address(source), CLAIM, _rootsUnit(), proof);
    }

    function test_nodesNeedPostedRoots() public {
        FlatTensor[] memory run = _right();
        _open(CLAIM, run);
        vm.expectRevert(IClaimBoard.RootsNotPosted.selector);
        this.demandAny(challenger, CLAIM, run, _node(2, 2, 0));
    }

    // Answers.

    function test_answersOfEveryKind() public {
        FlatTensor[] memory run = _run(2, 3);
        _open(CLAIM, run);
        Unit[7] memory units = [
            _top(UnitKind.InputLeaf, 0, 78),
            _top(UnitKind.InstructionRecord, 4, 0),
            _top(UnitKind.ParameterLeaf, 1, 1),
            _top(UnitKind.ParameterLeaf, 2, 0),
            _node(2, 2, 0),
            _node(2, 1, 2),
            _node(2, 0, 3)
        ];
        _demand(challenger, CLAIM, _rootsUnit());
        _postRoots(CLAIM, run);
        for (uint256 i = 0; i < units.length; ++i) {
            this.demandAny(challenger, CLAIM, run, units[i]);
            bytes memory data = _data(run, units[i]);
            _refusesEverythingElse(units[i], data);
            _answer(friend, CLAIM, units[i], data);
            assertEq(uint256(board.demandOf(address(source), CLAIM, units[i]).status), uint256(DemandStatus.Answered));
        }
        assertEq(board.disputeOf(address(source), CLAIM).unanswered, 0);
        assertGt(board.creditOf(prover), 0);
        assertEq(board.creditOf(friend), 0);
    }

    /// CanonicalEncoding: one byte more, one less, any byte changed: no answer.
    function _refusesEverythingElse(Unit memory unit, bytes memory data) private {
        vm.expectRevert();
        this.answerAny(unit, bytes.concat(data, hex"00"));
        bytes memory shorter = bytes.concat(data);
        assembly {
            mstore(shorter, sub(mload(shorter), 1))
        }
        vm.expectRevert();
        this.answerAny(unit, shorter);
        vm.expectRevert();
        this.answerAny(unit, "");
        for (uint256 i = 0; i < data.length; i += 61) {
            bytes memory changed = bytes.concat(data);
            changed[i] ^= 0x01;
            vm.expectRevert();
            this.answerAny(unit, changed);
        }
    }

    function test_answerAtTheDeadlineAndNotAfter() public {
        FlatTensor[] memory run = _right();
        _open(CLAIM, run);
        Unit memory unit = _top(UnitKind.InputLeaf, 0, 0);
        _demand(challenger, CLAIM, unit);
        uint256 deadline = nowTime() + RESPONSE;
        vm.warp(deadline + 1);
        vm.expectRevert(abi.encodeWithSelector(IClaimBoard.AnswerLate.selector, deadline));
        this.answerAny(unit, _data(run, unit));
        vm.warp(deadline);
        this.answerAny(unit, _data(run, unit));
    }

    function test_secondAnswerChangesNothing() public {
        FlatTensor[] memory run = _right();
        _open(CLAIM, run);
        Unit memory unit = _top(UnitKind.InputLeaf, 0, 0);
        vm.expectPartialRevert(IClaimBoard.NotDemanded.selector);
        this.answerAny(unit, _data(run, unit));
        _demand(challenger, CLAIM, unit);
        this.answerAny(unit, _data(run, unit));
        uint256 credit = board.creditOf(prover);
        this.answerAny(unit, _data(run, unit));
        this.answerAny(unit, "anything");
        assertEq(board.creditOf(prover), credit);
    }

    function test_OneTrace() public {
        FlatTensor[] memory run = _run(2, 3);
        bytes32[] memory roots = _roots(run);
        _open(CLAIM, run);
        // Nobody demanded: there is no dispute, and so no key for it.
        vm.prank(proverKey);
        vm.expectRevert(abi.encodeWithSelector(IClaimBoard.NotProverKey.selector, proverKey));
        board.answerRoots(address(source), CLAIM, roots);
        _demand(challenger, CLAIM, _rootsUnit());
        vm.prank(challenger);
        vm.expectRevert(abi.encodeWithSelector(IClaimBoard.NotProverKey.selector, challenger));
        board.answerRoots(address(source), CLAIM, roots);
        vm.startPrank(proverKey);
        bytes32[] memory wrong = _roots(run);
        wrong[0] ^= bytes32(uint256(1));
        vm.expectRevert(IClaimBoard.InputRootMismatch.selector);
        board.answerRoots(address(source), CLAIM, wrong);
        wrong = _roots(run);
        wrong[4] ^= bytes32(uint256(1));
        vm.expectRevert(IClaimBoard.OutputRootMismatch.selector);
        board.answerRoots(address(source), CLAIM, wrong);
        vm.expectRevert(abi.encodeWithSelector(IClaimBoard.RootCountInvalid.selector, 4, 5));
        board.answerRoots(address(source), CLAIM, new bytes32[](4));
        board.answerRoots(address(source), CLAIM, roots);
        bytes32 traceRoot = board.disputeOf(address(source), CLAIM).traceRoot;
        wrong = _roots(run);
        wrong[2] ^= bytes32(uint256(1));
        board.answerRoots(address(source), CLAIM, wrong);
        vm.stopPrank();
        assertEq(board.disputeOf(address(source), CLAIM).traceRoot, traceRoot);
    }

    function test_retiredKeyPostsNoTrace() public {
        FlatTensor[] memory run = _right();
        bytes32[] memory roots = _roots(run);
        _open(CLAIM, run);
        _demand(challenger, CLAIM, _rootsUnit());
        vm.prank(prover);
        vault.retireKey(proverKey);
        vm.prank(proverKey);
        vm.expectRevert(abi.encodeWithSelector(IClaimBoard.NotProverKey.selector, proverKey));
        board.answerRoots(address(source), CLAIM, roots);
        vm.prank(prover);
        board.answerRoots(address(source), CLAIM, roots);
        assertNotEq(board.disputeOf(address(source), CLAIM).traceRoot, bytes32(0));
    }
}
