// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AnswerInfo, IAnswerReceiver} from "../interfaces/IAnswerReceiver.sol";

/// @title Calls a contract back so that it can hurt nobody but itself.
/// @notice It gets the gas it named or nothing happens at all; what it returns is not read; its revert is a result, not an end.
library Callback {
    error InsufficientCallbackGas(uint256 left, uint256 needed);

    /// The call itself (cold account) and what the caller does afterwards.
    uint256 private constant MARGIN = 20_000;

    /// @param gasLimit gas the receiver gets, exactly, unless `atLeast`
    /// @param atLeast whether the receiver gets all gas there is, no less than `gasLimit`
    function deliver(address to, uint256 gasLimit, bool atLeast, AnswerInfo memory answer, bytes calldata output)
        internal
        returns (bool success)
    {
        bytes memory data = abi.encodeCall(IAnswerReceiver.onAnswer, (answer, output));
        // Of the gas at a call, 1/64 stays behind (EIP-150): what is left must be 64/63 of what the receiver needs.
        uint256 needed = gasLimit + gasLimit / 63 + MARGIN;
        // INVARIANT: callbackGetsItsGas
        if (gasleft() < needed) revert InsufficientCallbackGas(gasleft(), needed);
        uint256 given = atLeast ? gasleft() - MARGIN : gasLimit;
        assembly ("memory-safe") {
            success := call(given, to, 0, add(data, 32), mload(data), 0, 0)
        }
    }
}
