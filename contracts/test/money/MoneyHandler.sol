// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {ModelRegistry} from "../../src/ModelRegistry.sol";
import {Requests} from "../../src/Requests.sol";
import {StakeVault} from "../../src/StakeVault.sol";
import {Payout} from "../../src/interfaces/IClaimSource.sol";
import {RequestTerms} from "../../src/interfaces/IRequests.sol";
import {vm} from "../Assertions.sol";
import {Base} from "../Base.sol";
import {Questions} from "./Questions.sol";
import {ToyBoard} from "./ToyBoard.sol";
import {ToyConsumer} from "./ToyConsumer.sol";
import {ToyGroth16} from "./ToyGroth16.sol";

/// @notice What everybody does, in any order: three provers, two consumers (one misbehaves), a board that faults at will. Beside the
/// contracts it keeps its own books, in plain terms, and the invariants compare.
contract MoneyHandler is Base {
    struct World {
        Requests requests;
        StakeVault vault;
        ModelRegistry registry;
        ToyBoard board;
        ToyConsumer[2] consumers;
        address[3] owners;
        address[3] keys;
        bytes32 zkModel;
        bytes32 plainModel;
        bytes key;
    }

    bytes private constant INPUT = hex"01020304";
    bytes private constant OUTPUT = hex"2a000000";

    World private w;
    uint256[] public ids;
    mapping(uint256 id => uint256) public verdicts;
    mapping(uint256 id => uint256) public paidOut;
    uint256 public deposited;
    uint256 public withdrawn;
    uint256 public burned;
    uint256 public calls;
    uint256 public faults;
    bytes public firstProof;
    uint256 public firstProofId;
    uint256 public replays;

    constructor(World memory world) {
        w = world;
    }

    function count() external view returns (uint256) {
        return ids.length;
    }

    function _id(uint256 seed) private view returns (uint256) {
        return ids.length == 0 ? 0 : ids[seed % ids.length];
    }

    // Everything below may fail; what counts is the state afterwards.

    function deposit(uint256 who, uint256 amount) external {
        amount = bound(amount, 0, 20 ether);
        vm.deal(address(this), amount);
        w.vault.deposit{value: amount}(w.owners[who % 3]);
        deposited += amount;
        ++calls;
    }

    function withdraw(uint256 who, uint256 amount) external {
        address owner = w.owners[who % 3];
        amount = bound(amount, 0, w.vault.freeOf(owner) + 1);
        vm.prank(owner);
        try w.vault.withdraw(amount, address(0xdead)) {
            withdrawn += amount;
        } catch {}
        ++calls;
    }

    function ask(uint256 who, uint256 fee, uint256 coverage, bool zk, bool early) external {
        ToyConsumer consumer = w.consumers[who % 2];
        fee = bound(fee, 0, 3 ether);
        RequestTerms memory t = RequestTerms({
            modelId: zk ? w.zkModel : w.plainModel,
            tier: zk ? 0 : 1,
            earlyDelivery: !zk && early,
            coverage: zk ? 0 : uint96(bound(coverage, 1 ether, 8 ether)),
            deadline: uint40(nowTime() + bound(coverage, 1, 2 days)),
            inputTimestamp: 0,
            callbackGas: fee % 5 == 0 ? 0 : 200_000
        });
        vm.deal(address(this), fee);
        ids.push(consumer.ask{value: fee}(t, INPUT));
        ++calls;
    }

    function reserve(uint256 who, uint256 seed) external {
        vm.prank(w.keys[who % 3]);
        try w.requests.reserve(_id(seed), Questions.read(w.requests, _id(seed))) {} catch {}
        ++calls;
    }

    function claim(uint256 who, uint256 seed) external {
        uint256 burnedBefore = address(0).balance;
        vm.prank(w.keys[who % 3]);
        try w.requests.claim(_id(seed), Questions.read(w.requests, _id(seed)), OUTPUT) {} catch {}
        burned += address(0).balance - burnedBefore;
        ++calls;
    }

    function claimBatch(uint256 who, uint256 seed) external {
        uint256[] memory some = new uint256[](3);
        bytes32[] memory questions = new bytes32[](3);
        bytes[] memory outputs = new bytes[](3);
        for (uint256 i = 0; i < 3; ++i) {
            // Of a smaller seed, so that the sum stays one.
            some[i] = _id(seed % 1e9 + i * 7);
            (questions[i], outputs[i]) = (Questions.read(w.requests, some[i]), OUTPUT);
        }
        uint256 burnedBefore = address(0).balance;
        vm.prank(w.keys[who % 3]);
        try w.requests.claimBatch(some, questions, outputs) {} catch {}
        burned += address(0).balance - burnedBefore;
        ++calls;
    }

    function fulfil(uint256 who, uint256 seed) external {
        uint256 id = _id(seed);
        bytes memory proof = ToyGroth16.prove(_signals(id, w.owners[who % 3]), 7);
        uint256 burnedBefore = address(0).balance;
        vm.prank(w.keys[who % 3]);
        try w.requests.fulfilProof(id, w.key, proof, INPUT, OUTPUT) {
            ++verdicts[id];
            if (firstProof.length == 0) (firstProof, firstProofId) = (proof, id);
        } catch {}
        burned += address(0).balance - burnedBefore;
        ++calls;
    }

    /// The first proof that was accepted, for every other request and every prover.
    function replay(uint256 who, uint256 seed) external {
        if (firstProof.length == 0) return;
        vm.prank(w.keys[who % 3]);
        try w.requests.fulfilProof(_id(seed), w.key, firstProof, INPUT, OUTPUT) {
            ++replays;
        } catch {}
        ++calls;
    }

    function finalize(uint256 seed) external {
        uint256 id = _id(seed);
        try w.requests.finalize(id, OUTPUT) {
            ++verdicts[id];
        } catch {}
        ++calls;
    }

    function fault(uint256 seed, uint256 share) external {
        uint256 id = _id(seed);
        uint256 coverage = w.requests.requestOf(id).terms.coverage;
        Payout[] memory payouts = new Payout[](1);
        payouts[0] = Payout(w.owners[share % 3], uint128(bound(share, 0, coverage / 4 + 1)));
        uint256 burnedBefore = address(0).balance;
        try w.board.fault(w.requests, bytes32(id), payouts) {
            ++verdicts[id];
            ++faults;
            paidOut[id] = coverage - (address(0).balance - burnedBefore);
        } catch {}
        burned += address(0).balance - burnedBefore;
        ++calls;
    }

    function refund(uint256 seed) external {
        uint256 id = _id(seed);
        uint256 burnedBefore = address(0).balance;
        try w.requests.refund(id) {
            ++verdicts[id];
        } catch {}
        burned += address(0).balance - burnedBefore;
        ++calls;
    }

    function forfeitBond(uint256 seed) external {
        uint256 burnedBefore = address(0).balance;
        try w.requests.forfeitBond(_id(seed)) {} catch {}
        burned += address(0).balance - burnedBefore;
        ++calls;
    }

    function deliver(uint256 seed, bool early) external {
        if (early) {
            try w.requests.deliverEarly(_id(seed), OUTPUT) {} catch {}
        } else {
            try w.requests.retryDelivery(_id(seed), OUTPUT) {} catch {}
        }
        ++calls;
    }

    function collect(uint256 who) external {
        address account = who % 5 < 3 ? w.owners[who % 5] : address(w.consumers[who % 5 - 3]);
        vm.prank(account);
        w.requests.collect(address(0xdead));
        ++calls;
    }

    function collectFor(uint256 who) external {
        uint256 before = w.owners[who % 3].balance;
        uint256 owed = w.requests.owedTo(w.owners[who % 3]);
        w.requests.collectFor(w.keys[who % 3]);
        assertEq(w.owners[who % 3].balance - before, owed);
        ++calls;
    }

    function burnFees(bool zk) external {
        w.requests.burnFees(zk ? w.zkModel : w.plainModel);
        ++calls;
    }

    function setMood(uint256 mood) external {
        w.consumers[1].setMood(ToyConsumer.Mood(mood % 4));
        ++calls;
    }

    function pass(uint256 time) external {
        skip(bound(time, 1, 3 hours));
        ++calls;
    }

    function _signals(uint256 id, address by) private view returns (uint256[] memory signals) {
        signals = new uint256[](3);
        signals[0] = w.requests.contextOf(id, by, w.zkModel);
        signals[1] = 0x04030201;
        signals[2] = 0x2a;
    }
}
