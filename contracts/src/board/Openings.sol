// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Merkle} from "../libraries/Merkle.sol";

/// @title Roots that a claim and its trace are made of, from calldata (docs/program-format.md, "Trees").
library Openings {
    /// @notice `keccak(0x03 ‖ tensor roots)`: a claim's input or output.
    function listRoot(bytes32[] calldata roots) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(0x03), roots));
    }

    /// @notice `keccak(0x05 ‖ count ‖ top)`; leaf i of the tree is the root of tensor i.
    function traceRoot(uint256 count, bytes32 top) internal pure returns (bytes32) {
        // casting to 'uint32' is safe because a model has at most 512 instructions
        // forge-lint: disable-next-line(unsafe-typecast)
        return keccak256(abi.encodePacked(bytes1(0x05), uint32(count), top));
    }

    /// @notice Trace root of a whole root list.
    function traceRootOf(bytes32[] calldata roots) internal pure returns (bytes32) {
        return traceRoot(roots.length, Merkle.topOfLeaves(rootLeaves(roots)));
    }

    /// @notice Leaves of a trace's tree: `keccak(0x00 ‖ root)` of each tensor root.
    function rootLeaves(bytes32[] calldata roots) internal pure returns (bytes32[] memory leaves) {
        leaves = roots;
        assembly ("memory-safe") {
            let end := add(add(leaves, 0x20), shl(5, mload(leaves)))
            mstore8(0x00, 0)
            for { let place := add(leaves, 0x20) } lt(place, end) { place := add(place, 0x20) } {
                mstore(0x01, mload(place))
                mstore(place, keccak256(0x00, 0x21))
            }
        }
    }

    /// @notice 32-byte words of packed bytes; the length is a multiple of 32.
    function words(bytes calldata packed) internal pure returns (bytes32[] calldata list) {
        assembly ("memory-safe") {
            list.offset := packed.offset
            list.length := shr(5, packed.length)
        }
    }
}
