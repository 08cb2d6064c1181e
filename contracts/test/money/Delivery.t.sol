// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Payout} from "../../src/interfaces/IClaimSource.sol";
import {Delivery, IRequests, RequestTerms, RequestView, Status} from "../../src/interfaces/IRequests.sol";
import {Callback} from "../../src/libraries/Callback.sol";
import {vm} from "../Assertions.sol";
import {MoneyBase} from "./MoneyBase.sol";
import {ToyConsumer} from "./ToyConsumer.sol";

/// @notice The callback: a consumer hurts nobody but itself, and a finalizer cannot hurt the consumer.
contract DeliveryTest is MoneyBase {
    function _finalIsPaid(uint256 id) private view {
        assertTrue(requests.requestOf(id).status == Status.Final);
        assertEq(requests.owedTo(prover), 0.965 ether);
        assertEq(vault.freeOf(prover), 100 ether);
    }

    function _fails(ToyConsumer.Mood mood) private returns (uint256 id) {
        id = claimed();
        pass();
        consumer.setMood(mood);
        vm.expectEmit();
        emit IRequests.DeliveryFailed(id, true);
        requests.finalize(id, output);
        _finalIsPaid(id);
        assertTrue(requests.requestOf(id).delivery == Delivery.Failed);
    }

    function test_FailureIsNeutral_callbackRevert() public {
        _fails(ToyConsumer.Mood.Revert);
    }

    function test_FailureIsNeutral_callbackBurnsItsGas() public {
        uint256 before = gasleft();
        _fails(ToyConsumer.Mood.BurnGas);
        assertLt(before - gasleft(), 3_000_000);
    }

    function test_FailureIsNeutral_returnBomb() public {
        uint256 before = gasleft();
        _fails(ToyConsumer.Mood.ReturnBomb);
        assertLt(before - gasleft(), 3_000_000);
    }

    function test_FailureIsNeutral_provenAnswers() public {
        uint256 id = ask(zkTerms(), 1 ether);
        consumer.setMood(ToyConsumer.Mood.Revert);
        fulfil(id);
        _finalIsPaid(id);
        assertTrue(requests.requestOf(id).delivery == Delivery.Failed);
        consumer.setMood(ToyConsumer.Mood.Accept);
        requests.retryDelivery(id, output);
        assertEq(consumer.finalCalls(), 1);
    }

    /// Callback gas starvation by the finalizer: with less gas than the callback was promised, nothing happens at all.
    function test_callbackGetsItsGas(uint256 gasGiven) public {
        uint256 id = claimed();
        pass();
        gasGiven = bound(gasGiven, 50_000, 700_000);
        (bool success,) = address(requests).call{gas: gasGiven}(abi.encodeCall(requests.finalize, (id, output)));
        RequestView memory r = requests.requestOf(id);
        if (success) {
            assertTrue(r.delivery == Delivery.Done);
            assertGe(consumer.gasSeen() + 2000, CALLBACK_GAS);
        } else {
            assertTrue(r.status == Status.Claimed);
            assertEq(consumer.calls(), 0);
        }
    }

    function test_callbackGetsItsGas_atTheEdge() public {
        uint256 id = claimed();
        pass();
        bool reached = false;
        for (uint256 gasGiven = 330_000; gasGiven < 470_000; gasGiven += 500) {
            uint256 snapshot = vm.snapshotState();
            (bool success,) = address(requests).call{gas: gasGiven}(abi.encodeCall(requests.finalize, (id, output)));
            if (success) {
                assertGe(consumer.gasSeen() + 2000, CALLBACK_GAS);
                reached = true;
            }
            vm.revertToState(snapshot);
        }
        assertTrue(reached);
    }

    function test_deliveredOnce() public {
        uint256 id = claimed();
        pass();
        requests.finalize(id, output);
        assertEq(consumer.calls(), 1);
        vm.expectRevert(abi.encodeWithSelector(IRequests.NothingToDeliver.selector, id));
        requests.retryDelivery(id, output);
        uint256 open = ask(optimisticTerms(), 1 ether);
        vm.expectRevert(abi.encodeWithSelector(IRequests.NothingToDeliver.selector, open));
        requests.retryDelivery(open, output);
    }

    function test_failedDeliveriesAreRetried() public {
        uint256 id = _fails(ToyConsumer.Mood.Revert);
        requests.retryDelivery(id, output);
        assertTrue(requests.requestOf(id).delivery == Delivery.Failed);
        consumer.setMood(ToyConsumer.Mood.Accept);
        vm.expectRevert(IRequests.OutputInvalid.selector);
        requests.retryDelivery(id, hex"2b000000");
        requests.retryDelivery(id, output);
        assertEq(consumer.finalCalls(), 1);
        // What was out of gas the first time may have more the second.
        assertGt(consumer.gasSeen(), CALLBACK_GAS);
        vm.expectRevert(abi.encodeWithSelector(IRequests.NothingToDeliver.selector, id));
        requests.retryDelivery(id, output);
    }

    function test_settlementReentrancy() public {
        uint256 id = claimed();
        uint256 other = ask(optimisticTerms(), 1 ether);
        pass();
        bytes[5] memory calls = [
            abi.encodeCall(requests.finalize, (id, output)),
            abi.encodeCall(requests.retryDelivery, (id, output)),
            abi.encodeCall(requests.deliverEarly, (id, output)),
            abi.encodeCall(requests.voidClaim, (id)),
            abi.encodeCall(requests.refund, (id))
        ];
        for (uint256 i = 0; i < calls.length; ++i) {
            uint256 snapshot = vm.snapshotState();
            consumer.setReentry(calls[i]);
            requests.finalize(id, output);
            assertTrue(consumer.reentered());
            assertEq(consumer.finalCalls(), 1);
            assertTrue(requests.requestOf(id).delivery == Delivery.Done);
            _finalIsPaid(id);
            vm.revertToState(snapshot);
        }
        // Re-entrance on payment: what is owed was set to zero before.
        vm.warp(requests.requestOf(other).terms.deadline + 1);
        requests.refund(other);
        uint256 before = address(consumer).balance;
        ToyConsumer(payable(consumer)).setMood(ToyConsumer.Mood.Accept);
        assertEq(consumer.collect(), 1 ether);
        assertEq(consumer.collect(), 0);
        assertEq(address(consumer).balance - before, 1 ether);
    }

    function test_requestsWithoutCallback() public {
        RequestTerms memory t = optimisticTerms();
        t.callbackGas = 0;
        uint256 id = ask(t, 1 ether);
        vm.prank(hotKey);
        requests.claim(id, questionOf(id), output);
        pass();
        requests.finalize(id, output);
        assertEq(consumer.calls(), 0);
        assertTrue(requests.requestOf(id).delivery == Delivery.None);
        vm.expectRevert(abi.encodeWithSelector(IRequests.NothingToDeliver.selector, id));
        requests.retryDelivery(id, output);
    }

    // Early delivery.

    function _early() private returns (uint256 id) {
        RequestTerms memory t = optimisticTerms();
        t.earlyDelivery = true;
        id = ask(t, 1 ether);
        vm.prank(hotKey);
        requests.claim(id, questionOf(id), output);
    }

    function test_earlyOnlyByConsent() public {
        uint256 id = claimed();
        vm.expectRevert(abi.encodeWithSelector(IRequests.NothingToDeliver.selector, id));
        requests.deliverEarly(id, output);
    }

    function test_earlyDeliverySaysThatItIsEarly() public {
        uint256 id = _early();
        vm.expectRevert(IRequests.OutputInvalid.selector);
        requests.deliverEarly(id, hex"2b000000");
        requests.deliverEarly(id, output);
        (,,, bool isFinal,,) = consumer.last();
        assertFalse(isFinal);
        assertTrue(requests.requestOf(id).earlyDelivered);
        vm.expectRevert(abi.encodeWithSelector(IRequests.NothingToDeliver.selector, id));
        requests.deliverEarly(id, output);
        pass();
        requests.finalize(id, output);
        assertEq(consumer.calls(), 2);
        assertEq(consumer.finalCalls(), 1);
        vm.expectRevert(abi.encodeWithSelector(IRequests.WrongStatus.selector, id, Status.Final));
        requests.deliverEarly(id, output);
    }

    function test_earlyDeliveryOfAWrongAnswerStillLosesTheLock() public {
        uint256 id = _early();
        requests.deliverEarly(id, output);
        board.fault(requests, bytes32(id), new Payout[](0));
        assertEq(vault.freeOf(prover), 98 ether);
        assertEq(vault.freeOf(address(consumer)), 1 ether);
        vm.expectRevert(abi.encodeWithSelector(IRequests.WrongStatus.selector, id, Status.Faulted));
        requests.deliverEarly(id, output);
    }
}
