// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {ModelRegistry} from "../../src/ModelRegistry.sol";
import {ModelRecord, TensorSpec} from "../../src/ModelTypes.sol";
import {Requests} from "../../src/Requests.sol";
import {StakeVault} from "../../src/StakeVault.sol";
import {RequestTerms} from "../../src/interfaces/IRequests.sol";
import {InstructionTree} from "../../src/libraries/InstructionTree.sol";
import {Signals} from "../../src/libraries/Signals.sol";
import {vm} from "../Assertions.sol";
import {Base} from "../Base.sol";
import {Questions} from "./Questions.sol";
import {ToyBoard} from "./ToyBoard.sol";
import {ToyConsumer} from "./ToyConsumer.sol";
import {ToyGroth16} from "./ToyGroth16.sol";
import {ToyValidator} from "./ToyValidator.sol";

/// @notice Registry, vault and requests with a board that the test commands, a prover with stake and a key, a consumer, and a
/// model of each kind: input four u8, output one i32.
abstract contract MoneyBase is Base {
    uint256 internal constant MINIMUM_COVERAGE = 1 ether;
    uint256 internal constant EXCLUSIVE_PERIOD = 5 minutes;
    uint16 internal constant ROYALTY = 250;
    uint32 internal constant CALLBACK_GAS = 300_000;
    address internal constant CHANNELS = address(0xC4A22E15);

    ToyBoard internal board;
    ModelRegistry internal registry;
    StakeVault internal vault;
    Requests internal requests;
    ToyConsumer internal consumer;

    address internal creator;
    address internal prover;
    address internal hotKey;
    uint256 internal hotSecret;

    bytes internal input = hex"01020304";
    bytes internal output = hex"2a000000";
    bytes internal key;
    bytes32 internal zkModel;
    bytes32 internal committedModel;
    bytes32 internal plainModel;

    function setUp() public virtual {
        vm.warp(1_800_000_000);
        board = ToyBoard(deploy("ToyBoard.sol:ToyBoard", abi.encode(MINIMUM_COVERAGE)));
        registry = ModelRegistry(deploy("ModelRegistry.sol:ModelRegistry", abi.encode(new ToyValidator())));
        address predicted = vm.computeCreateAddress(address(this), vm.getNonce(address(this)) + 1);
        vault = StakeVault(deploy("StakeVault.sol:StakeVault", abi.encode(predicted, CHANNELS)));
        requests = Requests(newRequests());
        assertEq(address(requests), predicted);
        consumer = ToyConsumer(payable(deploy("ToyConsumer.sol:ToyConsumer", abi.encode(requests))));
        creator = makeAddr("creator");
        (prover, hotKey, hotSecret) = newProver("prover", 100 ether);
        key = ToyGroth16.key(3);
        zkModel = registry.register(record(1), key, "", 0);
        committedModel = registry.register(record(2), key, "", 0);
        plainModel = registry.register(record(0), "", "", 0);
        vm.deal(address(this), 1000 ether);
        vm.deal(address(consumer), 1000 ether);
    }

    /// @notice Deploys from the artifact: naming a contract with `new` would compile it once more into every test.
    function deploy(string memory artifact, bytes memory arguments) internal returns (address at_) {
        bytes memory code = bytes.concat(vm.getCode(artifact), arguments);
        assembly {
            at_ := create(0, add(code, 32), mload(code))
        }
        require(at_ != address(0), artifact);
    }

    function newRequests() internal returns (address) {
        return deploy("Requests.sol:Requests", abi.encode(registry, vault, board, EXCLUSIVE_PERIOD));
    }

    function newProver(string memory name, uint256 stake)
        internal
        returns (address owner, address hot, uint256 secret)
    {
        owner = makeAddr(name);
        (hot, secret) = makeAddrAndKey(string.concat(name, " key"));
        vm.deal(address(this), address(this).balance + stake);
        vault.deposit{value: stake}(owner);
        bytes memory signature = bind(owner, hot, secret);
        vm.prank(owner);
        vault.addKey(hot, signature);
    }

    function bind(address owner, address hot, uint256 secret) internal view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(secret, vault.keyDigest(owner, hot));
        return abi.encodePacked(r, s, v);
    }

    function specOf(uint8 elementType, uint32 length) internal pure returns (uint256) {
        return (uint256(1) << 240) | (uint256(elementType) << 32) | length;
    }

    /// @param form input form; 0 has no key
    function record(uint8 form) internal view returns (ModelRecord memory) {
        return ModelRecord({
            version: 1,
            instructionRoot: InstructionTree.root(2, keccak256("top")),
            interfaceHash: keccak256("interface"),
            instructionCount: 2,
            inputs: specOf(0, 4),
            outputs: specOf(2, 1),
            greatestDepth: 0,
            worstStepBytes: 100,
            worstStepGas: 100,
            inputForm: form,
            keyHash: form == 0 ? bytes32(0) : keccak256(key),
            provenance: 0,
            creator: creator,
            royalty: ROYALTY
        });
    }

    function zkTerms() internal view returns (RequestTerms memory) {
        return RequestTerms(zkModel, 0, false, 0, uint40(nowTime() + 1 days), 0, CALLBACK_GAS);
    }

    function optimisticTerms() internal view returns (RequestTerms memory) {
        return RequestTerms(plainModel, 1, false, 2 ether, uint40(nowTime() + 1 days), 0, CALLBACK_GAS);
    }

    function ask(RequestTerms memory terms, uint256 fee) internal returns (uint256) {
        return consumer.ask{value: fee}(terms, input);
    }

    /// @notice What requests ask, as they stand.
    function questionsOf(uint256[] memory ids) internal view returns (bytes32[] memory questions) {
        questions = new bytes32[](ids.length);
        for (uint256 i = 0; i < ids.length; ++i) {
            questions[i] = questionOf(ids[i]);
        }
    }

    function questionOf(uint256 id) internal view returns (bytes32) {
        return Questions.read(requests, id);
    }

    function claimed() internal returns (uint256 id) {
        id = ask(optimisticTerms(), 1 ether);
        vm.prank(hotKey);
        requests.claim(id, questionOf(id), output);
    }

    function pass() internal {
        skip(board.WINDOW() + 1);
    }

    /// @notice Signals of an answer to a request on the packed model.
    function signalsOf(uint256 id, address by, bytes memory inputBytes, bytes memory outputBytes)
        internal
        view
        returns (uint256[] memory signals)
    {
        signals = new uint256[](3);
        signals[0] = requests.contextOf(id, by, zkModel);
        signals[1] = littleEndian(inputBytes);
        signals[2] = littleEndian(outputBytes);
    }

    function proofOf(uint256 id, address by) internal view returns (bytes memory) {
        return ToyGroth16.prove(signalsOf(id, by, input, output), 7);
    }

    function fulfil(uint256 id) internal {
        bytes memory proof = proofOf(id, prover);
        vm.prank(hotKey);
        requests.fulfilProof(id, key, proof, input, output);
    }

    function littleEndian(bytes memory data) internal pure returns (uint256 value) {
        for (uint256 i = data.length; i > 0; --i) {
            value = (value << 8) | uint8(data[i - 1]);
        }
    }
}
