// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {ClaimView} from "../../src/interfaces/IClaimSource.sol";
import {IRequests, RequestTerms, RequestView, Status} from "../../src/interfaces/IRequests.sol";
import {IStakeVault} from "../../src/interfaces/IStakeVault.sol";
import {Groth16} from "../../src/libraries/Groth16.sol";
import {TensorRoot} from "../../src/libraries/TensorRoot.sol";
import {vm} from "../Assertions.sol";
import {RequestsBase} from "./RequestsBase.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// @notice Asking, claiming, ending: what every state allows and what it refuses.
contract RequestsTest is RequestsBase {
    // Asking.

    function test_termsAreChecked() public {
        RequestTerms memory t = optimisticTerms();
        t.modelId = keccak256("unknown");
        _refused(t, abi.encodeWithSelector(IRequests.ModelUnavailable.selector, t.modelId));
        t = zkTerms();
        t.modelId = plainModel;
        _refused(t, abi.encodeWithSelector(IRequests.ModelUnavailable.selector, plainModel));
        t = optimisticTerms();
        t.tier = 2;
        _refused(t, _is(IRequests.TierInvalid.selector));
        t = zkTerms();
        t.coverage = 1;
        _refused(t, _is(IRequests.TierInvalid.selector));
        t = zkTerms();
        t.earlyDelivery = true;
        _refused(t, _is(IRequests.TierInvalid.selector));
        t = optimisticTerms();
        t.deadline = uint40(nowTime());
        _refused(t, _is(IRequests.DeadlineInvalid.selector));
        t.deadline = uint40(nowTime() + 30 days + 1);
        _refused(t, _is(IRequests.DeadlineInvalid.selector));
        t = optimisticTerms();
        t.inputTimestamp = uint40(nowTime() + 1);
        _refused(t, _is(IRequests.InputTimestampInvalid.selector));
        t = optimisticTerms();
        t.callbackGas = 2_000_001;
        _refused(t, _is(IRequests.CallbackGasTooHigh.selector));
    }

    function test_termsAtTheirBounds() public {
        RequestTerms memory t = optimisticTerms();
        t.coverage = uint96(MINIMUM_COVERAGE);
        t.deadline = uint40(nowTime() + 30 days);
        t.inputTimestamp = uint40(nowTime());
        t.callbackGas = 2_000_000;
        requests.request(t, input);
        t.deadline = uint40(nowTime() + 1);
        requests.request(t, input);
    }

    function test_everyClaimIsWorthChallenging() public {
        RequestTerms memory t = optimisticTerms();
        t.coverage = uint96(MINIMUM_COVERAGE - 1);
        _refused(t, abi.encodeWithSelector(IRequests.CoverageTooLow.selector, MINIMUM_COVERAGE - 1, MINIMUM_COVERAGE));
        assertEq(requests.minimumCoverage(plainModel), MINIMUM_COVERAGE);
    }

    function test_inputBytesHaveTheModelsLength() public {
        bytes[3] memory wrong = [bytes(""), hex"010203", hex"0102030405"];
        for (uint256 i = 0; i < 3; ++i) {
            vm.expectRevert(IRequests.InputInvalid.selector);
            requests.request(optimisticTerms(), wrong[i]);
        }
        uint256 id = requests.request(optimisticTerms(), input);
        bytes32[] memory roots = new bytes32[](1);
        roots[0] = keccak256(
            abi.encodePacked(bytes1(0x02), uint8(0), uint32(4), keccak256(abi.encodePacked(bytes1(0x00), input)))
        );
        assertEq(requests.requestOf(id).input, TensorRoot.ofList(roots));
    }

    /// Value out of range: a field element at or above p.
    function test_signalsAreFieldElements() public {
        RequestTerms memory t = zkTerms();
        t.modelId = committedModel;
        vm.expectRevert(IRequests.InputInvalid.selector);
        requests.requestByRoot(t, bytes32(Groth16.R), "");
        vm.expectRevert(IRequests.InputInvalid.selector);
        requests.requestByRoot(t, 0, "");
        // Bytes for a commitment cannot be checked here, so they are not taken.
        vm.expectRevert(IRequests.InputInvalid.selector);
        requests.request(t, input);
        requests.requestByRoot(t, bytes32(Groth16.R - 1), "");
        // An optimistic request on the same model goes by root, which has no such bound.
        t.tier = 1;
        t.coverage = 1 ether;
        requests.requestByRoot(t, bytes32(type(uint256).max), "ipfs://input");
        requests.request(t, input);
        vm.expectRevert(IRequests.InputInvalid.selector);
        requests.requestByRoot(t, bytes32(uint256(1)), string(new bytes(513)));
    }

    function test_requestsReadBack() public {
        uint256 id = ask(optimisticTerms(), 3 ether);
        RequestView memory r = requests.requestOf(id);
        assertEq(
            keccak256(abi.encode(r.terms.modelId, r.terms.coverage, r.terms.deadline)),
            keccak256(abi.encode(plainModel, uint96(2 ether), uint40(nowTime() + 1 days)))
        );
        assertEq(r.terms.inputTimestamp, nowTime(), "0 means now");
        assertEq(r.requester, address(consumer));
        assertEq(r.fee, 3 ether);
        assertEq(r.output, 0, "the placeholder is nobody's output");
        assertTrue(r.status == Status.Open);
        assertEq(requests.nextRequestId(), id + 1);
        assertFalse(requests.claimOf(bytes32(id)).open);
    }

    // Claiming.

    function _questionAbout(RequestTerms memory t, bytes memory about, uint256 fee) private pure returns (bytes32) {
        bytes32[] memory roots = new bytes32[](1);
        roots[0] = TensorRoot.ofMemory(0, 4, about);
        return keccak256(
            abi.encode(
                t.modelId, TensorRoot.ofList(roots), t.coverage, fee, t.deadline, t.callbackGas, t.tier, t.earlyDelivery
            )
        );
    }

    /// What a request may turn into in a reorganisation: the same but for one thing.
    function _changed(uint256 i) private view returns (RequestTerms memory t, bytes memory about, uint256 fee) {
        (t, about, fee) = (optimisticTerms(), input, 1 ether);
        if (i == 0) about = hex"01020305";
        if (i == 1) t.modelId = committedModel;
        if (i == 2) t.coverage += 1;
        if (i == 3) t.coverage -= 1;
        if (i == 4) fee -= 1;
        if (i == 5) fee += 1;
        if (i == 6) t.deadline += 1;
        if (i == 7) t.callbackGas += 1;
        if (i == 8) t.earlyDelivery = true;
        if (i == 9) (t.modelId, t.tier, t.coverage) = (zkModel, 0, 0);
    }

    /// Two requests change places in a reorganisation while an answer to the first, or its reservation, is on its way: whatever
    /// differs, model, input or terms, no stake is locked.
    function test_answersTheNamedQuestion() public {
        uint256 before = vm.snapshotState();
        uint256 id = ask(optimisticTerms(), 1 ether);
        bytes32 mine = _questionAbout(optimisticTerms(), input, 1 ether);
        assertEq(questionOf(id), mine);
        for (uint256 i = 0; i < 10; ++i) {
            vm.revertToState(before);
            before = vm.snapshotState();
            (RequestTerms memory t, bytes memory about, uint256 fee) = _changed(i);
            assertEq(consumer.ask{value: fee}(t, about), id);
            vm.startPrank(hotKey);
            vm.expectRevert(abi.encodeWithSelector(IRequests.OtherQuestion.selector, id));
            requests.claim(id, mine, output);
            vm.expectRevert(abi.encodeWithSelector(IRequests.OtherQuestion.selector, id));
            requests.reserve(id, mine);
            assertEq(vault.lockedOf(prover, address(requests)), 0);
            // Asked about as it is, it is taken.
            requests.reserve(id, _questionAbout(t, about, fee));
            if (t.tier == 1) requests.claim(id, _questionAbout(t, about, fee), output);
            vm.stopPrank();
        }
    }

    /// Who asked, and when its input is from, binds nobody: a block that is made again has another time.
    function test_questionsHaveNoAuthorAndNoTime() public {
        RequestTerms memory t = optimisticTerms();
        (t.inputTimestamp, t.callbackGas) = (1, 0);
        uint256 id = requests.request{value: 1 ether}(t, input);
        t.inputTimestamp = 2;
        assertEq(questionOf(id), questionOf(ask(t, 1 ether)));
    }

    /// What changed places is left out of a batch; the rest of it is answered.
    function test_batchLeavesOtherQuestionsOut() public {
        uint256[] memory ids = new uint256[](3);
        bytes[] memory outputs = new bytes[](3);
        bytes32[] memory questions = new bytes32[](3);
        RequestTerms memory dearer = optimisticTerms();
        dearer.coverage = 3 ether;
        (ids[0], ids[1]) = (consumer.ask(optimisticTerms(), hex"01020305"), ask(optimisticTerms(), 0));
        ids[2] = ask(dearer, 0);
        (outputs[0], outputs[1], outputs[2]) = (output, output, output);
        (questions[0], questions[1], questions[2]) = (questionOf(ids[1]), questionOf(ids[1]), questionOf(ids[1]));
        vm.prank(hotKey);
        assertEq(requests.claimBatch(ids, questions, outputs), 1);
        assertTrue(requests.requestOf(ids[0]).status == Status.Open);
        assertTrue(requests.requestOf(ids[1]).status == Status.Claimed);
        assertTrue(requests.requestOf(ids[2]).status == Status.Open);
        assertEq(vault.lockedOf(prover, address(requests)), 2 ether);
    }

    /// Amounts that the request's slot cannot hold are refused, not cut.
    function test_amountsAreNotCut() public {
        RequestTerms memory t = optimisticTerms();
        t.coverage = uint96(1 << 88);
        vm.expectRevert(abi.encodeWithSelector(SafeCast.SafeCastOverflowedUintDowncast.selector, 88, uint256(1 << 88)));
        requests.request(t, input);
        t.coverage -= 1;
        assertEq(requests.requestOf(requests.request(t, input)).terms.coverage, t.coverage);
        vm.deal(address(this), (1 << 89) + 1 ether);
        vm.expectRevert(abi.encodeWithSelector(SafeCast.SafeCastOverflowedUintDowncast.selector, 88, uint256(1 << 88)));
        requests.request{value: 1 << 88}(optimisticTerms(), input);
        uint256 id = requests.request{value: (1 << 88) - 1}(optimisticTerms(), input);
        assertEq(requests.requestOf(id).fee, (1 << 88) - 1);
    }

    function test_claimLocksAndRecords() public {
        uint256 id = ask(optimisticTerms(), 1 ether);
        vm.prank(hotKey);
        requests.claim(id, questionOf(id), output);
        assertEq(vault.lockedOf(prover, address(requests)), 2 ether);
        ClaimView memory c = requests.claimOf(bytes32(id));
        assertTrue(c.open);
        assertEq(c.prover, prover);
        assertEq(c.modelId, plainModel);
        assertEq(c.coverage, 2 ether);
        assertEq(c.claimedAt, nowTime());
        assertEq(c.inputRoot, requests.requestOf(id).input);
        assertEq(c.outputRoot, requests.requestOf(id).output);
    }

    function test_onlySigningKeysAnswer() public {
        uint256 id = ask(optimisticTerms(), 1 ether);
        vm.prank(prover);
        vm.expectRevert(abi.encodeWithSelector(IRequests.NotSigningKey.selector, prover));
        requests.claim(id, questionOf(id), output);
        vm.prank(prover);
        vault.retireKey(hotKey);
        vm.prank(hotKey);
        vm.expectRevert(abi.encodeWithSelector(IRequests.NotSigningKey.selector, hotKey));
        requests.claim(id, questionOf(id), output);
    }

    function test_oneAnswerPerRequest() public {
        uint256 id = claimed();
        vm.prank(hotKey);
        vm.expectRevert(abi.encodeWithSelector(IRequests.WrongStatus.selector, id, Status.Claimed));
        requests.claim(id, questionOf(id), output);
        vm.expectRevert(abi.encodeWithSelector(IRequests.WrongStatus.selector, id, Status.Claimed));
        requests.refund(id);
        pass();
        requests.finalize(id, output);
        vm.prank(hotKey);
        vm.expectRevert(abi.encodeWithSelector(IRequests.WrongStatus.selector, id, Status.Final));
        requests.claim(id, questionOf(id), output);
        vm.expectRevert(abi.encodeWithSelector(IRequests.WrongStatus.selector, id, Status.Final));
        requests.finalize(id, output);
        uint256 unknown = requests.nextRequestId();
        vm.prank(hotKey);
        vm.expectRevert(abi.encodeWithSelector(IRequests.WrongStatus.selector, unknown, Status.None));
        requests.claim(unknown, questionOf(unknown), output);
    }

    function test_claimsOfTheOtherTierAreNone() public {
        uint256 id = ask(zkTerms(), 1 ether);
        vm.prank(hotKey);
        vm.expectRevert(IRequests.TierInvalid.selector);
        requests.claim(id, questionOf(id), output);
        id = ask(optimisticTerms(), 1 ether);
        vm.prank(hotKey);
        vm.expectRevert(IRequests.TierInvalid.selector);
        requests.fulfilProof(id, key, new bytes(256), input, output);
    }

    function test_claimNeedsFreeStake() public {
        RequestTerms memory t = optimisticTerms();
        t.coverage = 100 ether;
        uint256 id = ask(t, 1 ether);
        uint256 second = ask(t, 1 ether);
        vm.prank(hotKey);
        requests.claim(id, questionOf(id), output);
        vm.prank(hotKey);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.InsufficientFreeStake.selector, prover, 0, 100 ether));
        requests.claim(second, questionOf(second), output);
    }

    function test_claimsHaveADeadline() public {
        uint256 id = ask(optimisticTerms(), 1 ether);
        vm.warp(requests.requestOf(id).terms.deadline + 1);
        vm.prank(hotKey);
        vm.expectRevert(abi.encodeWithSelector(IRequests.PastDeadline.selector, id));
        requests.claim(id, questionOf(id), output);
        vm.warp(nowTime() - 1);
        vm.prank(hotKey);
        requests.claim(id, questionOf(id), output);
    }

    function test_outputsHaveTheModelsLength() public {
        uint256 id = ask(optimisticTerms(), 1 ether);
        bytes[3] memory wrong = [bytes(""), hex"2a0000", hex"2a00000000"];
        for (uint256 i = 0; i < 3; ++i) {
            vm.prank(hotKey);
            vm.expectRevert(IRequests.OutputInvalid.selector);
            requests.claim(id, questionOf(id), wrong[i]);
        }
    }

    function test_batchOfClaims() public {
        uint256[] memory ids = new uint256[](4);
        bytes[] memory outputs = new bytes[](4);
        for (uint256 i = 0; i < 4; ++i) {
            RequestTerms memory t = optimisticTerms();
            if (i == 2) t.modelId = committedModel;
            ids[i] = ask(t, 1 ether);
            outputs[i] = output;
        }
        // Another prover was first with one, and a third was reserved.
        (address other, address otherKey,) = newProver("other", 10 ether);
        vm.prank(otherKey);
        requests.claim(ids[1], questionOf(ids[1]), output);
        vm.prank(otherKey);
        requests.reserve(ids[3], questionOf(ids[3]));
        bytes32[] memory questions = questionsOf(ids);
        vm.prank(hotKey);
        assertEq(requests.claimBatch(ids, questions, outputs), 2);
        assertEq(vault.lockedOf(prover, address(requests)), 4 ether);
        assertEq(vault.lockedOf(other, address(requests)), 2 ether + 0.1 ether);
        assertTrue(requests.requestOf(ids[3]).status == Status.Open);
        vm.prank(hotKey);
        vm.expectRevert(IRequests.LengthMismatch.selector);
        requests.claimBatch(ids, questions, new bytes[](3));
        vm.prank(hotKey);
        vm.expectRevert(IRequests.LengthMismatch.selector);
        requests.claimBatch(ids, new bytes32[](3), outputs);
    }

    function test_batchRevertsOnWrongOutput() public {
        uint256[] memory ids = new uint256[](2);
        bytes[] memory outputs = new bytes[](2);
        (ids[0], ids[1]) = (ask(optimisticTerms(), 0), ask(optimisticTerms(), 0));
        outputs[0] = output;
        bytes32[] memory questions = questionsOf(ids);
        vm.prank(hotKey);
        vm.expectRevert(IRequests.OutputInvalid.selector);
        requests.claimBatch(ids, questions, outputs);
    }

    /// The same request twice in one batch is one claim and one lock.
    function test_batchWithOneRequestTwice() public {
        uint256[] memory ids = new uint256[](2);
        bytes[] memory outputs = new bytes[](2);
        ids[0] = ids[1] = ask(optimisticTerms(), 0);
        outputs[0] = outputs[1] = output;
        bytes32[] memory questions = questionsOf(ids);
        vm.prank(hotKey);
        assertEq(requests.claimBatch(ids, questions, outputs), 1);
        assertEq(vault.lockedOf(prover, address(requests)), 2 ether);
    }
}
