// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {ClaimBoard} from "../../src/ClaimBoard.sol";
import {Answer, DemandStatus, Fault, NodeProof, Phase, Unit, UnitKind} from "../../src/interfaces/IClaimBoard.sol";
import {vm} from "../Assertions.sol";
import {BoardBase} from "./BoardBase.sol";
import {FlatTensor, FlatTensors} from "./FlatTensor.sol";

/// @notice What anybody may do to two claims of one prover: a right one, which it defends, and a wrong one, which it defends or
/// not as it pleases. One challenger with its own money pursues the wrong claim; everybody else presses, answers, expires,
/// commits and reveals at random, at any time.
/// @dev Time passes only through `pass`: before it does, the prover answers what is about to fall due on the right claim, and
/// the challenger makes its next move on the wrong one, so that both act within their own times and no more.
contract BoardHandler is BoardBase {
    using FlatTensors for FlatTensor;

    bytes32 public constant RIGHT = keccak256("right");
    bytes32 public constant WRONG = keccak256("wrong");
    uint256 public constant WRONG_AT = 2;
    uint256 public constant WRONG_LEAF = 40;

    uint256 public claimedAt;
    uint256 public finalAt;
    bytes32 public firstTraceOfRight;
    bool public traceChanged;
    uint256 public moves;

    Unit[] private _asked;
    mapping(bytes32 => bool) private _isAsked;
    bool private _committed;
    uint256 private _committedBlock;

    function start() external {
        BoardBase.setUp();
        _useModel(4, 0, 40_000, new bytes(700));
        _open(RIGHT, _right());
        _open(WRONG, _run(WRONG_AT, WRONG_LEAF));
        claimedAt = nowTime();
        finalAt = claimedAt + WINDOW + 5 * (RESPONSE + REACTION) + 2 * REACTION;
        // The challenger's first move: within the window, whatever happens later.
        _demand(challenger, WRONG, _rootsUnit());
        _note(_rootsUnit());
    }

    function theBoard() external view returns (ClaimBoard) {
        return board;
    }

    function theSource() external view returns (address) {
        return address(source);
    }

    function faultsOf(bytes32 claimId) external view returns (uint256) {
        return source.faults(claimId);
    }

    function isFinal(bytes32 claimId) external view returns (bool) {
        return board.isFinal(address(source), claimId);
    }

    function everythingEnds() external view returns (bool) {
        return nowTime() > finalAt;
    }

    // What the fuzzer calls.

    function pass(uint256 seconds_, bool answersWrong) external {
        ++moves;
        seconds_ = bound(seconds_, 1, REACTION - 1);
        _defend(RIGHT, nowTime() + seconds_);
        if (answersWrong) _defend(WRONG, type(uint256).max);
        _pursue();
        skip(seconds_);
        _pursue();
    }

    function press(uint8 kind, uint16 position, uint8 height, uint32 index, bool onWrong) external {
        ++moves;
        bytes32 claimId = onWrong ? WRONG : RIGHT;
        Unit memory unit;
        kind %= 6;
        if (kind < 4) {
            unit = _top(
                UnitKind(kind),
                kind == 3 || kind == 0 ? 0 : position % 5,
                kind == 0 ? index % 80 : kind == 2 ? index % 3 : 0
            );
        } else {
            height %= 3;
            unit = _node(position % 4, height, index % (height == 0 ? 79 : height == 1 ? 3 : 1));
        }
        try this.demandAs(friend, claimId, unit) {
            _note(unit);
        } catch {}
    }

    function answerAnything(uint256 which, bool honestly) external {
        ++moves;
        if (_asked.length == 0) return;
        which %= _asked.length;
        try this.answerAs(friend, which, honestly) {} catch {}
    }

    function expireAnything(uint256 which) external {
        ++moves;
        if (_asked.length == 0) return;
        try board.expire(address(source), RIGHT, _asked[which % _asked.length]) {} catch {}
        try board.expire(address(source), WRONG, _asked[which % _asked.length]) {} catch {}
    }

    function shamFault(uint16 position, uint32 element) external {
        ++moves;
        if (board.disputeOf(address(source), RIGHT).traceRoot == 0) return;
        Fault memory fault = _fault(_right(), 1 + position % 3, element % 40_000);
        _commit(friend, RIGHT, fault);
        vm.roll(vm.getBlockNumber() + 1);
        try this.proveAs(friend, RIGHT, fault) {} catch {}
    }

    function takeEscrow(uint256 which) external {
        ++moves;
        if (_asked.length == 0) return;
        Unit[] memory units = _list(_asked[which % _asked.length]);
        try board.returnEscrow(address(source), RIGHT, units) {} catch {}
        try board.returnEscrow(address(source), WRONG, units) {} catch {}
    }

    function takeCredit(uint8 who) external {
        ++moves;
        board.withdraw([prover, challenger, friend][who % 3]);
    }

    function changeFee(uint256 fee) external {
        ++moves;
        vm.fee(bound(fee, 0, 500 gwei));
    }

    /// @return sum what the board owes: all credits and the escrow of all open demands
    function owed() external view returns (uint256 sum) {
        sum = board.creditOf(prover) + board.creditOf(challenger) + board.creditOf(friend);
        for (uint256 i = 0; i < _asked.length; ++i) {
            sum += _escrowOf(RIGHT, _asked[i]) + _escrowOf(WRONG, _asked[i]);
        }
    }

    // How the prover and the challenger play.

    function _defend(bytes32 claimId, uint256 before) private {
        if (source.faults(claimId) > 0) return;
        FlatTensor[] memory run = claimId == RIGHT ? _right() : _run(WRONG_AT, WRONG_LEAF);
        for (uint256 i = 0; i < _asked.length; ++i) {
            if (board.demandOf(address(source), claimId, _asked[i]).status != DemandStatus.Open) continue;
            uint256 deadline = board.demandOf(address(source), claimId, _asked[i]).deadline;
            if (deadline > before || deadline < nowTime()) continue;
            if (_asked[i].kind == UnitKind.TensorRoots) _postRoots(claimId, run);
            else _answer(proverKey, claimId, _asked[i], _data(run, _asked[i]));
        }
        bytes32 traceRoot = board.disputeOf(address(source), claimId).traceRoot;
        if (claimId != RIGHT || traceRoot == 0) return;
        if (firstTraceOfRight == 0) firstTraceOfRight = traceRoot;
        else if (firstTraceOfRight != traceRoot) traceChanged = true;
    }

    function _pursue() private {
        if (source.faults(WRONG) > 0) return;
        for (uint256 i = 0; i < _asked.length; ++i) {
            try board.expire(address(source), WRONG, _asked[i]) {
                return;
            } catch {}
        }
        if (!_known(_rootsUnit())) return;
        for (uint256 height = 3; height > 0; --height) {
            Unit memory unit = _node(WRONG_AT, height - 1, WRONG_LEAF >> (5 * (height - 1)));
            if (_known(unit)) continue;
            if (board.demandOf(address(source), WRONG, unit).status == DemandStatus.None) {
                _demandNode(challenger, WRONG, _run(WRONG_AT, WRONG_LEAF), unit);
                _note(unit);
            }
            return;
        }
        Fault memory fault = _fault(_run(WRONG_AT, WRONG_LEAF), WRONG_AT, 512 * WRONG_LEAF);
        if (!_committed) {
            _commit(challenger, WRONG, fault);
            (_committed, _committedBlock) = (true, vm.getBlockNumber());
        } else if (vm.getBlockNumber() > _committedBlock) {
            _prove(challenger, WRONG, fault);
        }
    }

    function _known(Unit memory unit) private view returns (bool) {
        return board.demandOf(address(source), WRONG, unit).status == DemandStatus.Answered;
    }

    function _note(Unit memory unit) private {
        bytes32 key = keccak256(abi.encode(unit));
        if (_isAsked[key]) return;
        _isAsked[key] = true;
        _asked.push(unit);
    }

    function _escrowOf(bytes32 claimId, Unit memory unit) private view returns (uint256) {
        if (board.demandOf(address(source), claimId, unit).status != DemandStatus.Open) return 0;
        uint256 fee = board.demandOf(address(source), claimId, unit).feePerGas;
        return board.priceOf(modelId, unit) / board.feePerGas() * fee;
    }

    // External faces of internal moves, for try.

    function demandAs(address by, bytes32 claimId, Unit memory unit) external {
        if (unit.kind < UnitKind.NodeChildren) return _demand(by, claimId, unit);
        _demandNode(by, claimId, claimId == RIGHT ? _right() : _run(WRONG_AT, WRONG_LEAF), unit);
    }

    function answerAs(address by, uint256 which, bool honestly) external {
        Unit memory unit = _asked[which];
        bytes memory data = _data(_right(), unit);
        if (!honestly) data[0] ^= 0x01;
        _answer(by, RIGHT, unit, data);
    }

    function proveAs(address by, bytes32 claimId, Fault memory fault) external {
        _prove(by, claimId, fault);
    }
}
