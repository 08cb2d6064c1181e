// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Fault, NodeProof, Unit, UnitKind} from "../../src/interfaces/IClaimBoard.sol";
import {vm} from "../Assertions.sol";
import {BoardBase} from "./BoardBase.sol";
import {FlatTensor, FlatTensors} from "./FlatTensor.sol";

/// @title Moves as external calls, so that a test can expect their refusal.
abstract contract BoardMoves is BoardBase {
    using FlatTensors for FlatTensor;

    bytes32 internal constant CLAIM = keccak256("claim");
    uint256 internal constant ROUND = RESPONSE + REACTION;

    function setUp() public override {
        super.setUp();
        // 79 leaves: two levels of nodes.
        _useModel(5, 0, 40_000, new bytes(700));
    }

    // External faces of internal moves, for expectRevert.

    function demandAny(address by, bytes32 claimId, FlatTensor[] memory run, Unit memory unit) external {
        if (unit.kind < UnitKind.NodeChildren) _demandPaid(by, claimId, unit);
        else _demandNodePaid(by, claimId, run, unit);
    }

    function answerAny(Unit memory unit, bytes memory data) external {
        _answer(friend, CLAIM, unit, data);
    }

    function proveAny(address by, Fault memory fault) external {
        _prove(by, CLAIM, fault);
    }

    function _demandPaid(address by, bytes32 claimId, Unit memory unit) internal {
        vm.prank(by);
        board.demand{value: 1 ether}(address(source), claimId, _list(unit));
    }

    function _demandNodePaid(address by, bytes32 claimId, FlatTensor[] memory run, Unit memory unit) internal {
        bool exists = unit.height <= 2 && unit.index < 79 && (unit.height != 1 || unit.index < 3);
        NodeProof memory proof;
        if (exists && unit.elementType == elementType) proof = _nodeProof(run, unit);
        else proof = _nodeProof(run, _node(unit.position, 2, 0));
        vm.prank(by);
        board.demandNode{value: 1 ether}(address(source), claimId, unit, proof);
    }
}
