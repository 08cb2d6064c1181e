// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice What a callback is told about an answer, beside its bytes.
/// @param tier 0 proved, 1 optimistic
/// @param isFinal false only for an early delivery that the requester asked for: the answer may still be slashed
/// @param inputTimestamp time the input is from, as the requester stated it
/// @param prover who answered
struct AnswerInfo {
    uint256 requestId;
    bytes32 modelId;
    uint8 tier;
    bool isFinal;
    uint40 inputTimestamp;
    address prover;
}

/// @title A contract that asks for answers and takes them by callback.
interface IAnswerReceiver {
    /// @notice Called once at finality (and once before, if asked for), with the gas the request named. A revert costs the
    /// requester the delivery alone, which anybody may retry.
    /// @param output canonical bytes of all output tensors, joined in order
    function onAnswer(AnswerInfo calldata answer, bytes calldata output) external;
}
