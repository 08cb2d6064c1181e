// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {BoardTerms, ClaimBoard} from "../../src/ClaimBoard.sol";
import {DisputeGas} from "../../src/board/DisputeGas.sol";
import {DemandStatus, Fault, IClaimBoard, Unit, UnitKind} from "../../src/interfaces/IClaimBoard.sol";
import {ClaimView, IClaimSource, Payout} from "../../src/interfaces/IClaimSource.sol";
import {IFeeSource} from "../../src/interfaces/IFeeSource.sol";
import {vm} from "../Assertions.sol";
import {BoardBase} from "./BoardBase.sol";
import {FlatTensor} from "./FlatTensor.sol";

contract FixedFee is IFeeSource {
    uint256 public feePerGas = 33 gwei;
}

/// @notice A source that says one thing when a demand is made and another when it is settled, and calls back at every chance.
contract TurncoatSource is IClaimSource {
    ClaimBoard public immutable BOARD;
    ClaimView private _claim;
    uint256 public calls;

    constructor(ClaimBoard board) {
        BOARD = board;
    }

    function set(ClaimView calldata claim) external {
        _claim = claim;
    }

    function claimOf(bytes32) external view returns (ClaimView memory) {
        return _claim;
    }

    function onFault(bytes32 claimId, Payout[] calldata) external {
        ++calls;
        Unit memory roots = Unit(UnitKind.TensorRoots, 0, 0, 0, 0, 0);
        try BOARD.expire(address(this), claimId, roots) {
            ++calls;
        } catch {}
        Unit[] memory units = new Unit[](1);
        units[0] = roots;
        try BOARD.returnEscrow(address(this), claimId, units) {
            ++calls;
        } catch {}
    }
}

contract RefusesEther {
    function demand(ClaimBoard board, address source, bytes32 claimId, Unit[] calldata units) external payable {
        board.demand{value: msg.value}(source, claimId, units);
    }
}

