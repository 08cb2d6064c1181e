// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Groth16 over BN254 with the key in calldata: one verifier for every model.
/// @notice Key: words alpha (x, y) · beta, gamma, delta (each x.c1, x.c0, y.c1, y.c0, the order of EIP-197) · IC[0..n] (x, y).
/// Proof: A (x, y) · B (x.c1, x.c0, y.c1, y.c0) · C (x, y). Whoever calls has compared the key's hash with one it trusts.
library Groth16 {
    /// Base field (coordinates) and scalar field (signals).
    uint256 internal constant P =
        21_888_242_871_839_275_222_246_405_745_257_275_088_696_311_157_297_823_662_689_037_894_645_226_208_583;
    uint256 internal constant R =
        21_888_242_871_839_275_222_246_405_745_257_275_088_548_364_400_416_034_343_698_204_186_575_808_495_617;

    /// Gas offered to the precompiles, about twice what EIP-1108 charges: a point that one refuses costs it all it was given.
    uint256 private constant MUL_GAS = 12_000;
    uint256 private constant ADD_GAS = 1000;
    uint256 private constant PAIRING_GAS = 400_000;

    uint256 internal constant PROOF_BYTES = 256;
    /// Bytes before IC[0].
    uint256 internal constant IC_AT = 448;

    /// @return bytes of a key for this many public signals
    function keyBytes(uint256 signals) internal pure returns (uint256) {
        return IC_AT + 64 * (signals + 1);
    }

    /// @notice Verifies e(A, B) = e(alpha, beta)·e(Σ, gamma)·e(C, delta), Σ = IC[0] + Σ signalᵢ·IC[i + 1].
    /// About 220k gas plus 6.5k a signal. Checks sizes, signals below R and, through the precompiles, every point of the proof.
    /// @return valid false for anything that does not verify; never reverts
    function verify(bytes calldata key, bytes calldata proof, uint256[] memory signals)
        internal
        view
        returns (bool valid)
    {
        if (key.length != keyBytes(signals.length) || proof.length != PROOF_BYTES) return false;
        assembly ("memory-safe") {
            // Scratch beyond the free pointer: 24 words of pairing input. The running sum and the factor of each
            // multiplication use the same words before the pairing is laid out.
            let free := mload(0x40)
            calldatacopy(free, add(key.offset, IC_AT), 64)
            valid := 1
            let ic := add(key.offset, add(IC_AT, 64))
            let end := add(add(signals, 32), shl(5, mload(signals)))
            for { let at := add(signals, 32) } lt(at, end) {
                at := add(at, 32)
                ic := add(ic, 64)
            } {
                let signal := mload(at)
                valid := and(valid, lt(signal, R))
                calldatacopy(add(free, 64), ic, 64)
                mstore(add(free, 128), signal)
                valid := and(valid, staticcall(MUL_GAS, 7, add(free, 64), 96, add(free, 64), 64))
                valid := and(valid, staticcall(ADD_GAS, 6, free, 128, free, 64))
            }
            // (Σ, gamma) is laid out third, so the sum moves from the first words to words 12 and 13.
            mstore(add(free, 384), mload(free))
            mstore(add(free, 416), mload(add(free, 32)))
            calldatacopy(add(free, 448), add(key.offset, 192), 128)
            // (−A, B): a y of 0 gives P here and anything from P up wraps or stays out of range, which the precompile refuses.
            calldatacopy(free, proof.offset, 192)
            let y := mload(add(free, 32))
            valid := and(valid, lt(y, P))
            mstore(add(free, 32), sub(P, y))
            // (alpha, beta)
            calldatacopy(add(free, 192), key.offset, 192)
            // (C, delta)
            calldatacopy(add(free, 576), add(proof.offset, 192), 64)
            calldatacopy(add(free, 640), add(key.offset, 320), 128)
            valid := and(valid, staticcall(PAIRING_GAS, 8, free, 768, free, 32))
            valid := and(valid, eq(mload(free), 1))
        }
    }

    /// @notice Whether the coordinates are those of a point of G1 other than infinity.
    function isPoint(uint256 x, uint256 y) internal pure returns (bool) {
        if (x >= P || y >= P || (x == 0 && y == 0)) return false;
        return mulmod(y, y, P) == addmod(mulmod(mulmod(x, x, P), x, P), 3, P);
    }
}
