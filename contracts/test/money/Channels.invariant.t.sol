// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {CoverageChannels} from "../../src/CoverageChannels.sol";
import {Requests} from "../../src/Requests.sol";
import {StakeVault} from "../../src/StakeVault.sol";
import {Payout} from "../../src/interfaces/IClaimSource.sol";
import {Channel, Receipt} from "../../src/interfaces/ICoverageChannels.sol";
import {RequestTerms} from "../../src/interfaces/IRequests.sol";
import {vm} from "../Assertions.sol";
import {Base} from "../Base.sol";
import {MoneyBase} from "./MoneyBase.sol";
import {Questions} from "./Questions.sol";
import {ToyBoard} from "./ToyBoard.sol";
import {ToyConsumer} from "./ToyConsumer.sol";

/// @notice A prover that signs whatever receipts it is asked for, nonces used twice included; two customers that open them, twice if
/// they can; requests of the same prover beside; a board that faults at will. It keeps its own books of what is disputed.
contract ChannelsHandler is Base {
    struct World {
        CoverageChannels channels;
        StakeVault vault;
        Requests requests;
        ToyBoard board;
        ToyConsumer consumer;
        address prover;
        address key;
        uint256 secret;
        address[2] customers;
        bytes32 modelId;
    }

    struct Signed {
        Receipt receipt;
        bytes signature;
        address customer;
    }

    bytes private constant INPUT = hex"01020304";
    bytes private constant OUTPUT = hex"2a000000";

    World private w;
    bytes32[] public ids;
    Signed[] private _signed;
    bytes32[] public claims;
    mapping(bytes32 claimId => uint256) public coverageOf;
    mapping(bytes32 claimId => uint256) public openings;
    mapping(bytes32 claimId => uint256) public verdicts;
    uint256[] public asked;
    uint256 public withdrawn;
    uint256 public burned;
    uint256 public slashed;
    /// A stranger, or a stranger's receipt, got through.
    bool public intruded;
    mapping(string move => uint256) public successes;

    constructor(World memory world) {
        w = world;
    }

    function channelCount() external view returns (uint256) {
        return ids.length;
    }

    function claimCount() external view returns (uint256) {
        return claims.length;
    }

    function askedCount() external view returns (uint256) {
        return asked.length;
    }

    function open(uint256 who, uint96 amount, uint256 duration) external {
        if (ids.length > 12) return;
        amount = uint96(bound(amount, 1, 8 ether));
        uint40 expiry = uint40(nowTime() + bound(duration, 1 hours, 2 days));
        vm.prank(w.key);
        try w.channels.open(w.customers[who % 2], amount, expiry) returns (bytes32 id) {
            ids.push(id);
            ++successes["open"];
        } catch {}
    }

    function renew(uint256 which, uint96 added, uint256 longer) external {
        if (ids.length == 0) return;
        bytes32 id = ids[which % ids.length];
        uint40 expiry = uint40(w.channels.channelOf(id).expiry + bound(longer, 0, 1 days));
        vm.prank(which % 5 == 0 ? w.customers[0] : w.key);
        try w.channels.renew(id, uint96(bound(added, 0, 2 ether)), expiry) {
            if (which % 5 == 0) intruded = true;
            ++successes["renew"];
        } catch {}
    }

    function sign(uint256 which, uint64 nonce, uint128 coverage, uint256 lasts) external {
        if (ids.length == 0 || _signed.length > 60) return;
        bytes32 id = ids[which % ids.length];
        Channel memory channel = w.channels.channelOf(id);
        Receipt memory receipt = Receipt({
            prover: w.prover,
            modelId: w.modelId,
            inputRoot: keccak256("input"),
            outputRoot: keccak256(abi.encode(coverage)),
            issuedAt: uint64(nowTime()),
            channel: id,
            nonce: nonce % 6,
            coverage: uint128(bound(coverage, 0.9 ether, 4 ether)),
            outstanding: 0,
            expiry: uint64(bound(lasts, nowTime(), nowTime() + 1 days))
        });
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(w.secret, w.channels.digestOf(receipt));
        _signed.push(Signed(receipt, abi.encodePacked(r, s, v), channel.customer));
    }

    function openReceipt(uint256 which, uint256 who) external {
        if (_signed.length == 0) return;
        Signed memory signed = _signed[which % _signed.length];
        address by = who % 4 == 0 ? w.customers[who % 2] : signed.customer;
        vm.prank(by);
        try w.channels.openReceipt(signed.receipt, signed.signature) returns (bytes32 claimId) {
            if (by != signed.customer) intruded = true;
            if (openings[claimId] == 0) claims.push(claimId);
            coverageOf[claimId] = signed.receipt.coverage;
            ++openings[claimId];
            ++successes["openReceipt"];
        } catch {}
    }

    function doubleNonce(uint256 one, uint256 other) external {
        if (_signed.length == 0) return;
        Signed memory a = _signed[one % _signed.length];
        Signed memory b = _signed[_sameNonce(one % _signed.length, other)];
        uint256 before = w.vault.lockedOf(w.prover, address(w.channels));
        uint256 burnedBefore = address(0).balance;
        vm.prank(a.customer);
        try w.channels.proveDoubleNonce(a.receipt, a.signature, b.receipt, b.signature) {
            bool same = a.receipt.channel == b.receipt.channel && a.receipt.nonce == b.receipt.nonce;
            if (!same || w.channels.digestOf(a.receipt) == w.channels.digestOf(b.receipt)) intruded = true;
            slashed += before - w.vault.lockedOf(w.prover, address(w.channels));
            ++successes["doubleNonce"];
        } catch {}
        burned += address(0).balance - burnedBefore;
    }

    /// @dev Another receipt of the same channel and nonce, from the `from`-th on; every third time, whichever comes.
    function _sameNonce(uint256 one, uint256 from) private view returns (uint256 other) {
        uint256 count = _signed.length;
        if (from % 3 == 0) return from % count;
        Receipt memory a = _signed[one].receipt;
        for (uint256 i = 0; i < count; ++i) {
            other = (from % count + i) % count;
            Receipt memory b = _signed[other].receipt;
            if (other != one && a.channel == b.channel && a.nonce == b.nonce) return other;
        }
    }

    function fault(uint256 which, uint256 share) external {
        if (claims.length == 0) return;
        bytes32 id = claims[which % claims.length];
        Payout[] memory payouts = new Payout[](1);
        payouts[0] = Payout(w.customers[share % 2], uint128(bound(share, 0, coverageOf[id] / 4 + 1)));
        uint256 burnedBefore = address(0).balance;
        try w.board.fault(w.channels, id, payouts) {
            ++verdicts[id];
            slashed += coverageOf[id];
            ++successes["fault"];
        } catch {}
        burned += address(0).balance - burnedBefore;
    }

    function settle(uint256 which) external {
        if (claims.length == 0) return;
        bytes32 id = claims[which % claims.length];
        // The next one that is open, where there is one.
        for (uint256 i = 0; i < claims.length && !w.channels.claimOf(id).open; ++i) {
            id = claims[(which % claims.length + i) % claims.length];
        }
        try w.channels.settle(id) {
            ++verdicts[id];
            ++successes["settle"];
        } catch {}
    }

    function close(uint256 which) external {
        if (ids.length == 0) return;
        bytes32 id = ids[which % ids.length];
        uint256 expiry = w.channels.channelOf(id).expiry;
        try w.channels.close(id) {
            if (nowTime() <= expiry) intruded = true;
            ++successes["close"];
        } catch {}
    }

    function askAndClaim(uint96 coverage) external {
        if (asked.length > 12) return;
        RequestTerms memory t = RequestTerms({
            modelId: w.modelId,
            tier: 1,
            earlyDelivery: false,
            coverage: uint96(bound(coverage, 1 ether, 3 ether)),
            deadline: uint40(nowTime() + 1 days),
            inputTimestamp: 0,
            callbackGas: 0
        });
        uint256 id = w.consumer.ask(t, INPUT);
        vm.prank(w.key);
        try w.requests.claim(id, Questions.read(w.requests, id), OUTPUT) {
            asked.push(id);
            ++successes["claim"];
        } catch {}
    }

    function withdraw(uint256 amount) external {
        amount = bound(amount, 0, w.vault.freeOf(w.prover));
        vm.prank(w.prover);
        w.vault.withdraw(amount, address(0xdead));
        withdrawn += amount;
    }

    function pass(uint256 time) external {
        skip(bound(time, 1, 3 hours));
    }
}

