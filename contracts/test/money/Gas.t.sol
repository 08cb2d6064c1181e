// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Groth16Verifier} from "../../src/Groth16Verifier.sol";
import {ModelRecord} from "../../src/ModelTypes.sol";
import {RequestTerms} from "../../src/interfaces/IRequests.sol";
import {vm} from "../Assertions.sol";
import {MoneyBase} from "./MoneyBase.sol";
import {ToyGroth16} from "./ToyGroth16.sol";

/// @notice Gas of whole transactions, calldata and the 21,000 included, all storage cold: contracts/snapshots/Money.json.
/// forge-config: default.isolate = true
/// forge-config: ci.isolate = true
/// forge-config: long.isolate = true
contract MoneyGasTest is MoneyBase {
    function _most(string memory name, uint256 most) private {
        uint256 used = vm.snapshotGasLastCall("Money", name);
        assertLe(used, most, name);
    }

    /// Accounts that were paid before are not paid into a fresh slot: the steady state.
    function _settleOnce() private {
        uint256 id = ask(zkTerms(), 1 ether);
        fulfil(id);
        id = claimed();
        pass();
        requests.finalize(id, output);
    }

    function test_gas_verifyFourSignalsBesideTheContext() public {
        Groth16Verifier verifier = Groth16Verifier(deploy("Groth16Verifier.sol:Groth16Verifier", ""));
        uint256[] memory signals = new uint256[](5);
        for (uint256 i = 0; i < 5; ++i) {
            signals[i] = uint256(keccak256(abi.encode(i))) >> 8;
        }
        bytes memory words = ToyGroth16.key(5);
        bytes memory proof = ToyGroth16.prove(signals, 7);
        // A view call is not a transaction of its own here, so what a transaction adds is added by hand.
        bytes memory data = abi.encodeCall(verifier.verify, (words, proof, signals));
        assertTrue(verifier.verify(words, proof, signals));
        uint256 used = vm.lastCallGas().gasTotalUsed + 21_000;
        for (uint256 i = 0; i < data.length; ++i) {
            used += data[i] == 0 ? 4 : 16;
        }
        vm.snapshotValue("Money", "verify a proof with 5 signals", used);
        assertLe(used, 260_000);
    }

    function test_gas_request() public {
        uint256 id = ask(zkTerms(), 1 ether);
        vm.prank(address(consumer));
        requests.request{value: 1 ether}(zkTerms(), input);
        _most("request, zk", 250_000);
        vm.prank(address(consumer));
        requests.request{value: 1 ether}(optimisticTerms(), input);
        _most("request, optimistic", 280_000);
        assertGt(id, 0);
    }

    function test_gas_fulfilWithCallback() public {
        _settleOnce();
        uint256 id = ask(zkTerms(), 1 ether);
        bytes memory proof = proofOf(id, prover);
        vm.prank(hotKey);
        requests.fulfilProof(id, key, proof, input, output);
        _most("fulfilProof with callback", 360_000);
        assertEq(consumer.finalCalls(), 3);
    }

    function test_gas_fulfilFirstPayment() public {
        uint256 id = ask(zkTerms(), 1 ether);
        bytes memory proof = proofOf(id, prover);
        vm.prank(hotKey);
        requests.fulfilProof(id, key, proof, input, output);
        _most("fulfilProof with callback, nobody paid before, fresh slots of the consumer included", 560_000);
    }

    function test_gas_claim() public {
        uint256 id = ask(optimisticTerms(), 1 ether);
        vm.prank(hotKey);
        requests.claim(id, questionOf(id), output);
        _most("claim", 90_000);
    }

    function test_gas_claimReserved() public {
        uint256 id = ask(optimisticTerms(), 1 ether);
        vm.prank(hotKey);
        requests.reserve(id, questionOf(id));
        _most("reserve", 90_000);
        vm.prank(hotKey);
        requests.claim(id, questionOf(id), output);
        _most("claim of a reserved request", 100_000);
    }

    function test_gas_claimBatch() public {
        uint256[] memory ids = new uint256[](32);
        bytes[] memory outputs = new bytes[](32);
        for (uint256 i = 0; i < 32; ++i) {
            ids[i] = ask(optimisticTerms(), 1 ether);
            outputs[i] = output;
        }
        bytes32[] memory questions = questionsOf(ids);
        vm.prank(hotKey);
        requests.claimBatch(ids, questions, outputs);
        _most("claimBatch of 32", 32 * 30_000);
    }

    /// Ten logits of four bytes: what an image classifier answers.
    function test_gas_claimBatchOfTenLogits() public {
        ModelRecord memory r = record(0);
        r.outputs = specOf(2, 10);
        RequestTerms memory t = optimisticTerms();
        t.modelId = registry.register(r, "", "", 0);
        uint256[] memory ids = new uint256[](32);
        bytes[] memory outputs = new bytes[](32);
        for (uint256 i = 0; i < 32; ++i) {
            ids[i] = ask(t, 1 ether);
            outputs[i] = abi.encodePacked(keccak256(abi.encode(i)), bytes8(keccak256(abi.encode(i))));
        }
        bytes32[] memory questions = questionsOf(ids);
        vm.prank(hotKey);
        requests.claimBatch(ids, questions, outputs);
        _most("claimBatch of 32, ten logits each", 32 * 30_000);
    }

    function test_gas_finalizeWithCallback() public {
        _settleOnce();
        uint256 id = claimed();
        pass();
        requests.finalize(id, output);
        _most("finalize with callback", 200_000);
    }

    function test_gas_registry() public {
        ModelRecord memory r = record(1);
        r.royalty = 1;
        registry.register(r, key, "https://example.org/program.assay", keccak256("program"));
        _most("register with a key of 3 signals", 700_000);
        r = record(0);
        r.royalty = 1;
        registry.register(r, "", "https://example.org/program.assay", keccak256("program"));
        _most("register without a key", 250_000);
    }
}
