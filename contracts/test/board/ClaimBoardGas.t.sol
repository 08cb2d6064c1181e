// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {DisputeGas} from "../../src/board/DisputeGas.sol";
import {Fault, Unit, UnitKind} from "../../src/interfaces/IClaimBoard.sol";
import {vm} from "../Assertions.sol";
import {BoardBase} from "./BoardBase.sol";
import {FlatTensor, FlatTensors} from "./FlatTensor.sol";

/// @notice Gas of every move at its dearest: 512 instructions, tensors of 2^26 words, every account and slot cold, calldata
/// priced as a transaction's. The schedule that pays for answers must lie above the measurements.
/// forge-config: default.isolate = true
contract ClaimBoardGasTest is BoardBase {
    using FlatTensors for FlatTensor;

    bytes32 internal constant CLAIM = keccak256("claim");
    uint256 internal constant WRONG = 511;
    uint256 internal constant LEAF = (1 << 19) - 1;

    FlatTensor[] private _wrong;

    function setUp() public override {
        super.setUp();
        _useModel(512, 2, 1 << 26, new bytes(16 * 512));
    }

    function test_gasOfEveryMove() public {
        FlatTensor[] memory run = _run(WRONG, LEAF);
        _open(CLAIM, run);
        _measureTop(run, "InputLeaf", _top(UnitKind.InputLeaf, 0, 77_777));
        _measureTop(run, "InstructionRecord", _top(UnitKind.InstructionRecord, 1, 0));
        _measureTop(run, "ParameterLeaf", _top(UnitKind.ParameterLeaf, 1, 5));
        _demand(challenger, CLAIM, _rootsUnit());
        _record("demand TensorRoots", DisputeGas.demandGas(UnitKind.TensorRoots));
        _postRoots(CLAIM, run);
        _record("answer TensorRoots 512", DisputeGas.answerGas(UnitKind.TensorRoots, 512));
        for (uint256 height = 4; height > 0; --height) {
            _measureNode(
                run, string.concat("NodeChildren ", vm.toString(height)), _node(WRONG, height, LEAF >> (5 * height))
            );
        }
        _measureNode(run, "TensorLeaf", _node(WRONG, 0, LEAF));
        Fault memory fault = _fault(run, WRONG, LEAF * 128);
        _commit(challenger, CLAIM, fault);
        _record("commitFault", DisputeGas.COMMIT);
        vm.roll(vm.getBlockNumber() + 1);
        _prove(challenger, CLAIM, fault);
        _record("proveFault, toy step", DisputeGas.PROVE);
    }

    /// HarassmentPays: what an answer earns is more than its gas costs. (Isolated transactions have no base fee, so prices are
    /// at the minimum fee; both sides are linear in it.)
    function test_HarassmentPays(uint8 kind) public {
        FlatTensor[] memory run = _run(WRONG, LEAF);
        _open(CLAIM, run);
        Unit memory unit = _top(UnitKind(kind % 3), kind % 3 == 0 ? 0 : 1, kind % 3 == 1 ? 0 : 5);
        _demand(friend, CLAIM, unit);
        uint256 fee = board.demandOf(address(source), CLAIM, unit).feePerGas;
        _answer(proverKey, CLAIM, unit, _data(run, unit));
        uint256 used = vm.lastCallGas().gasTotalUsed;
        assertGt(used, 21_000);
        assertGt(board.creditOf(prover), used * fee);
        _demand(friend, CLAIM, _rootsUnit());
        uint256 before = board.creditOf(prover);
        _postRoots(CLAIM, run);
        assertGt(board.creditOf(prover) - before, vm.lastCallGas().gasTotalUsed * fee);
    }

    function _measureTop(FlatTensor[] memory run, string memory name, Unit memory unit) private {
        _demand(challenger, CLAIM, unit);
        _record(string.concat("demand ", name), DisputeGas.demandGas(unit.kind));
        _answer(proverKey, CLAIM, unit, _data(run, unit));
        _record(string.concat("answer ", name), DisputeGas.answerGas(unit.kind, 512));
    }

    function _measureNode(FlatTensor[] memory run, string memory name, Unit memory unit) private {
        _demandNode(challenger, CLAIM, run, unit);
        _record(string.concat("demand ", name), DisputeGas.demandGas(unit.kind));
        _answer(proverKey, CLAIM, unit, _data(run, unit));
        _record(string.concat("answer ", name), DisputeGas.answerGas(unit.kind, 512));
    }

    function _record(string memory name, uint256 most) private {
        uint256 used = vm.snapshotGasLastCall("ClaimBoard", name);
        log(name, used);
        assertLe(used, most, name);
        // BoundedWork: a quarter of what a transaction may use (EIP-7825).
        assertLe(used, 1 << 22, name);
    }
}
