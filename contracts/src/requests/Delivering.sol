// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {TensorSpec} from "../ModelTypes.sol";
import {AnswerInfo} from "../interfaces/IAnswerReceiver.sol";
import {Delivery} from "../interfaces/IRequests.sol";
import {Callback} from "../libraries/Callback.sol";
import {TensorBytes} from "../libraries/TensorBytes.sol";
import {Settlement} from "./Settlement.sol";

/// @title How an answer reaches the contract that asked: checked against what is recorded, recorded before the call.
abstract contract Delivering is Settlement {
    using TensorBytes for TensorSpec;

    function _checkOutput(Request storage stored, uint8 tier, bytes calldata output) internal view {
        (, TensorSpec outputs) = REGISTRY.outputsOf(stored.modelId);
        if (outputs.rootOf(output) != _outputOf(stored, tier)) revert OutputInvalid();
    }

    function _deliverFinal(
        uint256 requestId,
        Request storage stored,
        Conditions memory conditions,
        address prover,
        bytes calldata output,
        bool retried
    ) internal {
        if (conditions.callbackGas == 0) return;
        // Recorded before the call: whatever the callback calls finds the request delivered.
        stored.standing.delivery = Delivery.Done;
        if (_call(requestId, stored, conditions, prover, true, output, retried)) {
            emit Delivered(requestId, true);
        } else {
            stored.standing.delivery = Delivery.Failed;
            emit DeliveryFailed(requestId, true);
        }
    }

    function _call(
        uint256 requestId,
        Request storage stored,
        Conditions memory conditions,
        address prover,
        bool isFinal,
        bytes calldata output,
        bool atLeast
    ) internal returns (bool) {
        AnswerInfo memory answer = AnswerInfo({
            requestId: requestId,
            modelId: stored.modelId,
            tier: conditions.tier,
            isFinal: isFinal,
            inputTimestamp: stored.inputTimestamp,
            prover: prover
        });
        return Callback.deliver(stored.requester, conditions.callbackGas, atLeast, answer, output);
    }
}