/// @notice Who pays whom, to the wei.
contract ClaimBoardMoneyTest is BoardBase {
    bytes32 internal constant CLAIM = keccak256("claim");

    function setUp() public override {
        super.setUp();
        _useModel(5, 0, 40_000, "");
    }

    function _fee(UnitKind kind, uint256 fee) private view returns (uint256) {
        return fee * DisputeGas.answerGas(kind, count);
    }

    function _inputLeaf() private pure returns (Unit memory) {
        return _top(UnitKind.InputLeaf, 0, 5);
    }

    function _demandAndAnswerAt(uint256 demandFee, uint256 answerFee) private returns (uint256 paid, uint256 returned) {
        bytes32 id = keccak256(abi.encode(demandFee, answerFee));
        FlatTensor[] memory run = _right();
        _open(id, run);
        (uint256 before, uint256 left) = (board.creditOf(prover), board.creditOf(challenger));
        vm.fee(demandFee);
        _demand(challenger, id, _inputLeaf());
        vm.fee(answerFee);
        _answer(friend, id, _inputLeaf(), _data(run, _inputLeaf()));
        (paid, returned) = (board.creditOf(prover) - before, board.creditOf(challenger) - left);
    }

    function test_answerTakesTheFeeOfItsTimeUpToTheEscrow() public {
        UnitKind kind = UnitKind.InputLeaf;
        uint256[5] memory fees = [uint256(2 gwei), 5 gwei, 10 gwei, 80 gwei, 90 gwei];
        for (uint256 i = 0; i < fees.length; ++i) {
            (uint256 paid, uint256 returned) = _demandAndAnswerAt(10 gwei, fees[i]);
            uint256 capped = fees[i] > 80 gwei ? 80 gwei : fees[i];
            assertEq(paid, _fee(kind, capped));
            assertEq(paid + returned, 8 * _fee(kind, 10 gwei));
        }
    }

    function test_feeIsBoundedOnBothSides() public {
        (uint256 paid,) = _demandAndAnswerAt(0, 0);
        assertEq(paid, _fee(UnitKind.InputLeaf, 1 gwei));
        vm.fee(1 ether);
        assertEq(board.feePerGas(), 100 gwei);
        vm.fee(100 gwei - 1);
        assertEq(board.feePerGas(), 100 gwei - 1);
    }

    function test_feeSourceIsRead() public {
        ClaimBoard other = _newBoard(IFeeSource(deploy("ClaimBoardMoney.t.sol:FixedFee", "")));
        assertEq(other.feePerGas(), 33 gwei);
    }

    function test_feeBoundsOfTheConstructor() public {
        uint64[2][3] memory bounds = [[uint64(0), 1], [uint64(2), 1], [uint64(1), 1 << 48]];
        bytes memory code = vm.getCode("ClaimBoard.sol:ClaimBoard");
        for (uint256 i = 0; i < 3; ++i) {
            BoardTerms memory terms = BoardTerms(1, 1, 1, bounds[i][0], bounds[i][1], IFeeSource(address(0)));
            bytes memory arguments = _boardArguments(terms);
            assertEq(_create(bytes.concat(code, arguments)), address(0));
        }
        bytes memory widest = _boardArguments(BoardTerms(1, 1, 1, 1, (1 << 48) - 1, IFeeSource(address(0))));
        assertNotEq(_create(bytes.concat(code, widest)), address(0));
    }

    /// TipDrainsNothing: the transaction's own price, which its sender sets and a proposer may keep, moves no payment.
    function test_TipDrainsNothing() public {
        (uint256 paid,) = _demandAndAnswerAt(10 gwei, 10 gwei);
        vm.txGasPrice(1 ether);
        (uint256 tipped,) = _demandAndAnswerAt(10 gwei, 10 gwei + 1);
        vm.txGasPrice(0);
        assertEq(tipped, paid + DisputeGas.answerGas(UnitKind.InputLeaf, count));
    }

    function test_withdrawPaysTheAccountOnce() public {
        _demandAndAnswerAt(10 gwei, 10 gwei);
        uint256 credit = board.creditOf(prover);
        uint256 before = prover.balance;
        vm.prank(friend);
        board.withdraw(prover);
        assertEq(prover.balance, before + credit);
        board.withdraw(prover);
        assertEq(prover.balance, before + credit);
        assertEq(board.creditOf(prover), 0);
    }

    /// An account that takes no ether keeps its credit and stops nobody else.
    function test_refusedWithdrawalHurtsItsOwnerOnly() public {
        RefusesEther stubborn = RefusesEther(deploy("ClaimBoardMoney.t.sol:RefusesEther", ""));
        _open(CLAIM, _right());
        stubborn.demand{value: 1 ether}(board, address(source), CLAIM, new Unit[](0));
        vm.expectRevert(abi.encodeWithSelector(IClaimBoard.TransferFailed.selector, address(stubborn)));
        board.withdraw(address(stubborn));
        assertEq(board.creditOf(address(stubborn)), 1 ether);
        _demandAndAnswerAt(10 gwei, 10 gwei);
        board.withdraw(prover);
    }

    function test_verdictReturnsTheEscrowOfWhatItVoids() public {
        FlatTensor[] memory run = _run(3, 40);
        _disputed(CLAIM, run);
        Unit[] memory units = new Unit[](2);
        (units[0], units[1]) = (_inputLeaf(), _top(UnitKind.InstructionRecord, 2, 0));
        _demand(friend, CLAIM, units[0]);
        _demand(friend, CLAIM, units[1]);
        uint256 escrow = board.priceOf(modelId, units[0]) + board.priceOf(modelId, units[1]);
        vm.expectRevert(IClaimBoard.NothingToReturn.selector);
        board.returnEscrow(address(source), CLAIM, units);
        _convict(CLAIM, run, 3, 40 * 512);
        // Void: an answer earns nothing now, and does not hinder a batch.
        uint256 credit = board.creditOf(prover);
        _answer(friend, CLAIM, units[0], _data(run, units[0]));
        assertEq(board.creditOf(prover), credit);
        uint256 before = board.creditOf(friend);
        board.returnEscrow(address(source), CLAIM, units);
        assertEq(board.creditOf(friend), before + escrow);
        vm.expectRevert(IClaimBoard.NothingToReturn.selector);
        board.returnEscrow(address(source), CLAIM, units);
    }

    /// A claim that its source ended otherwise (a model disabled, say) returns escrow too.
    function test_endedClaimReturnsEscrow() public {
        _open(CLAIM, _right());
        _demand(challenger, CLAIM, _inputLeaf());
        uint256 escrow = board.priceOf(modelId, _inputLeaf());
        source.end(CLAIM);
        board.returnEscrow(address(source), CLAIM, _list(_inputLeaf()));
        assertEq(board.creditOf(challenger), escrow);
    }

    /// Costs of the path go to who paid each, the reward to the finder.
    function test_pathIsRefundedToWhoPaidForIt() public {
        FlatTensor[] memory run = _run(3, 40);
        _open(CLAIM, run);
        _demand(friend, CLAIM, _rootsUnit());
        _postRoots(CLAIM, run);
        Unit memory top = _node(3, 2, 0);
        _demandNode(friend, CLAIM, run, top);
        _answer(proverKey, CLAIM, top, _data(run, top));
        Unit memory middle = _node(3, 1, 1);
        _demandNode(challenger, CLAIM, run, middle);
        // Beside the path: no refund.
        Unit memory beside = _node(2, 2, 0);
        _demandNode(friend, CLAIM, run, beside);
        _answer(proverKey, CLAIM, beside, _data(run, beside));
        uint256 escrow = board.priceOf(modelId, middle);
        _convict(CLAIM, run, 3, 40 * 512);
        uint256 nodes = DisputeGas.unitGas(UnitKind.NodeChildren, count);
        assertEq(source.paidTo(CLAIM, friend), FEE * (DisputeGas.unitGas(UnitKind.TensorRoots, count) + nodes));
        uint256 reward = 2 * FEE * board.worstDisputeGas(modelId);
        assertEq(source.paidTo(CLAIM, challenger), reward + FEE * DisputeGas.demandGas(UnitKind.NodeChildren));
        // The open demand on the path gave its escrow back by itself.
        assertEq(board.creditOf(challenger), escrow);
        assertEq(uint256(board.demandOf(address(source), CLAIM, middle).status), uint256(DemandStatus.Returned));
    }

    function test_refundFollowsTheFeeThatWasPaid() public {
        FlatTensor[] memory run = _run(3, 40);
        _open(CLAIM, run);
        vm.fee(10 gwei);
        _demand(friend, CLAIM, _rootsUnit());
        vm.fee(30 gwei);
        _postRoots(CLAIM, run);
        vm.fee(10 gwei);
        _convict(CLAIM, run, 3, 40 * 512);
        assertEq(source.paidTo(CLAIM, friend), 30 gwei * DisputeGas.unitGas(UnitKind.TensorRoots, count));
    }

    /// SlashArithmetic: whatever was demanded and whatever the fee, payouts stay within a quarter of the lock.
    function test_SlashArithmetic(uint128 coverage, uint256 fee, bool byExpiry) public {
        FlatTensor[] memory run = _run(3, 40);
        ClaimView memory claim = _claimOf(run);
        claim.coverage = coverage;
        source.open(CLAIM, claim);
        vm.fee(bound(fee, 0, 200 gwei));
        _demand(challenger, CLAIM, _rootsUnit());
        if (byExpiry) {
            skip(RESPONSE + 1);
            board.expire(address(source), CLAIM, _rootsUnit());
        } else {
            _postRoots(CLAIM, run);
            _convict(CLAIM, run, 3, 40 * 512);
        }
        assertLe(source.paid(CLAIM), coverage / 4);
        assertLe(source.payoutCount(), 16);
        assertEq(source.faults(CLAIM), 1);
    }

    /// A lock of the minimum coverage pays the dearest dispute in full at the highest fee.
    function test_minimumCoveragePaysEverything() public {
        FlatTensor[] memory run = _run(3, 40);
        ClaimView memory claim = _claimOf(run);
        claim.coverage = uint128(board.minimumCoverage(modelId));
        source.open(CLAIM, claim);
        vm.fee(1 ether);
        _demand(challenger, CLAIM, _rootsUnit());
        _postRoots(CLAIM, run);
        uint256 costs = DisputeGas.unitGas(UnitKind.TensorRoots, count);
        uint256[3] memory indices = [uint256(0), 1, 40];
        for (uint256 i = 0; i < 3; ++i) {
            Unit memory unit = _node(3, 2 - i, indices[i]);
            _demandNode(challenger, CLAIM, run, unit);
            _answer(proverKey, CLAIM, unit, _data(run, unit));
            costs += DisputeGas.unitGas(unit.kind, count);
        }
        _convict(CLAIM, run, 3, 40 * 512);
        assertEq(source.paid(CLAIM), 100 gwei * (costs + 2 * board.worstDisputeGas(modelId)));
        assertLt(source.paid(CLAIM), claim.coverage / 4);
    }

    /// Solvency: a source cannot take more out than went in, by changing its claim between demand and settlement.
    function test_turncoatSourceTakesNothing() public {
        TurncoatSource turncoat = TurncoatSource(deploy("ClaimBoardMoney.t.sol:TurncoatSource", abi.encode(board)));
        ClaimView memory claim = _claimOf(_right());
        claim.prover = friend;
        turncoat.set(claim);
        // Somebody else's money lies on the board.
        _open(CLAIM, _right());
        _demand(challenger, CLAIM, _rootsUnit());
        uint256 price = board.priceOf(modelId, _rootsUnit());
        uint256 own = address(board).balance;
        vm.prank(friend);
        board.demand{value: price}(address(turncoat), CLAIM, _list(_rootsUnit()));
        bytes32 small = modelId;
        _useModel(512, 0, 600, "");
        assertNotEq(modelId, small);
        claim.modelId = modelId;
        turncoat.set(claim);
        skip(RESPONSE + 1);
        board.expire(address(turncoat), CLAIM, _rootsUnit());
        assertEq(turncoat.calls(), 1);
        assertEq(board.creditOf(friend), price);
        board.withdraw(friend);
        assertEq(address(board).balance, own);
        claim.open = false;
        turncoat.set(claim);
        vm.expectRevert(IClaimBoard.NothingToReturn.selector);
        board.returnEscrow(address(turncoat), CLAIM, _list(_rootsUnit()));
    }
}
