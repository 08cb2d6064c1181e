// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Fault, NodeProof, Unit} from "../../src/interfaces/IClaimBoard.sol";
import {vm} from "../Assertions.sol";
import {BoardBase} from "./BoardBase.sol";
import {FlatTensor, FlatTensors} from "./FlatTensor.sol";

/// @title Moves of an attacker as external calls, so that a test can expect their refusal.
abstract contract AttackMoves is BoardBase {
    using FlatTensors for FlatTensor;

    bytes32 internal constant CLAIM = keccak256("claim");
    bytes32 internal constant OTHER = keccak256("other");

    function setUp() public override {
        super.setUp();
        _useModel(5, 0, 40_000, new bytes(700));
    }

    // External faces of internal moves, for expectRevert.

    function prove(address by, Fault memory fault) external {
        _prove(by, CLAIM, fault);
    }

    function answer(Unit memory unit, bytes memory data) external {
        _answer(proverKey, CLAIM, unit, data);
    }

    function demandNode(Unit memory unit, NodeProof memory proof) external {
        vm.prank(challenger);
        board.demandNode{value: 1 ether}(address(source), CLAIM, unit, proof);
    }
}
