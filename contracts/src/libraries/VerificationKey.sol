// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Groth16} from "./Groth16.sol";

/// @title What a verification key must satisfy before a model may name it (layout: Groth16.sol).
/// @notice Guards against keys that anybody can forge under: points off the curve or outside the subgroup, infinities,
/// a delta that is gamma or the generator (nobody contributed a second phase), an alpha or beta that is a generator, a beta
/// that is gamma or delta (A, B and C then cancel the two terms that share the point, and any output verifies).
/// That whoever made the key forgot its secrets is beyond arithmetic: provenance says who vouches for that.
library VerificationKey {
    uint256 private constant G2_X1 =
        11_559_732_032_986_387_107_991_004_021_392_285_783_925_812_861_821_192_530_917_403_151_452_391_805_634;
    uint256 private constant G2_X0 =
        10_857_046_999_023_057_135_944_570_762_232_829_481_370_756_359_578_518_086_990_519_993_285_655_852_781;

    /// Twice what EIP-1108 charges for six pairs: a refused point costs all that was given.
    uint256 private constant PAIRING_GAS = 500_000;

    uint256 private constant ALPHA = 0;
    uint256 private constant BETA = 64;
    uint256 private constant GAMMA = 192;
    uint256 private constant DELTA = 320;

    /// @param signals public signals, the context included
    /// @return reason empty when the key is sound to register
    function fault(bytes calldata key, uint256 signals) internal view returns (string memory reason) {
        if (key.length != Groth16.keyBytes(signals)) return "wrong number of words";
        if (!_isPointAt(key, ALPHA)) return "alpha is not a point";
        if (_word(key, ALPHA) == 1) return "alpha is the generator";
        for (uint256 offset = Groth16.IC_AT; offset < key.length; offset += 64) {
            if (!_isPointAt(key, offset)) return "an IC is not a point";
        }
        if (_isInfinity(key, BETA) || _isInfinity(key, GAMMA) || _isInfinity(key, DELTA)) {
            return "a G2 point is infinity";
        }
        if (!_inSubgroup(key)) return "a G2 point is not in the subgroup";
        // Equal x means equal or opposite points, and both give the secret away.
        if (_sameX(key, DELTA, _word(key, GAMMA), _word(key, GAMMA + 32))) return "delta is gamma";
        if (_sameX(key, DELTA, G2_X1, G2_X0)) return "delta is the generator";
        if (_sameX(key, BETA, G2_X1, G2_X0)) return "beta is the generator";
        if (_sameX(key, BETA, _word(key, GAMMA), _word(key, GAMMA + 32))) return "beta is gamma";
        if (_sameX(key, BETA, _word(key, DELTA), _word(key, DELTA + 32))) return "beta is delta";
    }

    function _word(bytes calldata key, uint256 offset) private pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := calldataload(add(key.offset, offset))
        }
    }

    function _isPointAt(bytes calldata key, uint256 offset) private pure returns (bool) {
        return Groth16.isPoint(_word(key, offset), _word(key, offset + 32));
    }

    function _isInfinity(bytes calldata key, uint256 offset) private pure returns (bool) {
        return _word(key, offset) | _word(key, offset + 32) | _word(key, offset + 64) | _word(key, offset + 96) == 0;
    }

    function _sameX(bytes calldata key, uint256 offset, uint256 x1, uint256 x0) private pure returns (bool) {
        return _word(key, offset) == x1 && _word(key, offset + 32) == x0;
    }

    /// The pairing precompile refuses coordinates out of range, points off the twist and points outside the subgroup. Each
    /// point is paired with the generator of G1 and with its opposite, so a product of 1 is also checked.
    function _inSubgroup(bytes calldata key) private view returns (bool inside) {
        uint256 p = Groth16.P;
        assembly ("memory-safe") {
            let free := mload(0x40)
            for { let i := 0 } lt(i, 6) { i := add(i, 1) } {
                let to := add(free, mul(i, 192))
                mstore(to, 1)
                mstore(add(to, 32), 2)
                if and(i, 1) { mstore(add(to, 32), sub(p, 2)) }
                calldatacopy(add(to, 64), add(key.offset, add(64, mul(shr(1, i), 128))), 128)
            }
            inside := staticcall(PAIRING_GAS, 8, free, 1152, free, 32)
            inside := and(inside, eq(mload(free), 1))
        }
    }
}
