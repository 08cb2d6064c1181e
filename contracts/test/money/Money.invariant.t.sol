// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Delivery, RequestView, Status} from "../../src/interfaces/IRequests.sol";
import {MoneyBase} from "./MoneyBase.sol";
import {MoneyHandler} from "./MoneyHandler.sol";
import {ToyConsumer} from "./ToyConsumer.sol";

/// @notice What holds of the money, whatever anybody does.
/// forge-config: long.invariant.runs = 64
contract MoneyInvariants is MoneyBase {
    MoneyHandler private handler;
    ToyConsumer private second;
    address[3] private owners;
    bytes32 private identity;

    function setUp() public override {
        super.setUp();
        second = ToyConsumer(payable(deploy("ToyConsumer.sol:ToyConsumer", abi.encode(requests))));
        address[3] memory keys;
        (owners[0], keys[0]) = (prover, hotKey);
        (owners[1], keys[1],) = newProver("second prover", 30 ether);
        (owners[2], keys[2],) = newProver("third prover", 3 ether);
        handler = new MoneyHandler(
            MoneyHandler.World(
                requests, vault, registry, board, [consumer, second], owners, keys, zkModel, plainModel, key
            )
        );
        identity = _identityNow();
        targetContract(address(handler));
    }

    /// The handler can reach every end: else the invariants would hold of nothing.
    function test_handlerReachesEveryEnd() public {
        handler.setMood(1);
        for (uint256 i = 0; i < 6; ++i) {
            handler.ask(i, 1 ether + 1, 2 ether + 2 days, i < 2, i == 5);
        }
        handler.reserve(0, 0);
        handler.fulfil(0, 0);
        handler.reserve(1, 1);
        handler.replay(0, 1);
        handler.pass(10 minutes);
        handler.fulfil(0, 1);
        handler.claim(0, 2);
        handler.claimBatch(1, 3);
        handler.claim(1, 5);
        handler.deliver(5, true);
        handler.fault(2, 3);
        handler.pass(3 hours);
        handler.finalize(3);
        handler.collect(0);
        handler.collectFor(1);
        handler.burnFees(true);
        handler.withdraw(1, 1 ether);
        handler.deposit(2, 1 ether);
        Status[6] memory ends;
        for (uint256 i = 0; i < 6; ++i) {
            ends[i] = requests.requestOf(handler.ids(i)).status;
        }
        assertTrue(ends[0] == Status.Final && ends[1] == Status.Final && ends[2] == Status.Faulted);
        assertTrue(ends[3] == Status.Final && ends[5] == Status.Claimed);
        assertTrue(requests.requestOf(handler.ids(1)).delivery == Delivery.Failed);
        assertTrue(requests.requestOf(handler.ids(0)).delivery == Delivery.Done);
        for (uint256 i = 0; i < 20; ++i) {
            handler.pass(3 hours);
        }
        handler.refund(4);
        assertTrue(ends[4] == Status.Claimed || requests.requestOf(handler.ids(4)).status == Status.Refunded);
        assertGt(handler.faults(), 0);
        assertGt(handler.burned(), 0);
        invariant_All();
    }

    function _identityNow() private view returns (bytes32) {
        return keccak256(abi.encode(registry.recordOf(zkModel), registry.recordOf(plainModel)));
    }

    function _openLocks(address owner) private view returns (uint256 sum) {
        for (uint256 i = 0; i < handler.count(); ++i) {
            RequestView memory r = requests.requestOf(handler.ids(i));
            if (r.prover != owner) continue;
            if (r.status == Status.Claimed) sum += r.terms.coverage;
            // A reservation that nobody ended still holds its bond.
            if (r.status == Status.Open) sum += uint256(r.fee) * 1000 / 10_000;
        }
    }

    /// Everything anybody is owed is there, in both contracts, to the wei.
    function invariant_Solvency() public view {
        uint256 escrow = requests.toBurn(zkModel) + requests.toBurn(plainModel);
        escrow += requests.owedTo(creator) + requests.owedTo(address(consumer)) + requests.owedTo(address(second));
        uint256 stake = vault.freeOf(address(consumer)) + vault.freeOf(address(second));
        for (uint256 i = 0; i < 3; ++i) {
            escrow += requests.owedTo(owners[i]);
            stake += vault.freeOf(owners[i]) + vault.lockedOf(owners[i], address(requests));
        }
        for (uint256 i = 0; i < handler.count(); ++i) {
            RequestView memory r = requests.requestOf(handler.ids(i));
            if (r.status == Status.Open || r.status == Status.Claimed) escrow += r.fee;
        }
        assertEq(address(requests).balance, escrow);
        assertEq(address(vault).balance, stake);
    }

    /// The vault's locks are the sum of the open liabilities, prover by prover: no lock pays for another.
    function invariant_Isolation() public view {
        for (uint256 i = 0; i < 3; ++i) {
            assertEq(vault.lockedOf(owners[i], address(requests)), _openLocks(owners[i]));
            assertEq(vault.lockedOf(owners[i], CHANNELS), 0);
        }
    }

    /// Stake that came in is there, went out, or burned in a slash; a slash pays out at most half its lock.
    function invariant_SlashArithmetic() public view {
        uint256 paidIn = 133 ether + handler.deposited();
        assertEq(address(vault).balance, paidIn - handler.withdrawn() - handler.burned());
        for (uint256 i = 0; i < handler.count(); ++i) {
            uint256 id = handler.ids(i);
            assertLe(handler.paidOut(id), requests.requestOf(id).terms.coverage / 2);
        }
    }

    /// A consumer that fails delays nothing: whoever answered and was final has no lock left for it.
    function invariant_FailureIsNeutral() public view {
        for (uint256 i = 0; i < handler.count(); ++i) {
            RequestView memory r = requests.requestOf(handler.ids(i));
            if (r.delivery == Delivery.Failed) assertTrue(r.status == Status.Final);
            if (r.delivery == Delivery.Failed) assertEq(r.requester, address(second));
        }
    }

    /// One verdict a request, and a proof answers the one request it was made for.
    function invariant_NoReplay() public view {
        assertEq(handler.replays(), 0);
        for (uint256 i = 0; i < handler.count(); ++i) {
            uint256 id = handler.ids(i);
            Status status = requests.requestOf(id).status;
            bool ended = status == Status.Final || status == Status.Faulted || status == Status.Refunded;
            assertEq(handler.verdicts(id), ended ? 1 : 0);
        }
    }

    /// A consumer sees each final answer once, and no final answer that is not final here.
    function invariant_Delivery() public view {
        uint256[2] memory done;
        for (uint256 i = 0; i < handler.count(); ++i) {
            RequestView memory r = requests.requestOf(handler.ids(i));
            if (r.delivery != Delivery.Done) continue;
            assertTrue(r.status == Status.Final);
            ++done[r.requester == address(consumer) ? 0 : 1];
        }
        assertEq(consumer.finalCalls(), done[0]);
        assertEq(second.finalCalls(), done[1]);
    }

    function invariant_Identity() public view {
        assertEq(_identityNow(), identity);
    }

    /// All names at once, after every call: `long` makes half a million calls here instead of as many for each name.
    /// forge-config: long.invariant.runs = 4000
    function invariant_All() public view {
        invariant_Solvency();
        invariant_Isolation();
        invariant_SlashArithmetic();
        invariant_FailureIsNeutral();
        invariant_NoReplay();
        invariant_Delivery();
        invariant_Identity();
    }
}
