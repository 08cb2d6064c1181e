// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {ModelRecord, ModelTerms} from "../../src/ModelTypes.sol";
import {IModelRegistry, OpenedInstruction} from "../../src/interfaces/IModelRegistry.sol";
import {InstructionTree} from "../../src/libraries/InstructionTree.sol";
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
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.RecordInvalid.selector, "inputForm"));
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

/// @notice A model whose instructions the test writes: six of them, so a tree of one 32-way level.
contract IllFormedTest is MoneyBase {
    bytes[] private records;
    uint256 private constant COUNT = 6;

    function setUp() public override {
        super.setUp();
        for (uint256 i = 0; i < COUNT; ++i) {
            records.push(
                _instruction(i == 0 ? 0 : 3, i == COUNT - 1 ? 2 : 0, i == COUNT - 1 ? 1 : 4, i, i - (i == 0 ? 0 : 1))
            );
        }
    }

    /// Reads `source` when it is not an input.
    function _instruction(uint8 kind, uint8 elementType, uint32 length, uint256 position, uint256 source)
        private
        pure
        returns (bytes memory r)
    {
        r = new bytes(204);
        r[0] = bytes1(kind);
        r[1] = bytes1(elementType);
        _put(r, 4, length, 4);
        if (position == 0) return r;
        r[2] = 0x01;
        _put(r, 44, uint32(source), 2);
        _put(r, 48, 4, 4);
    }

    function _put(bytes memory r, uint256 from, uint32 value, uint256 size) private pure {
        for (uint256 i = 0; i < size; ++i) {
            r[from + size - 1 - i] = bytes1(uint8(value >> (8 * i)));
        }
    }

    function _patch(uint256 position, uint256 from, uint32 value, uint256 size) private {
        bytes memory r = records[position];
        _put(r, from, value, size);
        records[position] = r;
    }

    function _leaf(uint256 position) private view returns (bytes32) {
        if (position >= records.length || records[position].length == 0) return 0;
        return keccak256(abi.encodePacked(bytes1(0x00), records[position]));
    }

    function _level(uint256 height) private view returns (bytes32[] memory hashes) {
        hashes = new bytes32[](32);
        for (uint256 i = 0; i < 32; ++i) {
            hashes[i] = _leaf(i);
        }
        for (uint256 h = 0; h < height; ++h) {
            for (uint256 i = 0; i < 32 >> (h + 1); ++i) {
                bytes32 left = hashes[2 * i];
                bytes32 right = hashes[2 * i + 1];
                hashes[i] =
                    left == 0 && right == 0 ? bytes32(0) : keccak256(abi.encodePacked(bytes1(0x01), left, right));
            }
        }
    }

    function _model(uint256 count) private view returns (ModelRecord memory r) {
        r = record(0);
        r.instructionCount = uint32(count);
        r.instructionRoot = InstructionTree.root(count, _level(5)[0]);
    }

    function _open(uint256 position) private view returns (OpenedInstruction memory opened) {
        opened.position = position;
        opened.record = position < records.length ? records[position] : bytes("");
        opened.siblings = new bytes32[](5);
        for (uint256 h = 0; h < 5; ++h) {
            opened.siblings[h] = _level(h)[(position >> h) ^ 1];
        }
    }

    function _disables(ModelRecord memory r, uint256 position) private {
        bytes32 id = registry.register(r, "", "", 0);
        assertFalse(registry.termsOf(id).illFormed);
        vm.expectEmit();
        emit IModelRegistry.ModelIllFormed(id, position);
        registry.proveIllFormed(r, _open(position));
        ModelTerms memory terms = registry.termsOf(id);
        assertTrue(terms.illFormed);
        assertFalse(terms.keyBroken);
        // Again is no error and no event.
        vm.recordLogs();
        registry.proveIllFormed(r, _open(position));
        assertEq(vm.getRecordedLogs().length, 0);
    }

    function test_wellFormedModelsStay() public {
        ModelRecord memory r = _model(COUNT);
        registry.register(r, "", "", 0);
        for (uint256 i = 0; i < 32; ++i) {
            OpenedInstruction memory opened = _open(i);
            vm.expectRevert(IModelRegistry.NothingProven.selector);
            registry.proveIllFormed(r, opened);
        }
        OpenedInstruction memory reader = _open(3);
        OpenedInstruction memory source = _open(2);
        vm.expectRevert(IModelRegistry.NothingProven.selector);
        registry.proveSourceMismatch(r, reader, source);
        source = _open(1);
        vm.expectRevert(IModelRegistry.NothingProven.selector);
        registry.proveSourceMismatch(r, reader, source);
        bytes32 top = _level(5)[0];
        vm.expectRevert(IModelRegistry.NothingProven.selector);
        registry.proveCountMismatch(r, uint32(COUNT), top);
        vm.expectRevert(IModelRegistry.NothingProven.selector);
        registry.proveCountMismatch(r, uint32(COUNT + 1), top);
    }

    function test_malformedInstruction() public {
        records[3][203] = 0x01;
        _disables(_model(COUNT), 3);
    }

    function test_understatedDepth() public {
        records[2][200] = 0x01;
        ModelRecord memory r = _model(COUNT);
        _disables(r, 2);
    }

    function test_understatedStep() public {
        records[2][201] = 0x65;
        _disables(_model(COUNT), 2);
        records[2][201] = 0x64;
        records[2][202] = 0x65;
        _disables(_model(COUNT), 2);
        records[2][202] = 0x64;
        ModelRecord memory r = _model(COUNT);
        registry.register(r, "", "", 0);
        OpenedInstruction memory opened = _open(2);
        vm.expectRevert(IModelRegistry.NothingProven.selector);
        registry.proveIllFormed(r, opened);
    }

    function test_missingInstruction() public {
        delete records[4];
        _disables(_model(COUNT), 4);
    }

    function test_superfluousInstruction() public {
        _disables(_model(COUNT - 1), COUNT - 1);
    }

    function test_instructionOfAnotherSize() public {
        records[4] = new bytes(205);
        _disables(_model(COUNT), 4);
    }

    function test_cyclicProgram() public {
        _patch(3, 44, 3, 2);
        _disables(_model(COUNT), 3);
        _patch(3, 44, 4, 2);
        _disables(_model(COUNT), 3);
    }

    function test_inputInTheMiddle() public {
        records[2][0] = 0x00;
        _disables(_model(COUNT), 2);
    }

    function test_firstInstructionIsNoInput() public {
        records[0][0] = 0x03;
        _disables(_model(COUNT), 0);
    }

    function test_inputOfAnotherTypeOrLength() public {
        records[0][1] = 0x01;
        _disables(_model(COUNT), 0);
        records[0][1] = 0x00;
        _patch(0, 4, 5, 4);
        _disables(_model(COUNT), 0);
    }

    function test_outputOfAnotherTypeOrLength() public {
        records[COUNT - 1][1] = 0x01;
        _disables(_model(COUNT), COUNT - 1);
        records[COUNT - 1][1] = 0x02;
        _patch(COUNT - 1, 4, 2, 4);
        _disables(_model(COUNT), COUNT - 1);
    }

    function test_sourceOfAnotherTypeOrLength() public {
        for (uint256 i = 0; i < 2; ++i) {
            if (i == 0) _patch(3, 48, 5, 4);
            else records[2][1] = 0x01;
            ModelRecord memory r = _model(COUNT);
            bytes32 id = registry.register(r, "", "", 0);
            registry.proveSourceMismatch(r, _open(3), _open(2));
            assertTrue(registry.termsOf(id).illFormed);
            _patch(3, 48, 4, 4);
        }
    }

    function test_wellFormedParametersStay() public {
        ModelRecord memory r = _model(COUNT);
        bytes32 id = registry.register(r, "", "", 0);
        OpenedInstruction memory opened = _open(3);
        vm.expectRevert(IModelRegistry.NothingProven.selector);
        registry.proveParametersIllFormed(r, opened, 0, hex"01");
        vm.expectRevert("opens nothing");
        registry.proveParametersIllFormed(r, opened, 0, "");
        opened.position = 2;
        vm.expectRevert(IModelRegistry.OpeningInvalid.selector);
        registry.proveParametersIllFormed(r, opened, 0, hex"00");
        assertFalse(registry.termsOf(id).illFormed);
        registry.proveParametersIllFormed(r, _open(3), 0, hex"00");
        assertTrue(registry.termsOf(id).illFormed);
    }

    function test_countMismatch() public {
        ModelRecord memory r = _model(COUNT);
        r.instructionCount = uint32(COUNT + 1);
        bytes32 id = registry.register(r, "", "", 0);
        registry.proveCountMismatch(r, uint32(COUNT), _level(5)[0]);
        assertTrue(registry.termsOf(id).illFormed);
    }

    /// Openings at another index, of another length, of another record, or beyond the tree prove nothing.
    function test_openingsMustBeTheirs() public {
        records[3][203] = 0x01;
        ModelRecord memory r = _model(COUNT);
        registry.register(r, "", "", 0);
        OpenedInstruction memory opened = _open(3);
        opened.position = 2;
        _refusesOpening(r, opened);
        opened = _open(3);
        opened.position = 3 + 32;
        _refusesOpening(r, opened);
        opened = _open(3);
        opened.record[0] = 0x05;
        _refusesOpening(r, opened);
        opened = _open(3);
        opened.siblings = new bytes32[](4);
        _refusesOpening(r, opened);
        opened = _open(3);
        opened.siblings[2] = keccak256("garbage");
        _refusesOpening(r, opened);
        opened = _open(7);
        opened.siblings[0] = keccak256("garbage in a padding slot");
        _refusesOpening(r, opened);
        opened = _open(1);
        opened.record = "";
        _refusesOpening(r, opened);
        // Of a node instead of a leaf: prefixes keep them apart.
        opened = _open(0);
        opened.record = abi.encodePacked(_level(0)[0], _level(0)[1]);
        _refusesOpening(r, opened);
    }

    function _refusesOpening(ModelRecord memory r, OpenedInstruction memory opened) private {
        vm.expectRevert(IModelRegistry.OpeningInvalid.selector);
        registry.proveIllFormed(r, opened);
    }

    /// A rival opens an instruction of its own model against another's record: the record names the model it is checked for.
    function test_onlyTheModelItselfIsDisabled() public {
        ModelRecord memory good = _model(COUNT);
        bytes32 goodId = registry.register(good, "", "", 0);
        records[3][203] = 0x01;
        OpenedInstruction memory opened = _open(3);
        _refusesOpening(good, opened);
        ModelRecord memory unregistered = _model(COUNT);
        vm.expectRevert(
            abi.encodeWithSelector(IModelRegistry.UnknownModel.selector, keccak256(abi.encode(unregistered)))
        );
        registry.proveIllFormed(unregistered, opened);
        assertFalse(registry.termsOf(goodId).illFormed);
    }
}

