// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Groth16Verifier} from "../../src/Groth16Verifier.sol";
import {Groth16} from "../../src/libraries/Groth16.sol";
import {Base} from "../Base.sol";
import {ToyGroth16} from "./ToyGroth16.sol";

contract Groth16Test is Base {
    Groth16Verifier private verifier;

    function setUp() public {
        verifier = new Groth16Verifier();
    }

    function signalsOf(uint256 count) private pure returns (uint256[] memory signals) {
        signals = new uint256[](count);
        for (uint256 i = 0; i < count; ++i) {
            signals[i] = uint256(keccak256(abi.encode(i))) % Groth16.R;
        }
    }

    function test_rightProofsVerify() public view {
        for (uint256 count = 0; count <= 9; count += 3) {
            uint256[] memory signals = signalsOf(count);
            assertTrue(verifier.verify(ToyGroth16.key(count), ToyGroth16.prove(signals, 7), signals));
        }
    }

    function test_everySignalIsBound(uint256 a, uint256 which, uint256 change) public view {
        uint256[] memory signals = signalsOf(4);
        bytes memory key = ToyGroth16.key(4);
        bytes memory proof = ToyGroth16.prove(signals, bound(a, 1, Groth16.R - 1));
        assertTrue(verifier.verify(key, proof, signals));
        which = bound(which, 0, 3);
        signals[which] = addmod(signals[which], bound(change, 1, Groth16.R - 1), Groth16.R);
        assertFalse(verifier.verify(key, proof, signals));
    }

    /// The same residue written with R added is another signal.
    function test_signalsBelowTheFieldPrime() public view {
        uint256[] memory signals = signalsOf(3);
        bytes memory proof = ToyGroth16.prove(signals, 7);
        for (uint256 i = 0; i < 3; ++i) {
            uint256 kept = signals[i];
            signals[i] = kept + Groth16.R;
            assertFalse(verifier.verify(ToyGroth16.key(3), proof, signals));
            signals[i] = kept;
        }
        signals[0] = Groth16.R - 1;
        assertTrue(verifier.verify(ToyGroth16.key(3), ToyGroth16.prove(signals, 7), signals));
        signals[0] = 0;
        proof = ToyGroth16.prove(signals, 7);
        signals[0] = Groth16.R;
        assertFalse(verifier.verify(ToyGroth16.key(3), proof, signals));
    }

    function test_everyWordOfTheProofCounts() public view {
        uint256[] memory signals = signalsOf(2);
        bytes memory key = ToyGroth16.key(2);
        bytes memory proof = ToyGroth16.prove(signals, 7);
        for (uint256 word = 0; word < 8; ++word) {
            bytes memory forged = bytes.concat(proof);
            forged[32 * word + 31] ^= 0x01;
            assertFalse(verifier.verify(key, forged, signals));
            forged = _with(proof, word, 0);
            assertFalse(verifier.verify(key, forged, signals));
            forged = _with(proof, word, type(uint256).max);
            assertFalse(verifier.verify(key, forged, signals));
            uint256 old = _word(proof, word);
            forged = _with(proof, word, old + Groth16.P);
            assertFalse(verifier.verify(key, forged, signals), "coordinate beyond the base field");
        }
    }

    function test_pointsAtInfinityAreNoProof() public view {
        uint256[] memory signals = signalsOf(1);
        bytes memory key = ToyGroth16.key(1);
        bytes memory proof = ToyGroth16.prove(signals, 7);
        assertFalse(verifier.verify(key, _with(_with(proof, 0, 0), 1, 0), signals));
        assertFalse(verifier.verify(key, _with(_with(proof, 6, 0), 7, 0), signals));
        assertFalse(verifier.verify(key, new bytes(256), signals));
    }

    function test_sizesAreExact() public view {
        uint256[] memory signals = signalsOf(2);
        bytes memory key = ToyGroth16.key(2);
        bytes memory proof = ToyGroth16.prove(signals, 7);
        assertFalse(verifier.verify(key, bytes.concat(proof, hex"00"), signals));
        assertFalse(verifier.verify(bytes.concat(key, hex"00"), proof, signals));
        assertFalse(verifier.verify(ToyGroth16.key(1), proof, signals));
        assertFalse(verifier.verify(ToyGroth16.key(3), proof, signals));
        assertFalse(verifier.verify("", proof, signals));
        assertFalse(verifier.verify(key, "", signals));
    }

    function test_keyOfAnotherModel() public view {
        uint256[] memory signals = signalsOf(2);
        bytes memory other = ToyGroth16.keyWith(2, 6, ToyGroth16.g2(3), ToyGroth16.g2(1), ToyGroth16.g2(11));
        assertFalse(verifier.verify(other, ToyGroth16.prove(signals, 7), signals));
    }

    function _word(bytes memory data, uint256 word) private pure returns (uint256 value) {
        assembly {
            value := mload(add(add(data, 32), mul(32, word)))
        }
    }

    function _with(bytes memory data, uint256 word, uint256 value) private pure returns (bytes memory copy) {
        copy = bytes.concat(data);
        assembly {
            mstore(add(add(copy, 32), mul(32, word)), value)
        }
    }
}
