// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ModelRecord, ModelTerms, TensorSpec} from "../ModelTypes.sol";

/// @notice An opened leaf of a model's instruction tree.
/// @param position index of the instruction
/// @param record its 204 bytes; empty to show that nothing is there
/// @param siblings binary siblings from the leaf up, five for each 32-way level
struct OpenedInstruction {
    uint256 position;
    bytes record;
    bytes32[] siblings;
}

/// @title Immutable model records. Anybody registers; nobody changes or removes one; a proof of malformation disables it.
interface IModelRegistry {
    /// @notice A model was registered for the first time. Watchers fetch the program from `uri` and check it against the record.
    /// @param programHash keccak of the whole program file
    event ModelRegistered(
        bytes32 indexed modelId, address indexed creator, ModelRecord record, string uri, bytes32 programHash
    );
    /// @notice The creator says where the program lies. A hint: what is fetched must match the record.
    event LocationSet(bytes32 indexed modelId, string uri, bytes32 programHash);
    /// @notice The model breaks the program rules: no more requests on it, and open claims on it lose.
    event ModelIllFormed(bytes32 indexed modelId, uint256 position);
    /// @notice The verification key accepts two outputs for one input: the zk tier is off for good.
    event KeyBroken(bytes32 indexed modelId);
    /// @notice Fees burned in a model's name: the measure of its use.
    event UsageBurned(bytes32 indexed modelId, address indexed by, uint256 amount);

    error UnknownModel(bytes32 modelId);
    error RecordInvalid(string field);
    /// @notice A proof would have more public signals, 31 bytes of input or output each and the context, than are paid for on chain.
    error TooManySignals(uint256 signals, uint256 most);
    error KeyInvalid(string reason);
    error NotCreator(bytes32 modelId, address caller);
    error LocationTooLong(uint256 bytesGiven, uint256 most);
    error NothingProven();
    error OpeningInvalid();

    /// @notice Registers a model; a no-op when it is registered already. Costs about 250k gas, 250k more with a key.
    /// @param record see ModelRecord
    /// @param key words of the verification key (Groth16.sol, "Key"); empty exactly when record.keyHash is 0
    /// @param uri location hint, at most 512 bytes; taken from the creator only, ignored from others
    /// @param programHash keccak of the program file; as `uri`
    /// @return modelId keccak256(abi.encode(record))
    function register(ModelRecord calldata record, bytes calldata key, string calldata uri, bytes32 programHash)
        external
        returns (bytes32 modelId);

    /// @notice Changes the location hint; creator only.
    function setLocation(bytes32 modelId, string calldata uri, bytes32 programHash) external;

    /// @notice Disables a model by one opened instruction that breaks the rules by itself, that lies about the model's
    /// greatest depth or worst step, that does not match the model's inputs or outputs, or that is missing or superfluous.
    /// @dev Reverts NothingProven when the instruction is fine.
    function proveIllFormed(ModelRecord calldata record, OpenedInstruction calldata opened) external;

    /// @notice Disables a model by one unit of an instruction's parameters that breaks the rules: a weight, shift, bound, index
    /// or node (IInstructionValidator.validateParameters).
    function proveParametersIllFormed(
        ModelRecord calldata record,
        OpenedInstruction calldata opened,
        uint256 unit,
        bytes calldata evidence
    ) external;

    /// @notice Disables a model by two opened instructions: `reader` states a type or length of a source that `source`,
    /// which writes it, does not have.
    function proveSourceMismatch(
        ModelRecord calldata record,
        OpenedInstruction calldata reader,
        OpenedInstruction calldata source
    ) external;

    /// @notice Disables a model whose instruction root binds another count than the record states.
    /// @param count the count inside the root
    /// @param top the tree's top inside the root
    function proveCountMismatch(ModelRecord calldata record, uint32 count, bytes32 top) external;

    /// @notice Disables the zk tier of a model by two verifying proofs with equal inputs and different outputs, whatever
    /// their contexts. A sound key has no such pair.
    /// @param signals all public signals of the first proof: context, inputs, outputs
    /// @param otherSignals those of the second
    function proveKeyBroken(
        bytes32 modelId,
        bytes calldata key,
        uint256[] calldata signals,
        bytes calldata proof,
        uint256[] calldata otherSignals,
        bytes calldata otherProof
    ) external;

    /// @notice Burns the ether sent and counts it as use of the model. Anybody may; it is money gone.
    function burnFor(bytes32 modelId) external payable;

    /// @return what settlement needs; `instructionCount` is 0 for an unknown model. One storage read.
    function termsOf(bytes32 modelId) external view returns (ModelTerms memory);

    /// @notice Terms and the packed lists of inputs and outputs.
    function shapeOf(bytes32 modelId)
        external
        view
        returns (ModelTerms memory terms, TensorSpec inputs, TensorSpec outputs);

    /// @notice What an optimistic claim needs. Two storage reads.
    function outputsOf(bytes32 modelId) external view returns (ModelTerms memory terms, TensorSpec outputs);

    /// @notice What a proof's check needs. Four storage reads.
    function provingOf(bytes32 modelId)
        external
        view
        returns (ModelTerms memory terms, TensorSpec inputs, TensorSpec outputs, bytes32 keyHash);

    /// @return the whole record; reverts UnknownModel
    function recordOf(bytes32 modelId) external view returns (ModelRecord memory);

    /// @return keccak of the instruction tree (0 for an unknown model)
    function instructionRootOf(bytes32 modelId) external view returns (bytes32);

    /// @return keccak of the verification key's words (0 without a zk tier)
    function keyHashOf(bytes32 modelId) external view returns (bytes32);

    /// @return keccak of the setup transcript (0 for a development key)
    function provenanceOf(bytes32 modelId) external view returns (bytes32);

    /// @return wei burned in the model's name
    function usageOf(bytes32 modelId) external view returns (uint256);
}
