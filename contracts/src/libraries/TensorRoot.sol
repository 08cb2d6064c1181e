// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Merkle} from "./Merkle.sol";

/// @title Roots of tensors and of lists of tensors (docs/program-format.md, "Trees").
library TensorRoot {
    uint8 internal constant U8 = 0;
    uint8 internal constant I16 = 1;
    uint8 internal constant I32 = 2;

    /// @notice Not one of the three element types.
    error InvalidElementType();
    /// @notice The bytes are not exactly `length` elements.
    error InvalidTensorBytes();

    /// @notice Bytes of one element: 1, 2 or 4.
    function elementBytes(uint256 elementType) internal pure returns (uint256) {
        if (elementType > I32) revert InvalidElementType();
        return 1 << elementType;
    }

    /// @notice Root of a tensor given whole. Costs about 250 gas a 512-byte leaf besides its calldata.
    function ofBytes(uint8 elementType, uint32 length, bytes calldata data) internal pure returns (bytes32) {
        if (data.length != length * elementBytes(elementType)) revert InvalidTensorBytes();
        return wrapTop(elementType, length, topOfBytes(data));
    }

    /// @notice As `ofBytes`, for bytes in memory.
    function ofMemory(uint8 elementType, uint32 length, bytes memory data) internal pure returns (bytes32) {
        if (data.length != length * elementBytes(elementType)) revert InvalidTensorBytes();
        bytes32[] memory leaves = new bytes32[](Merkle.chunkCount(data.length));
        assembly ("memory-safe") {
            let buffer := mload(0x40)
            mstore8(buffer, 0)
            let rest := mload(data)
            let from := add(data, 32)
            let out := add(leaves, 32)
            for { let last := add(out, shl(5, mload(leaves))) } lt(out, last) { out := add(out, 32) } {
                let size := rest
                if gt(size, 512) { size := 512 }
                mcopy(add(buffer, 1), from, size)
                mstore(out, keccak256(buffer, add(size, 1)))
                from := add(from, size)
                rest := sub(rest, size)
            }
        }
        return wrapTop(elementType, length, Merkle.topOfLeaves(leaves));
    }

    /// @notice Top of the tree over 512-byte chunks.
    function topOfBytes(bytes calldata data) internal pure returns (bytes32) {
        bytes32[] memory leaves = new bytes32[](Merkle.chunkCount(data.length));
        assembly ("memory-safe") {
            let buffer := mload(0x40)
            mstore8(buffer, 0)
            let rest := data.length
            let from := data.offset
            let out := add(leaves, 32)
            for { let last := add(out, shl(5, mload(leaves))) } lt(out, last) { out := add(out, 32) } {
                let size := rest
                if gt(size, 512) { size := 512 }
                calldatacopy(add(buffer, 1), from, size)
                mstore(out, keccak256(buffer, add(size, 1)))
                from := add(from, size)
                rest := sub(rest, size)
            }
        }
        return Merkle.topOfLeaves(leaves);
    }

    /// @notice `keccak(0x02 ‖ type ‖ length as u32 ‖ top)`.
    function wrapTop(uint8 elementType, uint32 length, bytes32 top) internal pure returns (bytes32) {
        if (elementType > I32) revert InvalidElementType();
        return keccak256(abi.encodePacked(bytes1(0x02), elementType, length, top));
    }

    /// @notice `keccak(0x03 ‖ roots in order)`, also for one: input roots and output roots.
    function ofList(bytes32[] memory roots) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(0x03), roots));
    }
}
