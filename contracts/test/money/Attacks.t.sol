// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Payout} from "../../src/interfaces/IClaimSource.sol";
import {Delivery, IRequests, RequestTerms, Status} from "../../src/interfaces/IRequests.sol";
import {IStakeVault} from "../../src/interfaces/IStakeVault.sol";
import {vm} from "../Assertions.sol";
import {MoneyBase} from "./MoneyBase.sol";

/// @notice Attacks on the money, by name. Those that a rule answers alone are tested where the rule is (docs/security.md lists all).
contract MoneyAttacksTest is MoneyBase {
    function _wealth(address account) private view returns (uint256) {
        return
            account.balance + requests.owedTo(account) + vault.freeOf(account)
                + vault.lockedOf(account, address(requests));
    }

    /// Front-run an output: an optimistic answer in the mempool can be copied, unless its prover reserved the request.
    function test_frontRunOutput() public {
        (, address thiefKey,) = newProver("thief", 10 ether);
        uint256 id = ask(optimisticTerms(), 1 ether);
        vm.prank(hotKey);
        requests.reserve(id, questionOf(id));
        vm.prank(thiefKey);
        vm.expectRevert(
            abi.encodeWithSelector(IRequests.ReservedByOther.selector, id, prover, nowTime() + EXCLUSIVE_PERIOD)
        );
        requests.claim(id, questionOf(id), output);
        uint256[] memory ids = new uint256[](1);
        bytes[] memory outputs = new bytes[](1);
        (ids[0], outputs[0]) = (id, output);
        bytes32[] memory questions = questionsOf(ids);
        vm.prank(thiefKey);
        assertEq(requests.claimBatch(ids, questions, outputs), 0);
        vm.prank(hotKey);
        requests.claim(id, questionOf(id), output);
    }

    /// Reserving to block: it costs the bond, and the request is open again after one short period, for good.
    function test_reserveToBlock() public {
        (address blocker, address blockerKey,) = newProver("blocker", 10 ether);
        uint256 id = ask(optimisticTerms(), 10 ether);
        vm.prank(blockerKey);
        requests.reserve(id, questionOf(id));
        skip(EXCLUSIVE_PERIOD + 1);
        vm.prank(blockerKey);
        vm.expectRevert(abi.encodeWithSelector(IRequests.AlreadyReserved.selector, id));
        requests.reserve(id, questionOf(id));
        vm.prank(hotKey);
        requests.claim(id, questionOf(id), output);
        assertEq(_wealth(blocker), 9 ether);
        assertEq(vault.freeOf(address(consumer)), 0.5 ether);
    }

    /// Self-slash with every coalition: prover, requester and finder are one, and still at least half the lock burns.
    function test_selfSlashWithEveryCoalition(uint256 coverage, uint256 toFinder) public {
        coverage = bound(coverage, MINIMUM_COVERAGE, 100 ether);
        toFinder = bound(toFinder, 0, coverage / 4);
        RequestTerms memory t = optimisticTerms();
        t.coverage = uint96(coverage);
        t.callbackGas = 0;
        vm.deal(prover, 1 ether);
        vm.prank(prover);
        uint256 id = requests.request{value: 1 ether}(t, input);
        vm.prank(hotKey);
        requests.claim(id, questionOf(id), output);
        uint256 before = _wealth(prover) + 1 ether;
        Payout[] memory payouts = new Payout[](1);
        payouts[0] = Payout(prover, uint128(toFinder));
        board.fault(requests, bytes32(id), payouts);
        assertEq(before - _wealth(prover), coverage - coverage / 2);
    }

    /// Free work: nothing is claimed, proved or finalized that has no escrow behind its fee.
    function test_freeWork() public {
        uint256 id = ask(optimisticTerms(), 1 ether);
        assertEq(address(requests).balance, 1 ether);
        vm.prank(address(consumer));
        vm.expectRevert(abi.encodeWithSelector(IRequests.NotYetRefundable.selector, id));
        requests.refund(id);
        vm.prank(hotKey);
        requests.claim(id, questionOf(id), output);
        // Once answered, the fee is the prover's or, after a fault, the requester's; no clock gives it back.
        skip(60 days);
        vm.expectRevert(abi.encodeWithSelector(IRequests.WrongStatus.selector, id, Status.Claimed));
        requests.refund(id);
        requests.finalize(id, output);
        assertEq(requests.owedTo(prover), 0.965 ether);
    }

    /// Stake leaving before the window ends.
    function test_stakeLeavingBeforeTheWindowEnds() public {
        uint256 id = claimed();
        vm.startPrank(prover);
        vault.withdraw(98 ether, prover);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.InsufficientFreeStake.selector, prover, 0, 1));
        vault.withdraw(1, prover);
        vm.stopPrank();
        board.fault(requests, bytes32(id), new Payout[](0));
        assertEq(vault.lockedOf(prover, address(requests)), 0);
        assertEq(vault.freeOf(address(consumer)), 1 ether);
    }

    /// A key rotated away between claim and verdict changes nothing for the claim.
    function test_keyRetiredAfterTheClaim() public {
        uint256 id = claimed();
        vm.prank(prover);
        vault.retireKey(hotKey);
        board.fault(requests, bytes32(id), new Payout[](0));
        assertEq(vault.freeOf(prover), 98 ether);
    }

    /// Drain of one lock through another liability: a fault of one claim leaves every other claim and prover alone.
    function test_Isolation_oneFaultOneLock() public {
        (address other, address otherKey,) = newProver("other", 10 ether);
        uint256 first = claimed();
        uint256 second = claimed();
        uint256 third = ask(optimisticTerms(), 1 ether);
        vm.prank(otherKey);
        requests.claim(third, questionOf(third), output);
        board.fault(requests, bytes32(first), new Payout[](0));
        assertEq(vault.lockedOf(prover, address(requests)), 2 ether);
        assertEq(vault.freeOf(prover), 96 ether);
        assertEq(vault.lockedOf(other, address(requests)), 2 ether);
        pass();
        requests.finalize(second, output);
        requests.finalize(third, output);
        assertEq(vault.freeOf(prover), 98 ether);
        assertEq(vault.freeOf(other), 10 ether);
    }

    /// Consumer-chosen verifier: a request names a model and nothing else that judges.
    function test_requesterChoosesNoJudge() public {
        bytes32 unknown = keccak256("my own verifier");
        RequestTerms memory t = optimisticTerms();
        t.modelId = unknown;
        vm.expectRevert(abi.encodeWithSelector(IRequests.ModelUnavailable.selector, unknown));
        requests.request(t, input);
    }

    /// A consumer that takes no ether is paid by pull, so it stops nobody.
    function test_requesterThatTakesNoEther() public {
        vm.deal(address(board), 1 ether);
        RequestTerms memory t = optimisticTerms();
        vm.prank(address(board));
        uint256 id = requests.request{value: 1 ether}(t, input);
        vm.prank(hotKey);
        requests.claim(id, questionOf(id), output);
        pass();
        requests.finalize(id, output);
        assertTrue(requests.requestOf(id).delivery == Delivery.Failed);
        assertEq(requests.owedTo(prover), 0.965 ether);
        vm.prank(address(board));
        id = requests.request(t, input);
        vm.prank(hotKey);
        requests.claim(id, questionOf(id), output);
        board.fault(requests, bytes32(id), new Payout[](0));
        assertEq(vault.freeOf(address(board)), 1 ether);
    }

    /// A royalty or fee of many wei is split without losing or making any.
    function test_feesSplitExactly(uint256 fee) public {
        fee = bound(fee, 0, 500 ether);
        uint256 id = ask(optimisticTerms(), fee);
        vm.prank(hotKey);
        requests.claim(id, questionOf(id), output);
        pass();
        requests.finalize(id, output);
        assertEq(requests.owedTo(prover) + requests.owedTo(creator) + requests.toBurn(plainModel), fee);
        assertEq(requests.owedTo(creator), fee * ROYALTY / 10_000);
    }
}
