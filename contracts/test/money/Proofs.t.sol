// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Requests} from "../../src/Requests.sol";
import {Delivery, IRequests, RequestTerms, RequestView, Status} from "../../src/interfaces/IRequests.sol";
import {Groth16} from "../../src/libraries/Groth16.sol";
import {Signals} from "../../src/libraries/Signals.sol";
import {vm} from "../Assertions.sol";
import {Base} from "../Base.sol";
import {MoneyBase} from "./MoneyBase.sol";
import {ToyGroth16} from "./ToyGroth16.sol";

contract Packer {
    function pack(uint256 from, uint256 count, bytes calldata data) external pure returns (uint256[] memory signals) {
        signals = new uint256[](count);
        Signals.pack(signals, from, data);
    }
}

contract SignalsTest is Base {
    Packer private packer = new Packer();

    /// Against the plain definition: 31 bytes a signal, the first the least significant.
    function test_packing(bytes memory data, uint256 from) public view {
        from = bound(from, 0, 3);
        uint256 count = Signals.countOf(data.length);
        uint256[] memory signals = packer.pack(from, from + count + 1, data);
        for (uint256 i = 0; i < count; ++i) {
            uint256 expected = 0;
            for (uint256 b = 31; b > 0; --b) {
                uint256 index = 31 * i + b - 1;
                expected = (expected << 8) | (index < data.length ? uint8(data[index]) : 0);
            }
            assertEq(signals[from + i], expected);
            assertLt(signals[from + i], 1 << 248);
        }
        for (uint256 i = 0; i < from; ++i) {
            assertEq(signals[i], 0);
        }
        assertEq(signals[from + count], 0);
    }

    function test_packingAtSizes() public view {
        for (uint256 size = 0; size <= 64; ++size) {
            bytes memory data = new bytes(size);
            for (uint256 i = 0; i < size; ++i) {
                data[i] = bytes1(uint8(255 - i));
            }
            test_packing(data, 1);
        }
    }

    function test_packingBeyondTheEnd() public {
        vm.expectRevert();
        packer.pack(1, 1, hex"01");
    }
}