contract KeyBrokenTest is MoneyBase {
    uint256[] private signals = [uint256(11), 22, 33];
    uint256[] private other = [uint256(99), 22, 34];

    function _report(uint256[] memory a, bytes memory proofA, uint256[] memory b, bytes memory proofB) private {
        registry.proveKeyBroken(zkModel, key, a, proofA, b, proofB);
    }

    /// The toy setup's secrets are known, so its key is as unsound as can be.
    function test_twoOutputsForOneInputDisableTheKey() public {
        vm.expectEmit();
        emit IModelRegistry.KeyBroken(zkModel);
        _report(signals, ToyGroth16.prove(signals, 7), other, ToyGroth16.prove(other, 8));
        assertTrue(registry.termsOf(zkModel).keyBroken);
        assertFalse(registry.termsOf(zkModel).illFormed);
        assertFalse(registry.termsOf(committedModel).keyBroken);
        _report(signals, ToyGroth16.prove(signals, 7), other, ToyGroth16.prove(other, 8));
    }

    /// Key disabled by a rival: nothing that holds of a sound key disables one.
    function test_soundKeysStay() public {
        uint256[] memory same = new uint256[](3);
        (same[0], same[1], same[2]) = (99, 22, 33);
        bytes memory proof = ToyGroth16.prove(signals, 7);
        bytes memory second = ToyGroth16.prove(same, 9);
        vm.expectRevert(IModelRegistry.NothingProven.selector);
        _report(signals, proof, same, second);
        same[1] = 23;
        same[2] = 34;
        second = ToyGroth16.prove(same, 9);
        vm.expectRevert(IModelRegistry.NothingProven.selector);
        _report(signals, proof, same, second);
        second = ToyGroth16.prove(same, 9);
        vm.expectRevert(IModelRegistry.NothingProven.selector);
        _report(signals, proof, other, second);
        bytes memory third = ToyGroth16.prove(other, 7);
        vm.expectRevert(IModelRegistry.NothingProven.selector);
        _report(signals, second, other, third);
    }

    /// One output written twice, below and above the prime, is no second output.
    function test_soundKeysStay_aliasedSignals() public {
        uint256[] memory aliased = new uint256[](3);
        (aliased[0], aliased[1], aliased[2]) =
        (
            11,
            22,
            33 + 21_888_242_871_839_275_222_246_405_745_257_275_088_548_364_400_416_034_343_698_204_186_575_808_495_617
        );
        bytes memory proof = ToyGroth16.prove(signals, 7);
        vm.expectRevert(IModelRegistry.NothingProven.selector);
        _report(signals, proof, aliased, proof);
    }

    function test_anotherKeyProvesNothing() public {
        bytes memory wrong = ToyGroth16.key(4);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.KeyInvalid.selector, "not the key of this model"));
        registry.proveKeyBroken(zkModel, wrong, signals, "", other, "");
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.KeyInvalid.selector, "not the key of this model"));
        registry.proveKeyBroken(plainModel, "", signals, "", other, "");
        uint256[] memory few = new uint256[](1);
        vm.expectRevert(IModelRegistry.NothingProven.selector);
        registry.proveKeyBroken(zkModel, key, few, "", few, "");
    }
}
