// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IStepVerifier} from "../../src/interfaces/IStepVerifier.sol";
import {FlatTensors} from "./FlatTensor.sol";

/// @notice A step that copies its first source's element, so that tests of the board know every right value without arithmetic.
contract ToyStep is IStepVerifier {
    error EvidenceInvalid();

    /// @param evidence abi.encode(leaf that holds the element, its siblings)
    function step(bytes calldata record, uint256 element, bytes32[] calldata sourceRoots, bytes calldata evidence)
        external
        pure
        returns (int256 value)
    {
        (bytes memory leaf, bytes32[] memory siblings) = abi.decode(evidence, (bytes, bytes32[]));
        uint8 elementType = uint8(record[46]);
        uint32 length = uint32(bytes4(record[48:52]));
        uint256 offset = element << elementType;
        bytes32 hash = FlatTensors.leafHash(leaf);
        for (uint256 i = 0; i < siblings.length; ++i) {
            hash = (offset / 512) >> i & 1 == 0
                ? FlatTensors.node(hash, siblings[i])
                : FlatTensors.node(siblings[i], hash);
        }
        if (keccak256(abi.encodePacked(bytes1(0x02), elementType, length, hash)) != sourceRoots[0]) {
            revert EvidenceInvalid();
        }
        uint256 word = 0;
        for (uint256 i = 0; i < 1 << elementType; ++i) {
            word |= uint256(uint8(leaf[offset % 512 + i])) << (8 * i);
        }
        if (elementType == 0) return int256(word);
        return elementType == 1 ? int256(int16(uint16(word))) : int256(int32(uint32(word)));
    }
}
