// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ModelRecord, TensorSpec} from "../ModelTypes.sol";
import {IModelRegistry} from "../interfaces/IModelRegistry.sol";
import {INPUT, Record, recordIn} from "../steps/Record.sol";
import {InstructionTree} from "./InstructionTree.sol";
import {Merkle} from "./Merkle.sol";

/// @title What a model record must satisfy, and what an instruction must satisfy to belong to its model.
library ModelRules {
    uint32 internal constant VERSION = 1;
    uint16 internal constant MAX_ROYALTY = 5000;
    /// 32^4 leaves of 512 bytes hold every tensor and parameter blob.
    uint8 internal constant MAX_DEPTH = 4;
    uint32 internal constant MAX_STEP_BYTES = 96 * 1024;
    /// A quarter of the transaction gas cap of EIP-7825.
    uint64 internal constant MAX_STEP_GAS = 1 << 22;
    uint256 internal constant MAX_SIGNALS = 256;
    uint256 internal constant BYTES_PER_SIGNAL = 31;
    uint256 private constant CHUNK_BYTES = 512;

    uint8 internal constant FORM_NONE = 0;
    uint8 internal constant FORM_PACKED = 1;
    uint8 internal constant FORM_COMMITMENT = 2;

    /// @notice Reverts IModelRegistry.RecordInvalid naming the first field out of order, TooManySignals for what no proof may carry.
    /// @return signals public signals of a proof, the context included; 0 without a zk tier
    function check(ModelRecord calldata record) internal pure returns (uint256 signals) {
        TensorSpec inputs = TensorSpec.wrap(record.inputs);
        TensorSpec outputs = TensorSpec.wrap(record.outputs);
        _require(record.version == VERSION, "version");
        _require(inputs.isCanonical(), "inputs");
        _require(outputs.isCanonical(), "outputs");
        _require(record.instructionCount <= InstructionTree.MAX_INSTRUCTIONS, "instructionCount");
        _require(record.instructionCount >= inputs.count(), "instructionCount");
        _require(record.instructionCount >= outputs.count(), "instructionCount");
        _require(record.greatestDepth <= MAX_DEPTH, "greatestDepth");
        _require(_depth(inputs) <= record.greatestDepth, "greatestDepth");
        _require(_depth(outputs) <= record.greatestDepth, "greatestDepth");
        _require(record.worstStepBytes <= MAX_STEP_BYTES, "worstStepBytes");
        _require(record.worstStepGas <= MAX_STEP_GAS, "worstStepGas");
        _require(record.inputForm <= FORM_COMMITMENT, "inputForm");
        _require((record.inputForm == FORM_NONE) == (record.keyHash == 0), "inputForm");
        _require(record.keyHash != 0 || record.provenance == 0, "provenance");
        _require(record.creator != address(0), "creator");
        _require(record.royalty <= MAX_ROYALTY, "royalty");
        if (record.keyHash == 0) return 0;
        signals = 1 + inputSignals(inputs, record.inputForm) + packedSignals(outputs);
        if (signals > MAX_SIGNALS) revert IModelRegistry.TooManySignals(signals, MAX_SIGNALS);
    }

    /// @return signals that carry the tensors' bytes, 31 each
    function packedSignals(TensorSpec spec) internal pure returns (uint256) {
        return (spec.byteLength() + BYTES_PER_SIGNAL - 1) / BYTES_PER_SIGNAL;
    }

    /// @return signals that carry the input
    function inputSignals(TensorSpec inputs, uint8 inputForm) internal pure returns (uint256) {
        return inputForm == FORM_COMMITMENT ? 1 : packedSignals(inputs);
    }

    /// @notice Whether a well-formed instruction does not fit its place in the model: inputs come first, exactly as many and of
    /// the types that the record states; the last instructions write the outputs.
    /// @param instruction 204 bytes at a position below the count
    function contradicts(ModelRecord calldata record, uint256 position, bytes calldata instruction)
        internal
        pure
        returns (bool)
    {
        TensorSpec inputs = TensorSpec.wrap(record.inputs);
        TensorSpec outputs = TensorSpec.wrap(record.outputs);
        Record fields = recordIn(instruction);
        if ((fields.kind() == INPUT) != (position < inputs.count())) return true;
        if (position < inputs.count() && !_is(inputs, position, fields)) return true;
        uint256 firstOutput = record.instructionCount - outputs.count();
        if (position >= firstOutput && !_is(outputs, position - firstOutput, fields)) return true;
        uint256 sources = fields.sourceCount();
        for (uint256 i = 0; i < sources; ++i) {
            if (fields.sourcePosition(i) >= position) return true;
        }
        return false;
    }

    function _is(TensorSpec spec, uint256 i, Record instruction) private pure returns (bool) {
        (uint8 elementType, uint32 length) = spec.tensor(i);
        return elementType == instruction.elementType() && length == instruction.length();
    }

    /// Greatest tree depth of the listed tensors.
    function _depth(TensorSpec spec) private pure returns (uint256 greatest) {
        uint256 tensors = spec.count();
        for (uint256 i = 0; i < tensors; ++i) {
            (uint8 elementType, uint32 length) = spec.tensor(i);
            uint256 depth = Merkle.depth(Merkle.chunkCount(uint256(length) << elementType));
            if (depth > greatest) greatest = depth;
        }
    }

    function _require(bool holds, string memory field) private pure {
        if (!holds) revert IModelRegistry.RecordInvalid(field);
    }
}
