// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Merkle} from "../libraries/Merkle.sol";
import {Integers} from "./Integers.sol";

/// @dev Leaves of one tree of bytes, opened and laid out in memory in ascending order.
/// @param bytes_ bytes of the whole blob, opened or not
/// @param count opened leaves
/// @param indices memory pointer to their indices, a word each
/// @param leaves memory pointer to their bytes, joined: the i-th begins at 512·i
/// @param cursor where the last read was found
/// @param index of the leaf in which the last element was found; no leaf's index before
/// @param pointer memory pointer to that leaf
struct Opened {
    uint256 bytes_;
    uint256 count;
    uint256 indices;
    uint256 leaves;
    uint256 cursor;
    uint256 index;
    uint256 pointer;
}

/// @dev Where reading stands in the evidence, as calldata offsets.
struct Reader {
    uint256 position;
    uint256 end;
}

/// @title Reads multi-openings from packed evidence (docs/dispute.md, "Evidence of a step").
/// @notice One opening: count u16, then count times index u24, the leaves joined, the siblings joined. Count 0 opens nothing and
/// has no siblings. Lengths follow from the blob's length and the indices, so that nothing is left to interpretation.
library Evidence {
    /// @notice The evidence ends inside an opening.
    error EvidenceTruncated();
    /// @notice Bytes are left over behind the last opening.
    error EvidenceLeftOver();
    /// @notice Leaf indices do not ascend, or one does not exist.
    error EvidenceIndices();
    /// @notice The step needs a leaf that was not opened.
    error LeafNotOpened(uint256 index);
    /// @notice A read beyond the end of the blob.
    error BeyondBlob();

    uint256 private constant CHUNK_BYTES = 512;

    function reader(bytes calldata evidence) internal pure returns (Reader memory self) {
        assembly ("memory-safe") {
            mstore(self, evidence.offset)
            mstore(add(self, 32), add(evidence.offset, evidence.length))
        }
    }

    function finish(Reader memory self) internal pure {
        if (self.position != self.end) revert EvidenceLeftOver();
    }

    /// @notice Reads one opening of a blob of `blobBytes` bytes.
    /// @return opened the leaves
    /// @return top the top that they lead to, for the caller to check; EMPTY when nothing was opened
    function open(Reader memory self, uint256 blobBytes) internal pure returns (Opened memory opened, bytes32 top) {
        unchecked {
            uint256 position = self.position;
            uint256 end = self.end;
            if (position + 2 > end) revert EvidenceTruncated();
            uint256 count = _bigEndian(position, 2);
            position += 2;
            opened.bytes_ = blobBytes;
            opened.count = count;
            opened.index = type(uint256).max;
            if (count == 0) {
                self.position = position;
                return (opened, Merkle.EMPTY);
            }
            if (position + 3 * count > end) revert EvidenceTruncated();
            uint256 chunks = Merkle.chunkCount(blobBytes);
            uint256 last = _indices(opened, position, count);
            if (last >= chunks) revert EvidenceIndices();
            position += 3 * count;
            uint256 size = CHUNK_BYTES * count;
            if (last + 1 == chunks) size -= CHUNK_BYTES * chunks - blobBytes;
            if (position + size > end) revert EvidenceTruncated();
            uint256 nodes = _hashLeaves(opened, position, size);
            (top, position) = Merkle.climb(nodes, count, Merkle.BITS_PER_LEVEL * Merkle.depth(chunks), position + size);
            if (position > end) revert EvidenceTruncated();
            self.position = position;
        }
    }

    /// @notice Memory pointer to `size` ≥ 1 consecutive bytes of a blob, all of which must have been opened.
    function read(Opened memory self, uint256 offset, uint256 size) internal pure returns (uint256 pointer) {
        unchecked {
            if (offset + size > self.bytes_) revert BeyondBlob();
            uint256 first = offset >> 9;
            uint256 place = self.cursor;
            if (place >= self.count || _indexAt(self, place) != first) {
                place = _find(self, first);
                self.cursor = place;
            }
            uint256 last = (offset + size - 1) >> 9;
            if (last != first) {
                // Indices ascend strictly: when the last one is in its place, all between are.
                uint256 end = place + last - first;
                if (end >= self.count || _indexAt(self, end) != last) revert LeafNotOpened(last);
            }
            return self.leaves + (place << 9) + (offset & 511);
        }
    }

    /// @notice One element of a tensor, little-endian; it lies within one leaf, as its size divides the leaf's.
    /// @param offset of its first byte, a multiple of its size
    function element(Opened memory self, uint256 offset, uint256 elementType) internal pure returns (int256) {
        unchecked {
            if (offset >> 9 != self.index) {
                self.pointer = read(self, offset & ~uint256(511), 1);
                self.index = offset >> 9;
            }
            if (offset >= self.bytes_) revert BeyondBlob();
            return Integers.load(self.pointer + (offset & 511), elementType);
        }
    }

    /// @dev Binary search.
    function _find(Opened memory self, uint256 index) private pure returns (uint256) {
        unchecked {
            uint256 low = 0;
            uint256 high = self.count;
            while (low < high) {
                uint256 middle = (low + high) >> 1;
                if (_indexAt(self, middle) < index) low = middle + 1;
                else high = middle;
            }
            if (low >= self.count || _indexAt(self, low) != index) revert LeafNotOpened(index);
            return low;
        }
    }

    function _indexAt(Opened memory self, uint256 place) private pure returns (uint256 index) {
        uint256 indices = self.indices;
        assembly ("memory-safe") {
            index := mload(add(indices, shl(5, place)))
        }
    }

    /// @return last the greatest index
    function _indices(Opened memory opened, uint256 position, uint256 count) private pure returns (uint256 last) {
        uint256 indices;
        bool ascending = true;
        assembly ("memory-safe") {
            indices := mload(0x40)
            let out := indices
            mstore(0x40, add(indices, shl(5, count)))
            for { let end := add(position, mul(3, count)) } lt(position, end) { position := add(position, 3) } {
                let index := shr(232, calldataload(position))
                ascending := and(ascending, or(gt(index, last), eq(out, indices)))
                last := index
                mstore(out, index)
                out := add(out, 32)
            }
        }
        if (!ascending) revert EvidenceIndices();
        opened.indices = indices;
    }

    /// @dev Copies the leaves and hashes each where it lies, its prefix for a moment over the byte before it.
    /// @return nodes memory pointer to (index, hash) pairs
    function _hashLeaves(Opened memory opened, uint256 position, uint256 size) private pure returns (uint256 nodes) {
        uint256 count = opened.count;
        uint256 indices = opened.indices;
        uint256 leaves;
        assembly ("memory-safe") {
            nodes := mload(0x40)
            leaves := add(add(nodes, shl(6, count)), 32)
            // A word behind the leaves, for reads of a whole word at their last byte.
            mstore(0x40, and(add(add(leaves, size), 63), not(31)))
            calldatacopy(leaves, position, size)
            let rest := size
            let leaf := leaves
            let out := nodes
            for { let index := indices } rest {} {
                let length := rest
                if gt(length, 512) { length := 512 }
                let prefix := sub(leaf, 1)
                let word := mload(prefix)
                mstore8(prefix, 0)
                mstore(out, mload(index))
                mstore(add(out, 32), keccak256(prefix, add(length, 1)))
                mstore(prefix, word)
                index := add(index, 32)
                out := add(out, 64)
                leaf := add(leaf, length)
                rest := sub(rest, length)
            }
        }
        opened.leaves = leaves;
    }

    function _bigEndian(uint256 position, uint256 bytes_) private pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := shr(sub(256, shl(3, bytes_)), calldataload(position))
        }
    }
}
