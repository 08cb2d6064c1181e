// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Groth16} from "./libraries/Groth16.sol";

/// @title The generic verifier as a contract, for simulation and for others: it knows no model and holds nothing.
contract Groth16Verifier {
    /// @param key see Groth16; compare its keccak with a model's key hash before trusting the answer
    /// @param proof 256 bytes
    /// @param signals public signals, the context first
    /// @return whether the proof verifies
    function verify(bytes calldata key, bytes calldata proof, uint256[] calldata signals) external view returns (bool) {
        return Groth16.verify(key, proof, signals);
    }
}