/// @notice Receipts and channels, whatever anybody does: what they owe is there, and nothing else pays for it.
/// forge-config: long.invariant.runs = 64
contract ChannelsInvariants is MoneyBase {
    uint256 private constant STAKE = 30 ether;

    CoverageChannels private channels;
    ChannelsHandler private handler;
    address[2] private customers;

    function setUp() public override {
        super.setUp();
        // The vault of the base knows no channels.
        uint256 nonce = vm.getNonce(address(this));
        address requestsAt = vm.computeCreateAddress(address(this), nonce + 1);
        address channelsAt = vm.computeCreateAddress(address(this), nonce + 2);
        vault = StakeVault(deploy("StakeVault.sol:StakeVault", abi.encode(requestsAt, channelsAt)));
        requests = Requests(newRequests());
        channels = CoverageChannels(
            deploy("CoverageChannels.sol:CoverageChannels", abi.encode(registry, vault, address(board)))
        );
        assertTrue(address(requests) == requestsAt && address(channels) == channelsAt);
        consumer = ToyConsumer(payable(deploy("ToyConsumer.sol:ToyConsumer", abi.encode(requests))));
        (prover, hotKey, hotSecret) = newProver("channel prover", STAKE);
        customers = [makeAddr("first customer"), makeAddr("second customer")];
        handler = new ChannelsHandler(
            ChannelsHandler.World(
                channels, vault, requests, board, consumer, prover, hotKey, hotSecret, customers, plainModel
            )
        );
        targetContract(address(handler));
    }

    /// Every kind of move goes through sometimes: else the invariants would hold of nothing.
    function test_handlerMakesEveryMove() public {
        for (uint256 i = 0; i < 900; ++i) {
            uint256 r = uint256(keccak256(abi.encode(i)));
            uint256 kind = r % 14;
            r >>= 16;
            if (kind == 0) handler.open(r, uint96(r >> 8), r >> 16);
            else if (kind == 1) handler.renew(r, uint96(r >> 8), r >> 16);
            else if (kind < 5) handler.sign(r, uint64(r >> 8), uint128(r >> 16), r >> 24);
            else if (kind < 8) handler.openReceipt(r, r >> 64);
            else if (kind == 8) handler.doubleNonce(r, r >> 64);
            else if (kind == 9) handler.fault(r, r >> 64);
            else if (kind == 10) handler.settle(r);
            else if (kind == 11) handler.close(r);
            else if (kind == 12) handler.askAndClaim(uint96(r));
            else handler.pass(r);
        }
        string[8] memory moves = ["open", "renew", "openReceipt", "doubleNonce", "fault", "settle", "close", "claim"];
        for (uint256 i = 0; i < moves.length; ++i) {
            assertGt(handler.successes(moves[i]), 0, moves[i]);
        }
        invariant_All();
    }

    /// Stake that came in is free, locked, withdrawn, paid out or burned, to the wei.
    function invariant_Solvency() public view {
        uint256 held = vault.freeOf(prover) + vault.lockedOf(prover, address(channels));
        held += vault.lockedOf(prover, address(requests)) + vault.freeOf(customers[0]) + vault.freeOf(customers[1]);
        assertEq(address(vault).balance, held);
        assertEq(held, STAKE - handler.withdrawn() - handler.burned());
    }

    /// Channels lock what they say they lock, and open claims hold their coverages of it; requests' locks are their own.
    function invariant_Isolation() public view {
        uint256 locks = 0;
        uint256 disputed = 0;
        for (uint256 i = 0; i < handler.channelCount(); ++i) {
            Channel memory channel = channels.channelOf(handler.ids(i));
            assertLe(channel.disputed, channel.lock);
            locks += channel.lock;
            disputed += channel.disputed;
        }
        assertEq(vault.lockedOf(prover, address(channels)), locks);
        uint256 open = 0;
        for (uint256 i = 0; i < handler.claimCount(); ++i) {
            bytes32 id = handler.claims(i);
            if (channels.claimOf(id).open) open += handler.coverageOf(id);
        }
        assertEq(disputed, open);
        uint256 claimed = 0;
        for (uint256 i = 0; i < handler.askedCount(); ++i) {
            claimed += requests.requestOf(handler.asked(i)).terms.coverage;
        }
        assertEq(vault.lockedOf(prover, address(requests)), claimed);
    }

    /// Half of what is slashed burns at least, whoever colludes.
    function invariant_SlashArithmetic() public view {
        assertGe(2 * handler.burned(), handler.slashed());
        assertEq(vault.freeOf(customers[0]) + vault.freeOf(customers[1]), handler.slashed() - handler.burned());
    }

    /// A receipt is opened once, by its customer, and judged once.
    function invariant_NoReplay() public view {
        assertFalse(handler.intruded());
        for (uint256 i = 0; i < handler.claimCount(); ++i) {
            bytes32 id = handler.claims(i);
            assertEq(handler.openings(id), 1);
            assertEq(handler.verdicts(id), channels.claimOf(id).open ? 0 : 1);
        }
    }

    /// All names at once, after every call: `long` makes half a million calls here instead of as many for each name.
    /// forge-config: long.invariant.runs = 4000
    function invariant_All() public view {
        invariant_Solvency();
        invariant_Isolation();
        invariant_SlashArithmetic();
        invariant_NoReplay();
    }
}
