// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {ModelRecord} from "../../src/ModelTypes.sol";
import {AssayConsumer} from "../../src/consumers/AssayConsumer.sol";
import {Limits} from "../../src/consumers/Guardrails.sol";
import {LendingMarket, ModelUse} from "../../src/consumers/LendingMarket.sol";
import {AnswerInfo} from "../../src/interfaces/IAnswerReceiver.sol";
import {Payout} from "../../src/interfaces/IClaimSource.sol";
import {Delivery} from "../../src/interfaces/IRequests.sol";
import {vm} from "../Assertions.sol";
import {MoneyBase} from "./MoneyBase.sol";
import {ToyGroth16} from "./ToyGroth16.sol";
import {ToyPrice, ToyToken} from "./ToyMarket.sol";

/// @notice The model is played by the test, which is to say: by an adversary that chooses every answer.
contract LendingMarketTest is MoneyBase {
    uint128 private constant LOW = 0.5e18;
    uint128 private constant HIGH = 0.8e18;
    uint128 private constant FALLBACK = 0.6e18;
    uint128 private constant MOST = 0.05e18;
    uint40 private constant MAX_AGE = 6 hours;

    ToyToken private token;
    ToyPrice private price;
    LendingMarket private market;
    bytes32 private vouched;

    function setUp() public override {
        super.setUp();
        ModelRecord memory r = record(1);
        r.provenance = keccak256("ceremony");
        vouched = registry.register(r, key, "", 0);
        token = ToyToken(deploy("ToyMarket.sol:ToyToken", ""));
        price = ToyPrice(deploy("ToyMarket.sol:ToyPrice", ""));
        market = newMarket(vouched, 1, limits(), false);
        token.mint(address(this), 1_000_000e18);
        token.approve(address(market), type(uint256).max);
        market.supply(100_000e18);
        market.depositCollateral{value: 10 ether}();
    }

    function limits() private pure returns (Limits memory) {
        return Limits(LOW, HIGH, MOST / 1 hours, MOST, MAX_AGE, FALLBACK);
    }

    function newMarket(bytes32 modelId, uint8 tier, Limits memory l, bool development) private returns (LendingMarket) {
        ModelUse memory use = ModelUse(modelId, 2, 0, 1e15, tier, tier == 1 ? 1 ether : 0, 1 days, 0.01 ether);
        bytes memory arguments = abi.encode(requests, registry, vault, token, price, use, l, development);
        return LendingMarket(payable(deploy("LendingMarket.sol:LendingMarket", arguments)));
    }

    function answer(int32 integer) private returns (uint256 id) {
        id = market.askLimit{value: 0.01 ether}();
        give(id, integer);
    }

    function give(uint256 id, int32 integer) private {
        uint32 bits = uint32(integer);
        bytes memory out = abi.encodePacked(uint8(bits), uint8(bits >> 8), uint8(bits >> 16), uint8(bits >> 24));
        vm.prank(hotKey);
        requests.claim(id, questionOf(id), out);
        pass();
        requests.finalize(id, out);
    }

    receive() external payable {}

    function test_theLimitFollowsTheModel() public {
        assertEq(market.borrowLimitWad(), FALLBACK);
        uint256 id = answer(630);
        assertTrue(requests.requestOf(id).delivery == Delivery.Done);
        assertEq(market.borrowLimitWad(), 0.63e18);
        assertEq(market.borrowable(address(this)), 10 * 2000e18 * 63 / 100);
        market.borrow(12_600e18);
        vm.expectRevert(abi.encodeWithSelector(LendingMarket.AboveLimit.selector, 12_600e18 + 1, 12_600e18));
        market.borrow(1);
        vm.expectRevert();
        market.withdrawCollateral(1);
        market.repay(600e18);
        market.withdrawCollateral(0.1 ether);
    }

    /// A manipulated answer: any integer at all, as often as the adversary likes.
    function test_manipulatedAnswersStayInside(int32[12] memory answers, uint32[12] memory pauses) public {
        for (uint256 i = 0; i < answers.length; ++i) {
            skip(bound(pauses[i], 0, 8 hours));
            uint256 before = market.borrowLimitWad();
            answer(answers[i]);
            uint256 afterwards = market.borrowLimitWad();
            assertGe(afterwards, LOW);
            assertLe(afterwards, HIGH);
            // From what was in force, or from the fallback when that went stale meanwhile.
            uint256 distance = before > afterwards ? before - afterwards : afterwards - before;
            uint256 fromFallback = afterwards > FALLBACK ? afterwards - FALLBACK : FALLBACK - afterwards;
            assertLe(distance < fromFallback ? distance : fromFallback, MOST);
        }
    }

    function test_answersMoveSlowly() public {
        answer(type(int32).max);
        assertEq(market.borrowLimitWad(), FALLBACK + MOST);
        answer(type(int32).min);
        assertLe(market.borrowLimitWad(), FALLBACK + MOST);
        assertGe(market.borrowLimitWad(), FALLBACK - 1e15);
        for (uint256 i = 0; i < 8; ++i) {
            answer(type(int32).min);
        }
        assertEq(market.borrowLimitWad(), LOW);
        for (uint256 i = 0; i < 12; ++i) {
            answer(type(int32).max);
        }
        assertEq(market.borrowLimitWad(), HIGH);
    }

    function test_absentAnswersFallBack() public {
        answer(640);
        assertEq(market.borrowLimitWad(), 0.64e18);
        skip(MAX_AGE);
        assertEq(market.borrowLimitWad(), FALLBACK);
        market.borrow(1);
    }

    /// An answer held back until its input is old moves nothing; so does one older than what was taken.
    function test_staleAnswersMoveNothing() public {
        uint256 id = market.askLimit{value: 0.01 ether}();
        skip(MAX_AGE);
        give(id, 700);
        assertEq(market.borrowLimitWad(), FALLBACK);
        assertTrue(requests.requestOf(id).delivery == Delivery.Done);
    }

    /// Who wants no answer to come, and so asks what nobody answers, pays the least fee for each patience.
    function test_unanswerableQuestionsCost() public {
        vm.expectRevert(abi.encodeWithSelector(LendingMarket.FeeTooLow.selector, 0.01 ether - 1, 0.01 ether));
        market.askLimit{value: 0.01 ether - 1}();
        uint256 id = market.askLimit{value: 0.01 ether}();
        skip(1 days + 1);
        requests.refund(id);
        uint256 before = address(market).balance;
        assertEq(market.collect(), 0.01 ether);
        assertEq(address(market).balance - before, 0.01 ether);
        market.askLimit{value: 0.01 ether}();
    }

    function test_oneQuestionAtATime() public {
        uint256 first = market.askLimit{value: 0.01 ether}();
        vm.expectRevert(abi.encodeWithSelector(LendingMarket.StillWaiting.selector, first));
        market.askLimit{value: 0.01 ether}();
        vm.prank(hotKey);
        requests.claim(first, questionOf(first), hex"00000000");
        skip(1 days);
        uint256 second = market.askLimit{value: 0.01 ether}();
        assertNotEq(first, second);
        // The late answer to the question that was given up is refused.
        requests.finalize(first, hex"00000000");
        assertTrue(requests.requestOf(first).delivery == Delivery.Failed);
        assertEq(market.borrowLimitWad(), FALLBACK);
    }

    function test_faultsAndRefundsComeBack() public {
        uint256 id = market.askLimit{value: 0.01 ether}();
        vm.prank(hotKey);
        requests.claim(id, questionOf(id), output);
        board.fault(requests, bytes32(id), new Payout[](0));
        uint256 before = address(market).balance;
        assertEq(market.collect(), 0.51 ether);
        assertEq(address(market).balance - before, 0.51 ether);
        assertEq(market.borrowLimitWad(), FALLBACK);
        assertTrue(market.isWaiting(id));
        skip(1 days);
        market.askLimit{value: 0.01 ether}();
    }

    function test_answersComeFromRequests() public {
        uint256 id = market.askLimit{value: 0.01 ether}();
        AnswerInfo memory forged = AnswerInfo(id, vouched, 1, true, uint40(nowTime()), prover);
        vm.expectRevert(abi.encodeWithSelector(AssayConsumer.NotRequests.selector, address(this)));
        market.onAnswer(forged, output);
        vm.startPrank(address(requests));
        forged.requestId = id + 1;
        vm.expectRevert(abi.encodeWithSelector(AssayConsumer.NotAsked.selector, id + 1));
        market.onAnswer(forged, output);
        forged.requestId = id;
        forged.modelId = zkModel;
        vm.expectRevert(abi.encodeWithSelector(AssayConsumer.NotAsked.selector, id));
        market.onAnswer(forged, output);
        forged.modelId = vouched;
        forged.isFinal = false;
        vm.expectRevert(abi.encodeWithSelector(AssayConsumer.NotFinal.selector, id));
        market.onAnswer(forged, output);
        forged.isFinal = true;
        market.onAnswer(forged, output);
        vm.expectRevert(abi.encodeWithSelector(AssayConsumer.NotAsked.selector, id));
        market.onAnswer(forged, output);
        vm.stopPrank();
    }

    /// Somebody else's request in the market's name: there is no such thing, its callback goes to whoever asked.
    function test_onlyOwnRequestsAnswered() public {
        uint256 id = ask(optimisticTerms(), 1 ether);
        vm.prank(address(requests));
        vm.expectRevert(abi.encodeWithSelector(AssayConsumer.NotAsked.selector, id));
        market.onAnswer(AnswerInfo(id, plainModel, 1, true, uint40(nowTime()), prover), output);
    }

    /// Development setup in production: refused where the money is, not in a tool's options.
    function test_noDevelopmentKeys() public {
        bytes memory code = vm.getCode("LendingMarket.sol:LendingMarket");
        ModelUse memory use = ModelUse(zkModel, 2, 0, 1e15, 0, 0, 1 days, 0);
        bytes memory creation =
            bytes.concat(code, abi.encode(requests, registry, vault, token, price, use, limits(), false));
        assertEq(_tryCreate(creation), abi.encodeWithSelector(AssayConsumer.DevelopmentKey.selector, zkModel));
        // On a local chain, and only there, one may say so.
        LendingMarket local = newMarket(zkModel, 0, limits(), true);
        assertTrue(local.isPinned(zkModel));
        creation = bytes.concat(code, abi.encode(requests, registry, vault, token, price, use, limits(), true));
        vm.chainId(1);
        assertEq(
            _tryCreate(creation), abi.encodeWithSelector(AssayConsumer.DevelopmentKeysAreForLocalChains.selector, 1)
        );
        vm.chainId(31_337);
        // A model without a key has no setup to doubt.
        assertTrue(newMarket(plainModel, 1, limits(), false).isPinned(plainModel));
    }

    function test_unknownModelsAreNotPinned() public {
        bytes32 unknown = keccak256("unknown");
        ModelUse memory use = ModelUse(unknown, 2, 0, 1e15, 0, 0, 1 days, 0);
        bytes memory creation = bytes.concat(
            vm.getCode("LendingMarket.sol:LendingMarket"),
            abi.encode(requests, registry, vault, token, price, use, limits(), false)
        );
        assertEq(_tryCreate(creation), abi.encodeWithSelector(AssayConsumer.ModelUnknown.selector, unknown));
    }

    function _tryCreate(bytes memory creation) private returns (bytes memory error_) {
        address made;
        assembly {
            made := create(0, add(creation, 32), mload(creation))
            if iszero(made) {
                error_ := mload(0x40)
                mstore(error_, returndatasize())
                returndatacopy(add(error_, 32), 0, returndatasize())
                mstore(0x40, add(add(error_, 64), returndatasize()))
            }
        }
    }

    function test_provenAnswersMoveTheLimitAtOnce() public {
        market = newMarket(vouched, 0, limits(), false);
        skip(1 hours);
        uint256 id = market.askLimit{value: 0.01 ether}();
        bytes memory features = market.features();
        uint256[] memory signals = new uint256[](3);
        signals[0] = requests.contextOf(id, prover, vouched);
        signals[1] = littleEndian(features);
        signals[2] = littleEndian(hex"76020000");
        bytes memory proof = ToyGroth16.prove(signals, 7);
        vm.prank(hotKey);
        requests.fulfilProof(id, key, proof, features, hex"76020000");
        assertEq(market.borrowLimitWad(), 0.63e18);
    }

    /// The contract writes its own input: what it asks about is its state.
    function test_featuresAreTheMarketsOwn() public {
        assertEq(market.features(), hex"00000000");
        market.borrow(6000e18);
        price.set(1000e18);
        skip(5 hours);
        // 6 of 100 thousand lent; 6,000 of 10 · 1000 · 0.6; half below its top; five hours ago.
        assertEq(market.features(), hex"0fff7f05");
    }
}
