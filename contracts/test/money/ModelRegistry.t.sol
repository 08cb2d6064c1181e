// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {ModelRecord} from "../../src/ModelTypes.sol";
import {IModelRegistry} from "../../src/interfaces/IModelRegistry.sol";
import {vm} from "../Assertions.sol";
import {MoneyBase} from "./MoneyBase.sol";
import {ToyGroth16} from "./ToyGroth16.sol";

contract ModelRegistryTest is MoneyBase {
    function test_Identity_modelIdIsTheHashOfTheRecord() public view {
        ModelRecord memory r = record(1);
        assertEq(zkModel, keccak256(abi.encode(r)));
        assertEq(keccak256(abi.encode(registry.recordOf(zkModel))), zkModel);
    }

    /// Whatever field differs, the model is another one, and the first stays as it is.
    function test_Identity_everyFieldCounts() public {
        ModelRecord memory r = record(1);
        r.creator = address(this);
        bytes32 byOther = registry.register(r, key, "", 0);
        r = record(1);
        r.royalty = ROYALTY + 1;
        bytes32 dearer = registry.register(r, key, "", 0);
        r = record(1);
        r.provenance = keccak256("ceremony");
        bytes32 vouched = registry.register(r, key, "", 0);
        assertTrue(byOther != zkModel && dearer != zkModel && vouched != zkModel && byOther != dearer);
        assertEq(registry.provenanceOf(zkModel), 0);
        assertEq(registry.provenanceOf(vouched), keccak256("ceremony"));
        assertEq(registry.termsOf(zkModel).creator, creator);
    }

    function test_registeringTwiceIsNoOp() public {
        vm.recordLogs();
        assertEq(registry.register(record(1), key, "ipfs://elsewhere", keccak256("x")), zkModel);
        assertEq(vm.getRecordedLogs().length, 0);
    }

    function test_unknownModels() public {
        bytes32 unknown = keccak256("unknown");
        assertEq(registry.termsOf(unknown).instructionCount, 0);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.UnknownModel.selector, unknown));
        registry.recordOf(unknown);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.UnknownModel.selector, unknown));
        registry.burnFor{value: 1}(unknown);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.UnknownModel.selector, unknown));
        registry.setLocation(unknown, "", 0);
    }

    function test_onlyCreatorSetsLocation() public {
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.NotCreator.selector, zkModel, address(this)));
        registry.setLocation(zkModel, "https://evil.example", 0);
        vm.prank(creator);
        vm.expectEmit();
        emit IModelRegistry.LocationSet(zkModel, "https://example.org", keccak256("program"));
        registry.setLocation(zkModel, "https://example.org", keccak256("program"));
        vm.prank(creator);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.LocationTooLong.selector, 513, 512));
        registry.setLocation(zkModel, string(new bytes(513)), 0);
    }

    /// A stranger who registers a model first cannot place its location hint.
    function test_onlyCreatorSetsLocation_atRegistration() public {
        ModelRecord memory r = record(0);
        r.interfaceHash = keccak256("second");
        vm.expectEmit();
        emit IModelRegistry.ModelRegistered(keccak256(abi.encode(r)), creator, r, "", 0);
        registry.register(r, "", "https://evil.example", keccak256("evil"));
        r.interfaceHash = keccak256("third");
        vm.expectEmit();
        emit IModelRegistry.ModelRegistered(
            keccak256(abi.encode(r)), creator, r, "https://example.org", keccak256("program")
        );
        vm.prank(creator);
        registry.register(r, "", "https://example.org", keccak256("program"));
    }

    function _refused(ModelRecord memory r, string memory field) private {
        bytes memory words = r.keyHash == 0 ? bytes("") : key;
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.RecordInvalid.selector, field));
        registry.register(r, words, "", 0);
    }

    function test_recordsOutOfOrder() public {
        ModelRecord memory r = record(1);
        r.version = 2;
        _refused(r, "version");
        r = record(1);
        r.inputs = 0;
        _refused(r, "inputs");
        r = record(1);
        r.inputs = specOf(0, 0);
        _refused(r, "inputs");
        r = record(1);
        r.inputs = specOf(3, 4);
        _refused(r, "inputs");
        r = record(1);
        r.inputs = specOf(0, (1 << 26) + 1);
        _refused(r, "inputs");
        r = record(1);
        r.inputs = specOf(0, 4) | (uint256(1) << 40);
        _refused(r, "inputs");
        r = record(1);
        r.inputs = (uint256(7) << 240) | specOf(0, 4);
        _refused(r, "inputs");
        r = record(1);
        r.outputs = specOf(2, 1) | (uint256(1) << 255);
        _refused(r, "outputs");
        r = record(1);
        r.instructionCount = 0;
        _refused(r, "instructionCount");
        r = record(1);
        r.instructionCount = 513;
        _refused(r, "instructionCount");
        r = record(1);
        r.greatestDepth = 5;
        _refused(r, "greatestDepth");
        r = record(0);
        r.inputs = specOf(0, 513);
        _refused(r, "greatestDepth");
        r = record(0);
        r.outputs = specOf(2, 129);
        _refused(r, "greatestDepth");
        r = record(1);
        r.worstStepBytes = 96 * 1024 + 1;
        _refused(r, "worstStepBytes");
        r = record(1);
        r.worstStepGas = (1 << 22) + 1;
        _refused(r, "worstStepGas");
        r = record(1);
        r.inputForm = 3;
        _refused(r, "inputForm");
        r = record(1);
        r.inputForm = 0;
        _refused(r, "inputForm");
        r = record(0);
        r.inputForm = 1;
        _refused(r, "inputForm");
        r = record(0);
        r.provenance = keccak256("a ceremony without a key");
        _refused(r, "provenance");
        r = record(1);
        r.creator = address(0);
        _refused(r, "creator");
        r = record(1);
        r.royalty = 5001;
        _refused(r, "royalty");
    }

    function test_recordsAtTheBounds() public {
        ModelRecord memory r = record(0);
        r.instructionCount = 512;
        r.greatestDepth = 4;
        r.worstStepBytes = 96 * 1024;
        r.worstStepGas = 1 << 22;
        r.royalty = 5000;
        r.inputs = specOf(0, 1 << 26);
        bytes32 id = registry.register(r, "", "", 0);
        assertEq(keccak256(abi.encode(registry.recordOf(id))), id);
        r = record(0);
        r.inputs = specOf(0, 512);
        registry.register(r, "", "", 0);
    }

    function test_signalsAreBounded() public {
        // 1 + 1 + 254 = 256 signals fit; the key for them is long but sound.
        ModelRecord memory r = record(1);
        r.greatestDepth = 1;
        r.outputs = specOf(0, 254 * 31);
        bytes memory words = ToyGroth16.key(256);
        r.keyHash = keccak256(words);
        registry.register(r, words, "", 0);
        r.outputs = specOf(0, 254 * 31 + 1);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.TooManySignals.selector, 257, 256));
        registry.register(r, words, "", 0);
    }

    // Keys.

    function _keyRefused(bytes memory words, string memory reason) private {
        ModelRecord memory r = record(1);
        r.keyHash = keccak256(words);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.KeyInvalid.selector, reason));
        registry.register(r, words, "", 0);
    }

    function _with(uint256 word, uint256 value) private view returns (bytes memory words) {
        words = bytes.concat(key);
        assembly {
            mstore(add(add(words, 32), mul(32, word)), value)
        }
    }

    function _keyOf(uint256 alpha, bytes memory beta, bytes memory gamma, bytes memory delta)
        private
        view
        returns (bytes memory)
    {
        return ToyGroth16.keyWith(3, alpha, beta, gamma, delta);
    }

    function test_keysThatAnybodyForgesUnder() public {
        bytes memory g = ToyGroth16.g2(1);
        bytes memory beta = ToyGroth16.g2(3);
        bytes memory delta = ToyGroth16.g2(11);
        _keyRefused(_keyOf(1, beta, g, delta), "alpha is the generator");
        _keyRefused(_keyOf(5, g, g, delta), "beta is the generator");
        _keyRefused(_keyOf(5, beta, beta, delta), "beta is gamma");
        _keyRefused(_keyOf(5, delta, g, delta), "beta is delta");
        _keyRefused(_keyOf(5, beta, g, g), "delta is gamma");
        _keyRefused(_keyOf(5, beta, delta, delta), "delta is gamma");
        _keyRefused(_keyOf(5, beta, delta, g), "delta is the generator");
        _keyRefused(_keyOf(5, new bytes(128), g, delta), "a G2 point is infinity");
        _keyRefused(_keyOf(5, beta, new bytes(128), delta), "a G2 point is infinity");
        _keyRefused(_keyOf(5, beta, g, new bytes(128)), "a G2 point is infinity");
    }

    function test_keysWithPointsOffTheCurve() public {
        _keyRefused(_with(0, 0), "alpha is not a point");
        _keyRefused(_with(1, 1), "alpha is not a point");
        _keyRefused(new bytes(key.length), "alpha is not a point");
        for (uint256 word = 2; word < 14; ++word) {
            _keyRefused(_with(word, 5), "a G2 point is not in the subgroup");
        }
        for (uint256 word = 14; word < 22; ++word) {
            _keyRefused(_with(word, 0), "an IC is not a point");
            _keyRefused(_with(word, type(uint256).max), "an IC is not a point");
        }
    }

    /// On the twist, so a check of the equation alone would let it pass.
    function test_keysWithPointsOutsideTheSubgroup() public {
        bytes memory stray = abi.encode(
            0,
            1,
            15_975_588_672_102_553_735_566_230_729_081_043_132_501_226_101_599_136_527_557_730_645_158_523_614_371,
            3_610_091_866_386_166_428_467_545_612_961_983_990_332_663_701_371_483_510_632_385_378_352_395_651_980
        );
        bytes memory g = ToyGroth16.g2(1);
        bytes memory beta = ToyGroth16.g2(3);
        bytes memory delta = ToyGroth16.g2(11);
        _keyRefused(_keyOf(5, stray, g, delta), "a G2 point is not in the subgroup");
        _keyRefused(_keyOf(5, beta, stray, delta), "a G2 point is not in the subgroup");
        _keyRefused(_keyOf(5, beta, g, stray), "a G2 point is not in the subgroup");
    }

    function test_keysOfTheWrongSizeOrHash() public {
        _keyRefused(ToyGroth16.key(2), "wrong number of words");
        _keyRefused(ToyGroth16.key(4), "wrong number of words");
        ModelRecord memory r = record(1);
        r.royalty = 1;
        bytes memory short = ToyGroth16.key(2);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.KeyInvalid.selector, "hash"));
        registry.register(r, short, "", 0);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.KeyInvalid.selector, "hash"));
        registry.register(r, "", "", 0);
        r = record(0);
        r.royalty = 1;
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.KeyInvalid.selector, "the model has no zk tier"));
        registry.register(r, key, "", 0);
    }

    // Usage.

    function test_usageIsMoneyBurned() public {
        uint256 before = address(0).balance;
        registry.burnFor{value: 3}(zkModel);
        registry.burnFor{value: 4}(zkModel);
        assertEq(registry.usageOf(zkModel), 7);
        assertEq(address(0).balance - before, 7);
        assertEq(address(registry).balance, 0);
    }
}