contract ProofsTest is MoneyBase {
    uint256 private id;

    function setUp() public override {
        super.setUp();
        id = ask(zkTerms(), 1 ether);
    }

    function _refused(bytes memory proof, bytes4 reason) private {
        vm.prank(hotKey);
        vm.expectRevert(reason);
        requests.fulfilProof(id, key, proof, input, output);
    }

    function test_provenAnswersAreFinalPaidAndDelivered() public {
        fulfil(id);
        RequestView memory r = requests.requestOf(id);
        assertTrue(r.status == Status.Final);
        assertTrue(r.delivery == Delivery.Done);
        assertEq(r.prover, prover);
        assertEq(r.input, 0);
        assertTrue(r.output != 0);
        assertEq(requests.owedTo(prover), 0.965 ether);
        assertEq(requests.owedTo(creator), 0.025 ether);
        assertEq(consumer.lastOutput(), output);
        (uint256 requestId, bytes32 modelId, uint8 tier, bool isFinal, uint40 timestamp, address by) = consumer.last();
        assertEq(requestId, id);
        assertEq(modelId, zkModel);
        assertEq(tier, 0);
        assertTrue(isFinal);
        assertEq(timestamp, nowTime());
        assertEq(by, prover);
    }

    function test_onlyProvenAnswers() public {
        bytes memory proof = proofOf(id, prover);
        vm.prank(hotKey);
        vm.expectRevert(IRequests.ProofInvalid.selector);
        requests.fulfilProof(id, key, proof, input, hex"2b000000");
        proof[200] ^= 0x01;
        _refused(proof, IRequests.ProofInvalid.selector);
        _refused("", IRequests.ProofInvalid.selector);
    }

    function test_keyOfTheModelOnly() public {
        bytes memory other = ToyGroth16.keyWith(3, 6, ToyGroth16.g2(3), ToyGroth16.g2(1), ToyGroth16.g2(11));
        bytes memory proof = proofOf(id, prover);
        vm.prank(hotKey);
        vm.expectRevert(IRequests.KeyMismatch.selector);
        requests.fulfilProof(id, other, proof, input, output);
        vm.prank(hotKey);
        vm.expectRevert(IRequests.KeyMismatch.selector);
        requests.fulfilProof(id, bytes.concat(key, hex"00"), proof, input, output);
    }

    /// A prover that proves another input than the requester's has a valid proof of nothing.
    function test_answersTheStoredInput() public {
        bytes memory wrong = hex"01020305";
        bytes memory proof = ToyGroth16.prove(signalsOf(id, prover, wrong, output), 7);
        vm.prank(hotKey);
        vm.expectRevert(IRequests.InputInvalid.selector);
        requests.fulfilProof(id, key, proof, wrong, output);
        vm.prank(hotKey);
        vm.expectRevert(IRequests.ProofInvalid.selector);
        requests.fulfilProof(id, key, proof, input, output);
        vm.prank(hotKey);
        vm.expectRevert(IRequests.InputInvalid.selector);
        requests.fulfilProof(id, key, proof, "", output);
    }

    function test_outputsHaveTheModelsLength() public {
        bytes memory proof = proofOf(id, prover);
        vm.prank(hotKey);
        vm.expectRevert(IRequests.OutputInvalid.selector);
        requests.fulfilProof(id, key, proof, input, bytes.concat(output, hex"00"));
    }

    /// Front-run a SNARK: the proof in the mempool names its prover.
    function test_frontRunSnark() public {
        (address thief, address thiefKey,) = newProver("thief", 10 ether);
        bytes memory proof = proofOf(id, prover);
        vm.prank(thiefKey);
        vm.expectRevert(IRequests.ProofInvalid.selector);
        requests.fulfilProof(id, key, proof, input, output);
        fulfil(id);
        assertEq(requests.owedTo(thief), 0);
    }

    function test_NoReplay_acrossRequests() public {
        uint256 second = ask(zkTerms(), 1 ether);
        bytes memory proof = proofOf(id, prover);
        vm.prank(hotKey);
        vm.expectRevert(IRequests.ProofInvalid.selector);
        requests.fulfilProof(second, key, proof, input, output);
        fulfil(id);
        vm.prank(hotKey);
        vm.expectRevert(abi.encodeWithSelector(IRequests.WrongStatus.selector, id, Status.Final));
        requests.fulfilProof(id, key, proof, input, output);
    }

    function test_NoReplay_acrossChains() public {
        bytes memory proof = proofOf(id, prover);
        uint256 chain = block.chainid;
        vm.chainId(chain + 1);
        _refused(proof, IRequests.ProofInvalid.selector);
        vm.chainId(chain);
        fulfil(id);
    }

    function test_NoReplay_acrossContracts() public {
        Requests twin = Requests(newRequests());
        assertNotEq(twin.contextOf(id, prover, zkModel), requests.contextOf(id, prover, zkModel));
        uint256 twinId = twin.request(zkTerms(), input);
        assertEq(twinId, id);
        bytes memory proof = proofOf(id, prover);
        vm.prank(hotKey);
        vm.expectRevert(IRequests.ProofInvalid.selector);
        twin.fulfilProof(twinId, key, proof, input, output);
    }

    function test_NoReplay_acrossModels() public {
        RequestTerms memory t = zkTerms();
        t.modelId = committedModel;
        uint256 committed = requests.requestByRoot(t, bytes32(littleEndian(input)), "");
        bytes memory proof = ToyGroth16.prove(signalsOf(committed, prover, input, output), 7);
        vm.prank(hotKey);
        vm.expectRevert(IRequests.ProofInvalid.selector);
        requests.fulfilProof(committed, key, proof, "", output);
    }

    function test_commitmentsAreTheSecondSignal() public {
        RequestTerms memory t = zkTerms();
        t.modelId = committedModel;
        uint256 commitment = Groth16.R - 5;
        uint256 committed = requests.requestByRoot(t, bytes32(commitment), "ipfs://image");
        uint256[] memory signals = new uint256[](3);
        signals[0] = requests.contextOf(committed, prover, committedModel);
        signals[1] = commitment;
        signals[2] = littleEndian(output);
        bytes memory proof = ToyGroth16.prove(signals, 7);
        vm.prank(hotKey);
        requests.fulfilProof(committed, key, proof, "", output);
        assertTrue(requests.requestOf(committed).status == Status.Final);
    }

    function test_proofsHaveADeadline() public {
        bytes memory proof = proofOf(id, prover);
        vm.warp(requests.requestOf(id).terms.deadline + 1);
        vm.prank(hotKey);
        vm.expectRevert(abi.encodeWithSelector(IRequests.PastDeadline.selector, id));
        requests.fulfilProof(id, key, proof, input, output);
        vm.warp(nowTime() - 1);
        fulfil(id);
    }

    function test_reservedProofReturnsTheBond() public {
        vm.prank(hotKey);
        requests.reserve(id, questionOf(id));
        (, address otherKey,) = newProver("other", 10 ether);
        bytes memory theirs = proofOf(id, makeAddr("other"));
        uint256 until = requests.requestOf(id).time;
        vm.prank(otherKey);
        vm.expectRevert(abi.encodeWithSelector(IRequests.ReservedByOther.selector, id, prover, until));
        requests.fulfilProof(id, key, theirs, input, output);
        fulfil(id);
        assertEq(vault.freeOf(prover), 100 ether);
        assertEq(vault.lockedOf(prover, address(requests)), 0);
    }
}
