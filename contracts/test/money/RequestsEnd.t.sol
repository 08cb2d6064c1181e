// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Payout} from "../../src/interfaces/IClaimSource.sol";
import {Delivery, IRequests, RequestTerms, Status} from "../../src/interfaces/IRequests.sol";
import {vm} from "../Assertions.sol";
import {RequestsBase} from "./RequestsBase.sol";
import {ToyConsumer} from "./ToyConsumer.sol";

/// @title How requests end: finality, refunds, faults, the exclusive period.
contract RequestsEndTest is RequestsBase {
    // Finality.

    function test_noResultBeforeItsVerdict() public {
        uint256 id = claimed();
        vm.expectRevert(abi.encodeWithSelector(IRequests.NotFinal.selector, id));
        requests.finalize(id, output);
        pass();
        board.hold(address(requests), bytes32(id), true);
        vm.expectRevert(abi.encodeWithSelector(IRequests.NotFinal.selector, id));
        requests.finalize(id, output);
        assertEq(consumer.calls(), 0);
        board.hold(address(requests), bytes32(id), false);
        requests.finalize(id, output);
        assertEq(consumer.calls(), 1);
    }

    function test_finalizePaysAndReleases() public {
        uint256 id = claimed();
        pass();
        vm.expectRevert(IRequests.OutputInvalid.selector);
        requests.finalize(id, hex"2b000000");
        requests.finalize(id, output);
        assertEq(vault.lockedOf(prover, address(requests)), 0);
        assertEq(vault.freeOf(prover), 100 ether);
        assertEq(requests.owedTo(creator), 0.025 ether);
        assertEq(requests.toBurn(plainModel), 0.01 ether);
        assertEq(requests.owedTo(prover), 0.965 ether);
        assertEq(consumer.lastOutput(), output);
        assertTrue(requests.requestOf(id).delivery == Delivery.Done);
        vm.prank(prover);
        requests.collect(prover);
        assertEq(prover.balance, 0.965 ether);
        requests.burnFees(plainModel);
        assertEq(registry.usageOf(plainModel), 0.01 ether);
        assertEq(requests.toBurn(plainModel), 0);
    }

    function test_owedIsPaidOnce() public {
        uint256 id = claimed();
        pass();
        requests.finalize(id, output);
        vm.startPrank(prover);
        assertEq(requests.collect(prover), 0.965 ether);
        assertEq(requests.collect(prover), 0);
        vm.stopPrank();
        vm.prank(creator);
        vm.expectRevert(abi.encodeWithSelector(IRequests.TransferFailed.selector, address(registry)));
        requests.collect(address(registry));
        assertEq(requests.owedTo(creator), 0.025 ether);
    }

    /// A hot key, or anybody, brings a prover's fees home: to the owner it is bound to, and nowhere else.
    function test_collectForPaysTheOwner() public {
        uint256 id = claimed();
        pass();
        requests.finalize(id, output);
        address[3] memory callers = [hotKey, makeAddr("anybody"), creator];
        for (uint256 i = 0; i < 3; ++i) {
            uint256 before = vm.snapshotState();
            vm.prank(callers[i]);
            assertEq(requests.collectFor(hotKey), 0.965 ether);
            assertEq(prover.balance, 0.965 ether);
            assertEq(callers[i].balance, 0);
            assertEq(requests.owedTo(prover), 0);
            assertEq(requests.collectFor(hotKey), 0);
            vm.revertToState(before);
        }
        // What was earned before a key was retired is the owner's as well.
        vm.prank(prover);
        vault.retireKey(hotKey);
        assertEq(requests.collectFor(hotKey), 0.965 ether);
        assertEq(prover.balance, 0.965 ether);
    }

    /// Consumers and creators are not paid unasked: a contract may count what its own `collect` returns.
    function test_unaskedOnlyToKeyOwners() public {
        uint256 id = ask(optimisticTerms(), 1 ether);
        vm.warp(requests.requestOf(id).terms.deadline + 1);
        requests.refund(id);
        address[4] memory nobodys = [address(consumer), creator, prover, address(0)];
        for (uint256 i = 0; i < 4; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IRequests.NotSigningKey.selector, nobodys[i]));
            requests.collectFor(nobodys[i]);
        }
        assertEq(requests.owedTo(address(consumer)), 1 ether);
        assertEq(consumer.collect(), 1 ether);
    }

    /// A prover that refuses ether, or calls back when it is paid, stops its own payment alone and is paid once.
    function test_collectForIsEachOwnersOwn() public {
        (address hot, uint256 secret) = makeAddrAndKey("key of a contract");
        bytes memory signature = bind(address(consumer), hot, secret);
        vm.prank(address(consumer));
        vault.addKey(hot, signature);
        vault.deposit{value: 10 ether}(address(consumer));
        uint256[2] memory ids = [ask(optimisticTerms(), 1 ether), claimed()];
        vm.prank(hot);
        requests.claim(ids[0], questionOf(ids[0]), output);
        pass();
        requests.finalize(ids[0], output);
        requests.finalize(ids[1], output);
        consumer.setReentry(abi.encodeCall(requests.collectFor, (hot)));
        vm.expectRevert(abi.encodeWithSelector(IRequests.TransferFailed.selector, address(consumer)));
        requests.collectFor(hot);
        assertEq(requests.collectFor(hotKey), 0.965 ether);
        consumer.setMood(ToyConsumer.Mood.Accept);
        uint256 before = address(consumer).balance;
        assertEq(requests.collectFor(hot), 0.965 ether);
        assertEq(address(consumer).balance - before, 0.965 ether);
        assertEq(address(requests).balance, requests.owedTo(creator) + requests.toBurn(plainModel));
    }

    // Refunds.

    function test_refundAfterTheDeadline() public {
        uint256 id = ask(optimisticTerms(), 1 ether);
        vm.expectRevert(abi.encodeWithSelector(IRequests.NotYetRefundable.selector, id));
        requests.refund(id);
        vm.warp(requests.requestOf(id).terms.deadline);
        vm.expectRevert(abi.encodeWithSelector(IRequests.NotYetRefundable.selector, id));
        requests.refund(id);
        skip(1);
        requests.refund(id);
        assertEq(requests.owedTo(address(consumer)), 1 ether);
        vm.expectRevert(abi.encodeWithSelector(IRequests.WrongStatus.selector, id, Status.Refunded));
        requests.refund(id);
        assertEq(consumer.collect(), 1 ether);
    }

    function test_refundWhenTheKeyBroke() public {
        uint256 zk = ask(zkTerms(), 1 ether);
        RequestTerms memory t = optimisticTerms();
        t.modelId = zkModel;
        uint256 optimistic = ask(t, 1 ether);
        _breakKey();
        bytes memory proof = proofOf(zk, prover);
        vm.prank(hotKey);
        vm.expectRevert(abi.encodeWithSelector(IRequests.ModelUnavailable.selector, zkModel));
        requests.fulfilProof(zk, key, proof, input, output);
        requests.refund(zk);
        // The program is as good as it was: optimistic answers go on.
        vm.expectRevert(abi.encodeWithSelector(IRequests.NotYetRefundable.selector, optimistic));
        requests.refund(optimistic);
        vm.prank(hotKey);
        requests.claim(optimistic, questionOf(optimistic), output);
        _refused(zkTerms(), abi.encodeWithSelector(IRequests.ModelUnavailable.selector, zkModel));
    }

    function test_illFormedModelsEndEverything() public {
        uint256 open = ask(optimisticTerms(), 1 ether);
        uint256 id = claimed();
        vm.expectRevert(abi.encodeWithSelector(IRequests.NotIllFormed.selector, plainModel));
        requests.voidClaim(id);
        _breakModel(plainModel);
        vm.prank(hotKey);
        vm.expectRevert(abi.encodeWithSelector(IRequests.ModelUnavailable.selector, plainModel));
        requests.claim(open, questionOf(open), output);
        requests.refund(open);
        _refused(optimisticTerms(), abi.encodeWithSelector(IRequests.ModelUnavailable.selector, plainModel));
        pass();
        vm.expectRevert(abi.encodeWithSelector(IRequests.ModelUnavailable.selector, plainModel));
        requests.finalize(id, output);
        requests.voidClaim(id);
        assertTrue(requests.requestOf(id).status == Status.Faulted);
        assertEq(requests.owedTo(address(consumer)), 2 ether);
        assertEq(vault.freeOf(address(consumer)), 1 ether);
        assertEq(vault.freeOf(prover), 98 ether);
    }

    // Faults.

    function _payouts(uint256 amount) private returns (Payout[] memory payouts) {
        payouts = new Payout[](1);
        payouts[0] = Payout(makeAddr("finder"), uint128(amount));
    }

    function test_onlyBoardFaults() public {
        uint256 id = claimed();
        vm.expectRevert(abi.encodeWithSelector(IRequests.NotBoard.selector, address(this)));
        requests.onFault(bytes32(id), new Payout[](0));
    }

    function test_SlashArithmetic_faultSplitsTheLock() public {
        uint256 id = claimed();
        uint256 burned = address(0).balance;
        board.fault(requests, bytes32(id), _payouts(0.3 ether));
        assertEq(vault.freeOf(makeAddr("finder")), 0.3 ether);
        assertEq(vault.freeOf(address(consumer)), 0.7 ether);
        assertEq(address(0).balance - burned, 1 ether);
        assertEq(vault.freeOf(prover), 98 ether);
        assertEq(vault.lockedOf(prover, address(requests)), 0);
        assertEq(requests.owedTo(address(consumer)), 1 ether);
        assertEq(requests.owedTo(prover), 0);
        consumer.withdrawStake(vault);
        consumer.collect();
        assertEq(address(consumer).balance, 1000 ether + 1.7 ether);
    }

    function test_findersGetAtMostAQuarter() public {
        uint256 id = claimed();
        Payout[] memory payouts = _payouts(0.5 ether + 1);
        vm.expectRevert(abi.encodeWithSelector(IRequests.PayoutsExceedQuarter.selector, 0.5 ether + 1, 2 ether));
        board.fault(requests, bytes32(id), payouts);
        board.fault(requests, bytes32(id), _payouts(0.5 ether));
    }

    function test_oneVerdictPerClaim() public {
        uint256 id = claimed();
        board.fault(requests, bytes32(id), new Payout[](0));
        vm.expectRevert(abi.encodeWithSelector(IRequests.WrongStatus.selector, id, Status.Faulted));
        board.fault(requests, bytes32(id), new Payout[](0));
        pass();
        vm.expectRevert(abi.encodeWithSelector(IRequests.WrongStatus.selector, id, Status.Faulted));
        requests.finalize(id, output);
        uint256 open = ask(optimisticTerms(), 1 ether);
        vm.expectRevert(abi.encodeWithSelector(IRequests.WrongStatus.selector, open, Status.Open));
        board.fault(requests, bytes32(open), new Payout[](0));
        assertFalse(requests.claimOf(bytes32(id)).open);
    }

    // The exclusive period.

    function test_exclusiveMeansExclusive() public {
        uint256 id = ask(optimisticTerms(), 1 ether);
        (address other, address otherKey,) = newProver("other", 10 ether);
        vm.prank(hotKey);
        requests.reserve(id, questionOf(id));
        assertEq(vault.lockedOf(prover, address(requests)), 0.1 ether);
        vm.warp(nowTime() + EXCLUSIVE_PERIOD);
        vm.prank(otherKey);
        vm.expectRevert(abi.encodeWithSelector(IRequests.ReservedByOther.selector, id, prover, nowTime()));
        requests.claim(id, questionOf(id), output);
        vm.prank(hotKey);
        requests.claim(id, questionOf(id), output);
        assertEq(vault.lockedOf(prover, address(requests)), 2 ether);
        assertEq(vault.lockedOf(other, address(requests)), 0);
    }

    function test_lateReserversLoseTheirBond() public {
        uint256 id = ask(optimisticTerms(), 1 ether);
        (, address otherKey,) = newProver("other", 10 ether);
        vm.prank(hotKey);
        requests.reserve(id, questionOf(id));
        skip(EXCLUSIVE_PERIOD + 1);
        vm.prank(otherKey);
        requests.claim(id, questionOf(id), output);
        assertEq(vault.freeOf(prover), 99.9 ether);
        assertEq(vault.lockedOf(prover, address(requests)), 0);
        assertEq(vault.freeOf(address(consumer)), 0.05 ether);
    }

    function test_lateReserverWhoAnswersLosesItsBondToo() public {
        uint256 id = ask(optimisticTerms(), 1 ether);
        vm.prank(hotKey);
        requests.reserve(id, questionOf(id));
        skip(EXCLUSIVE_PERIOD + 1);
        vm.prank(hotKey);
        requests.claim(id, questionOf(id), output);
        assertEq(vault.freeOf(prover), 97.9 ether);
    }

    function test_oneExclusivePeriod() public {
        uint256 id = ask(optimisticTerms(), 1 ether);
        vm.prank(hotKey);
        requests.reserve(id, questionOf(id));
        vm.expectRevert(
            abi.encodeWithSelector(IRequests.ReservedByOther.selector, id, prover, nowTime() + EXCLUSIVE_PERIOD)
        );
        requests.forfeitBond(id);
        skip(EXCLUSIVE_PERIOD + 1);
        vm.prank(hotKey);
        vm.expectRevert(abi.encodeWithSelector(IRequests.AlreadyReserved.selector, id));
        requests.reserve(id, questionOf(id));
        requests.forfeitBond(id);
        assertEq(vault.freeOf(address(consumer)), 0.05 ether);
        vm.prank(hotKey);
        vm.expectRevert(abi.encodeWithSelector(IRequests.AlreadyReserved.selector, id));
        requests.reserve(id, questionOf(id));
        vm.expectRevert(abi.encodeWithSelector(IRequests.ReservedByOther.selector, id, address(0), 0));
        requests.forfeitBond(id);
        vm.prank(hotKey);
        requests.claim(id, questionOf(id), output);
    }

    function test_reservationsEndByTheDeadline() public {
        RequestTerms memory t = optimisticTerms();
        t.deadline = uint40(nowTime() + 10);
        uint256 id = ask(t, 1 ether);
        vm.prank(hotKey);
        requests.reserve(id, questionOf(id));
        assertEq(requests.requestOf(id).time, t.deadline);
        vm.warp(t.deadline + 1);
        requests.refund(id);
        assertEq(vault.freeOf(address(consumer)), 0.05 ether);
        assertEq(vault.lockedOf(prover, address(requests)), 0);
        id = ask(optimisticTerms(), 1 ether);
        vm.warp(nowTime() + 1 days + 1);
        vm.prank(hotKey);
        vm.expectRevert(abi.encodeWithSelector(IRequests.PastDeadline.selector, id));
        requests.reserve(id, questionOf(id));
    }

    /// A prover whose model is taken from under it is not fined.
    function test_bondsReturnWhenTheModelIsDisabled() public {
        uint256 id = ask(optimisticTerms(), 1 ether);
        vm.prank(hotKey);
        requests.reserve(id, questionOf(id));
        _breakModel(plainModel);
        requests.refund(id);
        assertEq(vault.freeOf(prover), 100 ether);
        assertEq(requests.owedTo(address(consumer)), 1 ether);
    }
}
