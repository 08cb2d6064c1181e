// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {ModelRecord, ModelTerms, TensorSpec} from "./ModelTypes.sol";
import {IInstructionValidator} from "./interfaces/IInstructionValidator.sol";
import {IModelRegistry, OpenedInstruction} from "./interfaces/IModelRegistry.sol";
import {Groth16} from "./libraries/Groth16.sol";
import {InstructionTree} from "./libraries/InstructionTree.sol";
import {ModelRules} from "./libraries/ModelRules.sol";
import {VerificationKey} from "./libraries/VerificationKey.sol";
import {MAX_SOURCES, RECORD_BYTES, Record, recordIn} from "./steps/Record.sol";

/// @title Models: see IModelRegistry.
contract ModelRegistry is IModelRegistry {
    struct Model {
        ModelTerms terms;
        bytes32 instructionRoot;
        bytes32 interfaceHash;
        TensorSpec inputs;
        TensorSpec outputs;
        bytes32 keyHash;
        bytes32 provenance;
        uint32 worstStepBytes;
        uint128 usage;
    }

    uint256 public constant MAX_LOCATION_BYTES = 512;

    /// Judges single instructions; code without state.
    IInstructionValidator public immutable VALIDATOR;

    mapping(bytes32 modelId => Model) private _models;

    constructor(IInstructionValidator validator) {
        VALIDATOR = validator;
    }

    /// @inheritdoc IModelRegistry
    function register(ModelRecord calldata record, bytes calldata key, string calldata uri, bytes32 programHash)
        external
        returns (bytes32 modelId)
    {
        modelId = keccak256(abi.encode(record));
        Model storage model = _models[modelId];
        if (model.terms.instructionCount != 0) return modelId;
        uint256 signals = ModelRules.check(record);
        _checkKey(record.keyHash, key, signals);
        model.terms = ModelTerms({
            creator: record.creator,
            royalty: record.royalty,
            inputForm: record.inputForm,
            greatestDepth: record.greatestDepth,
            worstStepGas: uint32(record.worstStepGas),
            instructionCount: uint16(record.instructionCount),
            illFormed: false,
            keyBroken: false
        });
        model.instructionRoot = record.instructionRoot;
        model.interfaceHash = record.interfaceHash;
        model.inputs = TensorSpec.wrap(record.inputs);
        model.outputs = TensorSpec.wrap(record.outputs);
        model.worstStepBytes = record.worstStepBytes;
        if (record.keyHash != 0) {
            model.keyHash = record.keyHash;
            model.provenance = record.provenance;
        }
        bool byCreator = msg.sender == record.creator;
        if (byCreator) _checkLocation(uri);
        emit ModelRegistered(
            modelId, record.creator, record, byCreator ? uri : "", byCreator ? programHash : bytes32(0)
        );
    }

    /// @inheritdoc IModelRegistry
    function setLocation(bytes32 modelId, string calldata uri, bytes32 programHash) external {
        // INVARIANT: onlyCreatorSetsLocation
        if (_known(modelId).terms.creator != msg.sender) revert NotCreator(modelId, msg.sender);
        _checkLocation(uri);
        emit LocationSet(modelId, uri, programHash);
    }

    /// @inheritdoc IModelRegistry
    function proveIllFormed(ModelRecord calldata record, OpenedInstruction calldata opened) external {
        bytes32 modelId = _identify(record);
        _checkOpening(record, opened);
        // INVARIANT: wellFormedModelsStay
        if (!_breaksRules(record, opened)) revert NothingProven();
        _disable(modelId, opened.position);
    }

    /// @inheritdoc IModelRegistry
    function proveParametersIllFormed(
        ModelRecord calldata record,
        OpenedInstruction calldata opened,
        uint256 unit,
        bytes calldata evidence
    ) external {
        bytes32 modelId = _identify(record);
        _checkOpening(record, opened);
        // INVARIANT: wellFormedParametersStay
        if (VALIDATOR.validateParameters(opened.record, unit, evidence)) revert NothingProven();
        _disable(modelId, opened.position);
    }

    /// @inheritdoc IModelRegistry
    function proveSourceMismatch(
        ModelRecord calldata record,
        OpenedInstruction calldata reader,
        OpenedInstruction calldata source
    ) external {
        bytes32 modelId = _identify(record);
        _checkOpening(record, reader);
        _checkOpening(record, source);
        if (reader.record.length != RECORD_BYTES || source.record.length != RECORD_BYTES) revert NothingProven();
        Record reads = recordIn(reader.record);
        Record written = recordIn(source.record);
        uint256 sources = reads.sourceCount();
        for (uint256 i = 0; i < sources && i < MAX_SOURCES; ++i) {
            if (reads.sourcePosition(i) != source.position) continue;
            if (reads.sourceType(i) != written.elementType() || reads.sourceLength(i) != written.length()) {
                return _disable(modelId, reader.position);
            }
        }
        revert NothingProven();
    }

    /// @inheritdoc IModelRegistry
    function proveCountMismatch(ModelRecord calldata record, uint32 count, bytes32 top) external {
        bytes32 modelId = _identify(record);
        if (count == record.instructionCount || InstructionTree.root(count, top) != record.instructionRoot) {
            revert NothingProven();
        }
        _disable(modelId, count);
    }

    /// @inheritdoc IModelRegistry
    function proveKeyBroken(
        bytes32 modelId,
        bytes calldata key,
        uint256[] calldata signals,
        bytes calldata proof,
        uint256[] calldata otherSignals,
        bytes calldata otherProof
    ) external {
        Model storage model = _known(modelId);
        if (model.keyHash == 0 || keccak256(key) != model.keyHash) revert KeyInvalid("not the key of this model");
        uint256 inputs = ModelRules.inputSignals(model.inputs, model.terms.inputForm);
        if (signals.length != otherSignals.length || signals.length < 1 + inputs) revert NothingProven();
        bytes32 inputHash = keccak256(abi.encodePacked(signals[1:1 + inputs]));
        if (inputHash != keccak256(abi.encodePacked(otherSignals[1:1 + inputs]))) revert NothingProven();
        bytes32 outputHash = keccak256(abi.encodePacked(signals[1 + inputs:]));
        if (outputHash == keccak256(abi.encodePacked(otherSignals[1 + inputs:]))) revert NothingProven();
        // INVARIANT: soundKeysStay
        if (!Groth16.verify(key, proof, signals) || !Groth16.verify(key, otherProof, otherSignals)) {
            revert NothingProven();
        }
        if (model.terms.keyBroken) return;
        model.terms.keyBroken = true;
        emit KeyBroken(modelId);
    }

    /// @inheritdoc IModelRegistry
    function burnFor(bytes32 modelId) external payable {
        _known(modelId).usage += uint128(msg.value);
        emit UsageBurned(modelId, msg.sender, msg.value);
        (bool sent,) = address(0).call{value: msg.value}("");
        assert(sent);
    }

    /// @inheritdoc IModelRegistry
    function termsOf(bytes32 modelId) external view returns (ModelTerms memory) {
        return _models[modelId].terms;
    }

    /// @inheritdoc IModelRegistry
    function shapeOf(bytes32 modelId)
        external
        view
        returns (ModelTerms memory terms, TensorSpec inputs, TensorSpec outputs)
    {
        Model storage model = _models[modelId];
        return (model.terms, model.inputs, model.outputs);
    }

    /// @inheritdoc IModelRegistry
    function outputsOf(bytes32 modelId) external view returns (ModelTerms memory terms, TensorSpec outputs) {
        Model storage model = _models[modelId];
        return (model.terms, model.outputs);
    }

    /// @inheritdoc IModelRegistry
    function provingOf(bytes32 modelId)
        external
        view
        returns (ModelTerms memory terms, TensorSpec inputs, TensorSpec outputs, bytes32 keyHash)
    {
        Model storage model = _models[modelId];
        return (model.terms, model.inputs, model.outputs, model.keyHash);
    }

    /// @inheritdoc IModelRegistry
    function recordOf(bytes32 modelId) external view returns (ModelRecord memory) {
        Model storage model = _known(modelId);
        ModelTerms memory terms = model.terms;
        return ModelRecord({
            version: ModelRules.VERSION,
            instructionRoot: model.instructionRoot,
            interfaceHash: model.interfaceHash,
            instructionCount: terms.instructionCount,
            inputs: TensorSpec.unwrap(model.inputs),
            outputs: TensorSpec.unwrap(model.outputs),
            greatestDepth: terms.greatestDepth,
            worstStepBytes: model.worstStepBytes,
            worstStepGas: terms.worstStepGas,
            inputForm: terms.inputForm,
            keyHash: model.keyHash,
            provenance: model.provenance,
            creator: terms.creator,
            royalty: terms.royalty
        });
    }

    /// @inheritdoc IModelRegistry
    function instructionRootOf(bytes32 modelId) external view returns (bytes32) {
        return _models[modelId].instructionRoot;
    }

    /// @inheritdoc IModelRegistry
    function keyHashOf(bytes32 modelId) external view returns (bytes32) {
        return _models[modelId].keyHash;
    }

    /// @inheritdoc IModelRegistry
    function provenanceOf(bytes32 modelId) external view returns (bytes32) {
        return _models[modelId].provenance;
    }

    /// @inheritdoc IModelRegistry
    function usageOf(bytes32 modelId) external view returns (uint256) {
        return _models[modelId].usage;
    }

    function _known(bytes32 modelId) private view returns (Model storage model) {
        model = _models[modelId];
        if (model.terms.instructionCount == 0) revert UnknownModel(modelId);
    }

    function _identify(ModelRecord calldata record) private view returns (bytes32 modelId) {
        modelId = keccak256(abi.encode(record));
        _known(modelId);
    }

    function _checkKey(bytes32 keyHash, bytes calldata key, uint256 signals) private view {
        if (keyHash == 0) {
            if (key.length != 0) revert KeyInvalid("the model has no zk tier");
            return;
        }
        if (keccak256(key) != keyHash) revert KeyInvalid("hash");
        string memory fault = VerificationKey.fault(key, signals);
        if (bytes(fault).length != 0) revert KeyInvalid(fault);
    }

    function _checkLocation(string calldata uri) private pure {
        if (bytes(uri).length > MAX_LOCATION_BYTES) revert LocationTooLong(bytes(uri).length, MAX_LOCATION_BYTES);
    }

    function _disable(bytes32 modelId, uint256 position) private {
        ModelTerms storage terms = _models[modelId].terms;
        if (terms.illFormed) return;
        terms.illFormed = true;
        emit ModelIllFormed(modelId, position);
    }

    /// A record without bytes stands for EMPTY, or for a leaf of no bytes.
    function _checkOpening(ModelRecord calldata record, OpenedInstruction calldata opened) private pure {
        bytes32 leaf = keccak256(abi.encodePacked(bytes1(0x00), opened.record));
        if (_opens(record, opened, leaf)) return;
        if (opened.record.length != 0 || !_opens(record, opened, 0)) revert OpeningInvalid();
    }

    function _opens(ModelRecord calldata record, OpenedInstruction calldata opened, bytes32 leaf)
        private
        pure
        returns (bool)
    {
        return InstructionTree.opens(
            record.instructionRoot, record.instructionCount, opened.position, leaf, opened.siblings
        );
    }

    function _breaksRules(ModelRecord calldata record, OpenedInstruction calldata opened) private view returns (bool) {
        uint256 position = opened.position;
        bytes calldata instruction = opened.record;
        // Beyond the count only EMPTY is in order.
        if (position >= record.instructionCount) return instruction.length != 0;
        if (instruction.length != RECORD_BYTES) return true;
        (bool valid, uint8 depth, uint32 stepBytes, uint64 stepGas) = VALIDATOR.validateInstruction(instruction);
        if (!valid || depth > record.greatestDepth) return true;
        if (stepBytes > record.worstStepBytes || stepGas > record.worstStepGas) return true;
        return ModelRules.contradicts(record, position, instruction);
    }
}
