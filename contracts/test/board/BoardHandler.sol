// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {ClaimBoard} from "../../src/ClaimBoard.sol";
import {DemandStatus, DemandView, Fault, IClaimBoard, Unit, UnitKind} from "../../src/interfaces/IClaimBoard.sol";
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
    /// What went through, by move: a handler whose moves all fail tests nothing.
    mapping(string move => uint256) public successes;
    /// An answer was paid less than it cost.
    bool public underpaid;
    /// An element's right value came out otherwise than before.
    bool public impure;
    /// Another answer than the canonical bytes was taken.
    bool public otherEncodingTaken;
    uint256 public dearestMove;
    uint256 public demanded;
    uint256 public answered;

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
        ++demanded;
    }

    function theBoard() external view returns (ClaimBoard) {
        return board;
    }

    function unitCount() external view returns (uint256) {
        return _asked.length;
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
        seconds_ = bound(seconds_, 1, REACTION - 1);
        _defend(RIGHT, nowTime() + seconds_);
        // It takes its time: what was demanded a moment ago is open when the verdict comes.
        if (answersWrong) _defend(WRONG, nowTime() + RESPONSE / 2);
        _pursue();
        skip(seconds_);
        _pursue();
    }

    function press(uint8 kind, uint16 position, uint8 height, uint32 index, bool onWrong) external {
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
        bool isNew = board.demandOf(address(source), claimId, unit).status == DemandStatus.None;
        try this.demandAs(friend, claimId, unit) {
            _note(unit);
            if (!isNew) return;
            ++demanded;
            ++successes["demand"];
        } catch {}
    }

    /// @param forgery 0 to 3 honest; then a bit flipped, a byte or a word too many, a byte too few
    function answerAnything(uint256 which, uint8 forgery) external {
        if (_asked.length == 0) return;
        (Unit memory unit, bool waits) = _waiting(RIGHT, which);
        if (unit.kind == UnitKind.TensorRoots) return;
        bytes memory canonical = _data(_right(), unit);
        bytes memory given = _forged(canonical, forgery % 8);
        bool isForged = keccak256(given) != keccak256(canonical);
        try this.answerAs(friend, unit, given) {
            if (waits && isForged) otherEncodingTaken = true;
            if (waits && !isForged) ++successes["answer"];
        } catch {
            if (waits && isForged) ++successes["forgery refused"];
        }
    }

    function expireAnything(uint256 which) external {
        if (_asked.length == 0) return;
        try board.expire(address(source), RIGHT, _asked[which % _asked.length]) {} catch {}
        try board.expire(address(source), WRONG, _asked[which % _asked.length]) {} catch {}
    }

    function shamFault(uint16 position, uint32 element) external {
        if (board.disputeOf(address(source), RIGHT).traceRoot == 0) return;
        Fault memory fault = _fault(_right(), 1 + position % 3, element % 40_000);
        _commit(friend, RIGHT, fault);
        vm.roll(vm.getBlockNumber() + 1);
        try this.proveAs(friend, RIGHT, fault) {
            impure = true;
        } catch (bytes memory reason) {
            if (bytes4(reason) != IClaimBoard.NoFault.selector) return;
            // Every element of these tensors is FILL.
            bytes memory right = abi.encodeWithSelector(IClaimBoard.NoFault.selector, int256(uint256(uint8(FILL))));
            if (keccak256(reason) != keccak256(right)) impure = true;
            ++successes["sham refused"];
        }
    }

    function takeEscrow(uint256 which) external {
        if (_asked.length == 0) return;
        try board.returnEscrow(address(source), RIGHT, _list(_asked[which % _asked.length])) {} catch {}
        (Unit memory unit,) = _waiting(WRONG, which);
        Unit[] memory units = _list(unit);
        try board.returnEscrow(address(source), WRONG, units) {
            ++successes["escrow returned"];
        } catch {}
    }

    function takeCredit(uint8 who) external {
        address account = [prover, challenger, friend][who % 3];
        if (board.creditOf(account) > 0) ++successes["credit taken"];
        board.withdraw(account);
    }

    function changeFee(uint256 fee) external {
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
            DemandView memory view_ = board.demandOf(address(source), claimId, _asked[i]);
            if (view_.status != DemandStatus.Open) continue;
            if (view_.deadline > before || view_.deadline < nowTime()) continue;
            uint256 demandFee = view_.feePerGas;
            uint256 creditBefore = board.creditOf(prover);
            if (_asked[i].kind == UnitKind.TensorRoots) {
                _postRoots(claimId, run);
                ++successes["roots"];
                _checkPay(creditBefore, demandFee, 32 * (run.length + 5));
            } else {
                bytes memory data = _data(run, _asked[i]);
                _answer(proverKey, claimId, _asked[i], data);
                _checkPay(creditBefore, demandFee, data.length + 32 * 14);
            }
        }
        bytes32 traceRoot = board.disputeOf(address(source), claimId).traceRoot;
        if (claimId != RIGHT || traceRoot == 0) return;
        if (firstTraceOfRight == 0) firstTraceOfRight = traceRoot;
        else if (firstTraceOfRight != traceRoot) traceChanged = true;
    }

    function _pursue() private {
        if (source.faults(WRONG) > 0) return;
        for (uint256 i = 0; i < _asked.length; ++i) {
            DemandView memory view_ = board.demandOf(address(source), WRONG, _asked[i]);
            if (view_.status != DemandStatus.Open || nowTime() <= view_.deadline) continue;
            board.expire(address(source), WRONG, _asked[i]);
            return;
        }
        if (!_known(_rootsUnit())) return;
        for (uint256 height = 3; height > 0; --height) {
            Unit memory unit = _node(WRONG_AT, height - 1, WRONG_LEAF >> (5 * (height - 1)));
            if (_known(unit)) continue;
            if (board.demandOf(address(source), WRONG, unit).status == DemandStatus.None) {
                _demandNode(challenger, WRONG, _run(WRONG_AT, WRONG_LEAF), unit);
                _measure();
                _note(unit);
                ++demanded;
            }
            return;
        }
        Fault memory fault = _fault(_run(WRONG_AT, WRONG_LEAF), WRONG_AT, 512 * WRONG_LEAF);
        if (!_committed) {
            _commit(challenger, WRONG, fault);
            (_committed, _committedBlock) = (true, vm.getBlockNumber());
        } else if (vm.getBlockNumber() > _committedBlock) {
            _prove(challenger, WRONG, fault);
            _measure();
        }
    }

    /// @dev After an answer: its pay covers it as a transaction of its own, every byte of it nonzero, at the fee of its time, up
    /// to eightfold the demand's.
    function _checkPay(uint256 creditBefore, uint256 demandFee, uint256 bytes_) private {
        uint256 used = vm.lastCallGas().gasTotalUsed;
        uint256 fee = board.feePerGas();
        if (fee > 8 * demandFee) fee = 8 * demandFee;
        uint256 floor = 40 * bytes_;
        uint256 execution = used + 16 * bytes_;
        uint256 cost = (21_000 + (floor > execution ? floor : execution)) * fee;
        if (board.creditOf(prover) - creditBefore < cost) underpaid = true;
        if (used > dearestMove) dearestMove = used;
        ++answered;
    }

    /// @dev Right behind a move.
    function _measure() private {
        uint256 used = vm.lastCallGas().gasTotalUsed;
        if (used > dearestMove) dearestMove = used;
    }

    function _forged(bytes memory data, uint256 forgery) private pure returns (bytes memory given) {
        given = bytes.concat(data);
        if (forgery == 4) given[given.length / 2] ^= 0x10;
        if (forgery == 5) given = bytes.concat(data, bytes1(0));
        if (forgery == 6) given = bytes.concat(data, bytes32(0));
        if (forgery == 7) {
            assembly ("memory-safe") {
                mstore(given, sub(mload(given), 1))
            }
        }
    }

    /// @dev The first demand on a claim, from the `which`-th on, that waits for an answer anybody may give; the `which`-th unit
    /// where there is none.
    function _waiting(bytes32 claimId, uint256 which) private view returns (Unit memory unit, bool waits) {
        uint256 count = _asked.length;
        for (uint256 i = 0; i < count; ++i) {
            unit = _asked[(which % count + i) % count];
            if (unit.kind == UnitKind.TensorRoots) continue;
            if (board.demandOf(address(source), claimId, unit).status == DemandStatus.Open) return (unit, true);
        }
        return (_asked[which % count], false);
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
        if (unit.kind < UnitKind.NodeChildren) _demand(by, claimId, unit);
        else _demandNode(by, claimId, claimId == RIGHT ? _right() : _run(WRONG_AT, WRONG_LEAF), unit);
        _measure();
    }

    function answerAs(address by, Unit memory unit, bytes memory data) external {
        bool waits = board.demandOf(address(source), RIGHT, unit).status == DemandStatus.Open;
        _answer(by, RIGHT, unit, data);
        if (waits) ++answered;
    }

    function proveAs(address by, bytes32 claimId, Fault memory fault) external {
        _prove(by, claimId, fault);
    }
}
