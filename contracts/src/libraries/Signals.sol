// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Public signals of a proof: the context, then input, then output (core/zk-encoding.ts is the same in TypeScript).
library Signals {
    uint256 internal constant BYTES_PER_SIGNAL = 31;

    /// @notice The first signal: a proof answers one request of one contract on one chain, for one prover.
    function context(uint256 requestId, address prover, bytes32 modelId) internal view returns (uint256) {
        return uint256(keccak256(abi.encode(block.chainid, address(this), requestId, prover, modelId))) >> 8;
    }

    /// @return how many signals carry this many bytes
    function countOf(uint256 byteLength) internal pure returns (uint256) {
        return (byteLength + BYTES_PER_SIGNAL - 1) / BYTES_PER_SIGNAL;
    }

    /// @notice Writes bytes into signals from index `from`: 31 a signal, the first byte the least significant, the last signal
    /// filled up with zeros. Every signal is below 2^248, so below the field's prime. About 100 gas a signal.
    function pack(uint256[] memory signals, uint256 from, bytes calldata data) internal pure {
        uint256 count = countOf(data.length);
        require(from + count <= signals.length);
        assembly ("memory-safe") {
            let to := add(add(signals, 32), shl(5, from))
            let at := data.offset
            let end := add(at, data.length)
            for {} lt(at, end) {
                at := add(at, 31)
                to := add(to, 32)
            } {
                let word := calldataload(at)
                // Bytes beyond the end, and the 32nd, are not part of this signal.
                let left := sub(end, at)
                if gt(left, 31) { left := 31 }
                let unused := shl(3, sub(32, left))
                word := shl(unused, shr(unused, word))
                // Reverse the bytes: neighbours, pairs, fours, eights, halves.
                let mask := 0x00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff
                word := or(and(shr(8, word), mask), shl(8, and(word, mask)))
                mask := 0x0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff
                word := or(and(shr(16, word), mask), shl(16, and(word, mask)))
                mask := 0x00000000ffffffff00000000ffffffff00000000ffffffff00000000ffffffff
                word := or(and(shr(32, word), mask), shl(32, and(word, mask)))
                mask := 0x0000000000000000ffffffffffffffff0000000000000000ffffffffffffffff
                word := or(and(shr(64, word), mask), shl(64, and(word, mask)))
                word := or(shr(128, word), shl(128, word))
                mstore(to, word)
            }
        }
    }
}
