// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {ModelRecord} from "../../src/ModelTypes.sol";
import {AssayConsumer} from "../../src/consumers/AssayConsumer.sol";
import {DigitReader} from "../../src/consumers/DigitReader.sol";
import {Payout} from "../../src/interfaces/IClaimSource.sol";
import {Delivery, IRequests, RequestView, Status} from "../../src/interfaces/IRequests.sol";
import {Groth16} from "../../src/libraries/Groth16.sol";
import {vm} from "../Assertions.sol";
import {MoneyBase} from "./MoneyBase.sol";

/// @notice The example that reads digits: ten scores a model, images by bytes or by root.
contract DigitReaderTest is MoneyBase {
    DigitReader private reader;
    bytes32 private wide;
    bytes32 private narrow;
    bytes32 private committed;

    function setUp() public override {
        super.setUp();
        wide = _scores(2, 0);
        narrow = _scores(0, 0);
        committed = _scores(0, 2);
        bytes32[] memory models = new bytes32[](3);
        uint8[] memory types = new uint8[](3);
        (models[0], models[1], models[2]) = (wide, narrow, committed);
        types[0] = 2;
        reader = _newReader(models, types);
    }

    /// @dev A model of ten scores; one with a key has a ceremony behind it.
    function _scores(uint8 elementType, uint8 form) private returns (bytes32) {
        ModelRecord memory r = record(form);
        r.outputs = specOf(elementType, 10);
        if (form != 0) r.provenance = keccak256("ceremony");
        return registry.register(r, form == 0 ? bytes("") : key, "", 0);
    }

    function _newReader(bytes32[] memory models, uint8[] memory types) private returns (DigitReader) {
        bytes memory arguments = abi.encode(requests, registry, vault, models, types, false);
        return DigitReader(payable(deploy("DigitReader.sol:DigitReader", arguments)));
    }

    function newReader(bytes32[] memory models, uint8[] memory types) external returns (DigitReader) {
        return new DigitReader(requests, registry, vault, models, types, false);
    }

    function _answer(uint256 id, bytes memory scores) private {
        vm.prank(hotKey);
        requests.claim(id, questionOf(id), scores);
        pass();
        requests.finalize(id, scores);
    }

    function test_theGreatestScoreIsTheDigit() public {
        uint256 id = reader.read{value: 1 ether}(narrow, 1, 1 ether, 1 days, input);
        RequestView memory r = requests.requestOf(id);
        assertEq(r.requester, address(reader));
        assertEq(r.fee, 1 ether);
        assertEq(r.input, requests.requestOf(ask(optimisticTerms(), 0)).input);
        assertTrue(reader.isWaiting(id));
        vm.expectRevert(abi.encodeWithSelector(DigitReader.NotRead.selector, id));
        reader.digitOf(id);
        _answer(id, hex"00010203ff0506ff0809");
        assertEq(reader.digitOf(id), 4, "the first of equal scores");
        assertFalse(reader.isWaiting(id));
    }

    /// Scores of 32 bits may all be negative, and are little-endian.
    function test_scoresAreSigned() public {
        uint256 id = reader.read{value: 0}(wide, 1, 1 ether, 1 days, input);
        bytes memory scores = new bytes(40);
        for (uint256 i = 0; i < 40; ++i) {
            scores[i] = 0xff;
        }
        scores[0] = 0x01;
        scores[36] = 0xfe;
        _answer(id, scores);
        assertEq(reader.digitOf(id), 1);
        // -1 everywhere but at 0, where -255 stands, and at the end, where -2 does.
        id = reader.read(wide, 1, 1 ether, 1 days, input);
        scores[39] = 0x7f;
        _answer(id, scores);
        assertEq(reader.digitOf(id), 9);
    }

    /// `_askByRoot`: the chain sees the root alone, and the answer comes back all the same.
    function test_imagesByRoot() public {
        bytes32 root = keccak256("root of an image");
        uint256 id = reader.readByRoot{value: 1 ether}(narrow, 1, 1 ether, 1 days, root, "https://example.org/image");
        RequestView memory r = requests.requestOf(id);
        assertEq(r.input, root);
        assertEq(r.requester, address(reader));
        assertEq(r.fee, 1 ether);
        assertTrue(reader.isWaiting(id));
        _answer(id, hex"00000900000000000000");
        assertEq(reader.digitOf(id), 2);
        vm.expectRevert(IRequests.InputInvalid.selector);
        reader.readByRoot(narrow, 1, 1 ether, 1 days, 0, "");
    }

    /// An image of which a proof sees the commitment alone: bytes are refused, and a commitment is below the field's prime.
    function test_imagesByCommitment() public {
        vm.expectRevert(IRequests.InputInvalid.selector);
        reader.read(committed, 0, 0, 1 days, input);
        vm.expectRevert(IRequests.InputInvalid.selector);
        reader.readByRoot(committed, 0, 0, 1 days, bytes32(Groth16.R), "");
        uint256 id = reader.readByRoot(committed, 0, 0, 1 days, bytes32(Groth16.R - 1), "");
        assertEq(uint256(requests.requestOf(id).input), Groth16.R - 1);
    }

    function test_onlyPinnedModels() public {
        vm.expectRevert(abi.encodeWithSelector(AssayConsumer.ModelNotPinned.selector, plainModel));
        reader.read(plainModel, 1, 1 ether, 1 days, input);
        vm.expectRevert(abi.encodeWithSelector(AssayConsumer.ModelNotPinned.selector, plainModel));
        reader.readByRoot(plainModel, 1, 1 ether, 1 days, keccak256("root"), "");
    }

    function test_pinnedModelsHaveTheirTypes() public {
        bytes32[] memory models = new bytes32[](1);
        models[0] = wide;
        vm.expectRevert(DigitReader.LengthMismatch.selector);
        this.newReader(models, new uint8[](2));
        // One who pins a model with the wrong type reads nothing: the delivery fails, and the answer stays final.
        DigitReader wrong = _newReader(models, _types(3));
        uint256 id = wrong.read(wide, 1, 1 ether, 1 days, input);
        _answer(id, new bytes(40));
        assertTrue(requests.requestOf(id).status == Status.Final);
        assertTrue(requests.requestOf(id).delivery == Delivery.Failed);
        models[0] = zkModel;
        vm.expectRevert(abi.encodeWithSelector(AssayConsumer.DevelopmentKey.selector, zkModel));
        this.newReader(models, _types(0));
    }

    function _types(uint8 elementType) private pure returns (uint8[] memory types) {
        types = new uint8[](1);
        types[0] = elementType;
    }

    /// A slashed lie leaves no reading, and its share comes back to the contract that was lied to.
    function test_liesLeaveNoReading() public {
        uint256 id = reader.read{value: 1 ether}(narrow, 1, 2 ether, 1 days, input);
        vm.prank(hotKey);
        requests.claim(id, questionOf(id), hex"00010203ff0506ff0809");
        board.fault(requests, bytes32(id), new Payout[](0));
        vm.expectRevert(abi.encodeWithSelector(DigitReader.NotRead.selector, id));
        reader.digitOf(id);
        assertEq(reader.collect(), 2 ether);
    }
}
