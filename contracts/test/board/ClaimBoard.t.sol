// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {DisputeGas} from "../../src/board/DisputeGas.sol";
import {
    DemandStatus,
    DemandView,
    DisputeView,
    Fault,
    IClaimBoard,
    Phase,
    Unit,
    UnitKind
} from "../../src/interfaces/IClaimBoard.sol";
import {vm} from "../Assertions.sol";
import {BoardBase} from "./BoardBase.sol";
import {FlatTensor, FlatTensors} from "./FlatTensor.sol";

/// @notice The moves of the board, one by one, each at its bounds.
contract ClaimBoardTest is BoardBase {
    using FlatTensors for FlatTensor;

    bytes32 internal constant CLAIM = keccak256("claim");

    function setUp() public override {
        super.setUp();
        // 79 leaves: two levels of nodes.
        _useModel(5, 0, 40_000, new bytes(700));
    }

    function test_wrongElementIsSlashed() public {
        FlatTensor[] memory run = _run(3, 40);
        _disputed(CLAIM, run);
        _convict(CLAIM, run, 3, 40 * 512);
        assertEq(source.faults(CLAIM), 1);
        assertEq(uint256(board.disputeOf(address(source), CLAIM).phase), uint256(Phase.Faulted));
        assertGt(source.paidTo(CLAIM, challenger), 0);
    }

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
}
