// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice The identity of a model (docs/program-format.md, "Identity"): `modelId = keccak256(abi.encode(record))`.
/// @param version 1
/// @param instructionRoot keccak(0x04 ‖ count ‖ top) of the instruction records; binds all parameters too
/// @param interfaceHash keccak of the interface bytes
/// @param instructionCount 1 to 512
/// @param inputs up to six tensors: i-th in bits [40·i, 40·i + 40) = type << 32 | length; the count in bits 240–247
/// @param outputs likewise
/// @param greatestDepth greatest tree depth of any tensor or parameter blob
/// @param worstStepBytes most bytes that one step of any instruction opens
/// @param worstStepGas gas of the dearest step
/// @param inputForm how a proof sees the input: 0 no zk tier, 1 public packed bytes, 2 Poseidon commitment
/// @param keyHash keccak of the verification key's words; 0 without a zk tier
/// @param provenance keccak of the setup transcript; 0 for development keys and without a zk tier
/// @param creator earns the royalty and sets the location hint
/// @param royalty basis points of every fee
struct ModelRecord {
    uint32 version;
    bytes32 instructionRoot;
    bytes32 interfaceHash;
    uint32 instructionCount;
    uint256 inputs;
    uint256 outputs;
    uint8 greatestDepth;
    uint32 worstStepBytes;
    uint64 worstStepGas;
    uint8 inputForm;
    bytes32 keyHash;
    bytes32 provenance;
    address creator;
    uint16 royalty;
}

/// @notice What settlement needs of a model; one storage slot. All zero for an unknown modelId.
/// @param instructionCount at least 1 for every registered model
/// @param illFormed some instruction was shown to break the rules: claims on the model lose
/// @param keyBroken the verification key was shown unsound: no zk answers any more
struct ModelTerms {
    address creator;
    uint16 royalty;
    uint8 inputForm;
    uint8 greatestDepth;
    uint32 worstStepGas;
    uint16 instructionCount;
    bool illFormed;
    bool keyBroken;
}

/// @notice A list of tensor types in one word; the form of ModelRecord.inputs and .outputs.
type TensorSpec is uint256;

using TensorSpecs for TensorSpec global;

/// @title Reads and checks packed tensor lists.
library TensorSpecs {
    uint256 internal constant MAX_TENSORS = 6;
    uint256 internal constant MAX_LENGTH = 1 << 26;

    function count(TensorSpec spec) internal pure returns (uint256) {
        return TensorSpec.unwrap(spec) >> 240;
    }

    /// @return elementType 0 u8, 1 i16, 2 i32
    /// @return length elements
    function tensor(TensorSpec spec, uint256 i) internal pure returns (uint8 elementType, uint32 length) {
        uint256 word = TensorSpec.unwrap(spec) >> (40 * i);
        elementType = uint8(word >> 32);
        length = uint32(word);
    }

    /// @return bytes of one element: 1, 2 or 4
    function elementBytes(uint8 elementType) internal pure returns (uint256) {
        return 1 << elementType;
    }

    /// @return total bytes of the tensors joined, in order
    function byteLength(TensorSpec spec) internal pure returns (uint256 total) {
        uint256 tensors = count(spec);
        for (uint256 i = 0; i < tensors; ++i) {
            (uint8 elementType, uint32 length) = tensor(spec, i);
            total += uint256(length) << elementType;
        }
    }

    /// @return whether the word is canonical: one to six tensors, known types, lengths in [1, 2^26], nothing else set
    function isCanonical(TensorSpec spec) internal pure returns (bool) {
        uint256 word = TensorSpec.unwrap(spec);
        uint256 tensors = word >> 240;
        if (tensors == 0 || tensors > MAX_TENSORS) return false;
        for (uint256 i = 0; i < tensors; ++i) {
            (uint8 elementType, uint32 length) = tensor(spec, i);
            if (elementType > 2 || length == 0 || length > MAX_LENGTH) return false;
        }
        uint256 used = 40 * tensors;
        return (word & ((1 << 240) - 1)) >> used == 0;
    }
}
