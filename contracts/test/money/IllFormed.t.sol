// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {ModelRecord, ModelTerms} from "../../src/ModelTypes.sol";
import {IModelRegistry, OpenedInstruction} from "../../src/interfaces/IModelRegistry.sol";
import {InstructionTree} from "../../src/libraries/InstructionTree.sol";
import {vm} from "../Assertions.sol";
import {MoneyBase} from "./MoneyBase.sol";

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
