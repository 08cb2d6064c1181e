// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Fault, IClaimBoard, NodeProof, Unit, UnitKind} from "../interfaces/IClaimBoard.sol";
import {IStepVerifier} from "../interfaces/IStepVerifier.sol";
import {InstructionTree} from "../libraries/InstructionTree.sol";
import {Merkle} from "../libraries/Merkle.sol";
import {TensorRoot} from "../libraries/TensorRoot.sol";
import {INPUT, MAX_SOURCES, RECORD_BYTES, Record, recordIn} from "../steps/Record.sol";
import {DisputeUnits} from "./DisputeUnits.sol";
import {Openings} from "./Openings.sol";

/// @title Checks what is proven against a posted trace: that a node belongs to it, that an element of it is wrong.
library FaultCheck {
    /// @dev What a claim is checked against.
    struct Basis {
        uint256 instructions;
        bytes32 instructionRoot;
        bytes32 traceRoot;
    }

    /// @notice The hash that an answer to a node or leaf demand must have: of the node, or the tensor's root for its top.
    /// @param depth of the tensor's tree; the unit lies within it
    function provenNode(Unit calldata unit, NodeProof calldata proof, uint256 depth, Basis memory basis)
        internal
        pure
        returns (bytes32)
    {
        _requireRecord(proof.record, unit.position, proof.recordSiblings, basis);
        // INVARIANT: HonestSafety. Type and length are the record's, so the unit exists in an honest prover's tensor.
        Record record = recordIn(proof.record);
        if (unit.elementType != record.elementType() || unit.length != record.length()) {
            revert IClaimBoard.UnitInvalid();
        }
        bytes32 top = Merkle.topOfOne(
            basis.instructions, 0, unit.position, Merkle.leafOfRoot(proof.tensorRoot), proof.rootSiblings
        );
        if (Openings.traceRoot(basis.instructions, top) != basis.traceRoot) revert IClaimBoard.RootOpeningInvalid();
        if (unit.height == depth) {
            // The top's own hash is inside the root, and nobody knows it before it is answered.
            if (proof.node != 0 || proof.nodeSiblings.length != 0) revert IClaimBoard.NodeOpeningInvalid();
            return proof.tensorRoot;
        }
        uint256 leaves = DisputeUnits.tensorLeaves(unit);
        top = Merkle.topOfOne(leaves, unit.height, unit.index, proof.node, proof.nodeSiblings);
        // INVARIANT: HonestSafety. Only what the prover itself posted is demanded, at its own place.
        if (TensorRoot.wrapTop(unit.elementType, unit.length, top) != proof.tensorRoot) {
            revert IClaimBoard.NodeOpeningInvalid();
        }
        return proof.node;
    }

    /// @notice Computes an element and reads it from the posted trace.
    /// @return right what the instruction makes of the posted sources
    /// @return claimed what the posted tensor holds
    /// @return leaf the unit that the element lies in
    function elements(Fault calldata fault, Basis memory basis, IStepVerifier verifier)
        internal
        view
        returns (int256 right, int256 claimed, Unit memory leaf)
    {
        _requireRecord(fault.record, fault.position, fault.recordSiblings, basis);
        // Inputs are the claim's own; no step computes them.
        Record record = recordIn(fault.record);
        if (record.kind() == INPUT) revert IClaimBoard.UnitInvalid();
        uint32 length = uint32(record.length());
        uint8 elementType = uint8(record.elementType());
        if (fault.element >= length || elementType > 2) revert IClaimBoard.UnitInvalid();
        (bytes32 own, bytes32[] memory sourceRoots) = _openRoots(fault, basis);
        uint256 byteOffset = uint256(fault.element) << elementType;
        // casting to 'uint32' is safe because 2^32 elements of four bytes have 2^25 leaves
        // forge-lint: disable-next-line(unsafe-typecast)
        uint32 index = uint32(byteOffset / Merkle.CHUNK_BYTES);
        leaf = Unit(UnitKind.TensorLeaf, fault.position, 0, index, elementType, length);
        _requireLeaf(fault, leaf, own);
        claimed = _element(fault.leaf, byteOffset % Merkle.CHUNK_BYTES, elementType);
        right = verifier.step(fault.record, fault.element, sourceRoots, fault.evidence);
    }

    function _requireRecord(bytes calldata record, uint256 position, bytes32[] calldata siblings, Basis memory basis)
        private
        pure
    {
        bool valid = record.length == RECORD_BYTES && position < basis.instructions;
        // INVARIANT: Identity. The record is the model's own, at its own place.
        if (
            !valid
                || !InstructionTree.opens(
                    basis.instructionRoot, basis.instructions, position, Merkle.leaf(record), siblings
                )
        ) revert IClaimBoard.RecordOpeningInvalid();
    }

    function _requireLeaf(Fault calldata fault, Unit memory unit, bytes32 root) private pure {
        // INVARIANT: CanonicalEncoding. A leaf has exactly its bytes, at exactly its depth.
        if (fault.leaf.length != Merkle.chunkLength(DisputeUnits.tensorBytes(unit), unit.index)) {
            revert IClaimBoard.NodeOpeningInvalid();
        }
        uint256 leaves = DisputeUnits.tensorLeaves(unit);
        bytes32 top = Merkle.topOfOne(leaves, 0, unit.index, Merkle.leaf(fault.leaf), fault.leafSiblings);
        if (TensorRoot.wrapTop(unit.elementType, unit.length, top) != root) revert IClaimBoard.NodeOpeningInvalid();
    }

    /// @dev Opens the roots of the instruction's own tensor and of its sources, and puts them in the sources' order.
    function _openRoots(Fault calldata fault, Basis memory basis)
        private
        pure
        returns (bytes32 own, bytes32[] memory sourceRoots)
    {
        uint256 sources = recordIn(fault.record).sourceCount();
        if (sources > MAX_SOURCES) revert IClaimBoard.RecordOpeningInvalid();
        uint256[] memory positions = new uint256[](sources + 1);
        uint256 count = 0;
        for (uint256 i = 0; i <= sources; ++i) {
            count = _insert(positions, count, _positionOf(fault, i, sources));
        }
        assembly ("memory-safe") {
            mstore(positions, count)
        }
        if (fault.roots.length != count) revert IClaimBoard.RootOpeningInvalid();
        sourceRoots = new bytes32[](sources);
        for (uint256 i = 0; i <= sources; ++i) {
            uint256 position = _positionOf(fault, i, sources);
            uint256 place = 0;
            while (positions[place] != position) ++place;
            if (i == sources) own = fault.roots[place];
            else sourceRoots[i] = fault.roots[place];
        }
        bytes32 top =
            Merkle.topOfMany(basis.instructions, 0, positions, Openings.rootLeaves(fault.roots), fault.rootSiblings);
        if (Openings.traceRoot(basis.instructions, top) != basis.traceRoot) revert IClaimBoard.RootOpeningInvalid();
    }

    /// @dev Position of the i-th source; of the instruction itself after the last.
    function _positionOf(Fault calldata fault, uint256 i, uint256 sources) private pure returns (uint256) {
        return i == sources ? fault.position : recordIn(fault.record).sourcePosition(i);
    }

    /// @dev Inserts into the ascending first `count` entries unless it is there; returns the new count.
    function _insert(uint256[] memory sorted, uint256 count, uint256 value) private pure returns (uint256) {
        uint256 place = count;
        while (place > 0 && sorted[place - 1] >= value) --place;
        if (place < count && sorted[place] == value) return count;
        for (uint256 i = count; i > place; --i) {
            sorted[i] = sorted[i - 1];
        }
        sorted[place] = value;
        return count + 1;
    }

    /// @dev Little-endian element: u8, i16 or i32 two's complement.
    function _element(bytes calldata leaf, uint256 offset, uint8 elementType) private pure returns (int256) {
        if (elementType == 0) return int256(uint256(uint8(leaf[offset])));
        if (elementType == 1) {
            return int16(uint16(uint8(leaf[offset])) | uint16(uint8(leaf[offset + 1])) << 8);
        }
        uint32 value = 0;
        for (uint256 i = 0; i < 4; ++i) {
            value |= uint32(uint8(leaf[offset + i])) << uint32(8 * i);
        }
        return int32(value);
    }
}
