// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {TensorSpec} from "../ModelTypes.sol";
import {Unit, UnitKind} from "../interfaces/IClaimBoard.sol";
import {InstructionTree} from "../libraries/InstructionTree.sol";
import {Merkle} from "../libraries/Merkle.sol";
import {TensorRoot} from "../libraries/TensorRoot.sol";
import {RECORD_BYTES, Record, recordIn} from "../steps/Record.sol";
import {DisputeUnits} from "./DisputeUnits.sol";
import {Openings} from "./Openings.sol";

/// @title Whether packed bytes answer a demanded unit (docs/dispute.md, "Answers"). Right or wrong depends on hashes alone.
library AnswerCheck {
    /// @param data tensor roots of all inputs ‖ leaf ‖ siblings of the leaf
    function inputLeaf(bytes calldata data, Unit memory unit, TensorSpec inputs, bytes32 inputRoot)
        internal
        pure
        returns (bool)
    {
        uint256 rootBytes = 32 * inputs.count();
        (uint8 elementType, uint32 length) = inputs.tensor(unit.position);
        if (data.length < rootBytes) return false;
        bytes32[] calldata roots = Openings.words(data[:rootBytes]);
        (bool whole, bytes32 top) = _leaf(data[rootBytes:], uint256(length) << elementType, unit.index);
        return whole && Openings.listRoot(roots) == inputRoot
            && TensorRoot.wrapTop(elementType, length, top) == roots[unit.position];
    }

    /// @param data record ‖ siblings of the record
    function instructionRecord(bytes calldata data, uint256 position, uint256 instructions, bytes32 instructionRoot)
        internal
        pure
        returns (bool)
    {
        if (data.length != RECORD_BYTES + 32 * InstructionTree.height(instructions)) return false;
        bytes32 leaf = Merkle.leaf(data[:RECORD_BYTES]);
        bytes32[] calldata siblings = Openings.words(data[RECORD_BYTES:]);
        return InstructionTree.opens(instructionRoot, instructions, position, leaf, siblings);
    }

    /// @param data record ‖ siblings of the record ‖ leaf ‖ siblings of the leaf; ends after the record's siblings where the
    /// record says that there is no such leaf
    function parameterLeaf(bytes calldata data, Unit memory unit, uint256 instructions, bytes32 instructionRoot)
        internal
        pure
        returns (bool)
    {
        uint256 recordBytes = RECORD_BYTES + 32 * InstructionTree.height(instructions);
        if (data.length < recordBytes) return false;
        if (!instructionRecord(data[:recordBytes], unit.position, instructions, instructionRoot)) return false;
        bytes calldata opening = data[recordBytes:];
        Record record = recordIn(data);
        uint256 size = record.parameterBytes();
        // No parameters at all: not even an empty leaf.
        if (size == 0 || unit.index >= Merkle.chunkCount(size)) return opening.length == 0;
        (bool whole, bytes32 top) = _leaf(opening, size, unit.index);
        return whole && top == record.parameterRoot();
    }

    /// @param data hashes of the children that exist; the other places are EMPTY by rule, so nobody can put anything there
    /// @param expected hash of the node, or the tensor's root for its top
    function nodeChildren(bytes calldata data, Unit memory unit, bytes32 expected) internal pure returns (bool) {
        uint256 leaves = DisputeUnits.tensorLeaves(unit);
        // INVARIANT: CanonicalEncoding. Exactly the children that the tensor's length makes.
        if (data.length != 32 * DisputeUnits.childCount(leaves, unit.height, unit.index)) return false;
        bytes32[] memory children = Openings.words(data);
        bytes32 hash = Merkle.reduce(children, Merkle.BITS_PER_LEVEL);
        return _isExpected(hash, unit, expected);
    }

    /// @param data the leaf's bytes
    function tensorLeaf(bytes calldata data, Unit memory unit, bytes32 expected) internal pure returns (bool) {
        // INVARIANT: CanonicalEncoding. Exactly the bytes that the tensor's length makes.
        if (data.length != Merkle.chunkLength(DisputeUnits.tensorBytes(unit), unit.index)) return false;
        return _isExpected(Merkle.leaf(data), unit, expected);
    }

    function _isExpected(bytes32 hash, Unit memory unit, bytes32 expected) private pure returns (bool) {
        if (unit.height == DisputeUnits.tensorDepth(unit)) {
            hash = TensorRoot.wrapTop(unit.elementType, unit.length, hash);
        }
        return hash == expected;
    }

    /// @dev Leaf `index` of `size` bytes and its siblings up to the top; `whole` says that the opening has its one length.
    function _leaf(bytes calldata opening, uint256 size, uint256 index) private pure returns (bool whole, bytes32 top) {
        uint256 leafBytes = Merkle.chunkLength(size, index);
        uint256 leaves = Merkle.chunkCount(size);
        if (opening.length != leafBytes + 32 * Merkle.BITS_PER_LEVEL * Merkle.depth(leaves)) return (false, 0);
        bytes32[] calldata siblings = Openings.words(opening[leafBytes:]);
        top = Merkle.topOfOne(leaves, 0, index, Merkle.leaf(opening[:leafBytes]), siblings);
        return (true, top);
    }
}
