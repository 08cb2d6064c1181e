// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {BoardTerms, ClaimBoard} from "../../src/ClaimBoard.sol";
import {ModelRegistry} from "../../src/ModelRegistry.sol";
import {ModelRecord} from "../../src/ModelTypes.sol";
import {StakeVault} from "../../src/StakeVault.sol";
import {Answer, Fault, NodeProof, Unit, UnitKind} from "../../src/interfaces/IClaimBoard.sol";
import {ClaimView} from "../../src/interfaces/IClaimSource.sol";
import {IFeeSource} from "../../src/interfaces/IFeeSource.sol";
import {vm} from "../Assertions.sol";
import {Base} from "../Base.sol";
import {ToyValidator} from "../money/ToyValidator.sol";
import {FlatTensor, FlatTensors} from "./FlatTensor.sol";
import {SmallTree} from "./SmallTree.sol";
import {ToySource} from "./ToySource.sol";
import {ToyStep} from "./ToyStep.sol";

/// @notice A board with a source the test commands, a step that copies elements, and models whose tensors are all alike:
/// everything a whole dispute needs, at any tensor size. A wrong run differs in one leaf from instruction `wrongAt` on.
abstract contract BoardBase is Base {
    using FlatTensors for FlatTensor;

    uint256 internal constant WINDOW = 1 days;
    uint256 internal constant RESPONSE = 12 hours;
    uint256 internal constant REACTION = 6 hours;
    uint256 internal constant FEE = 20 gwei;
    uint256 internal constant COVERAGE = 1000 ether;
    bytes1 internal constant FILL = 0x07;

    ClaimBoard internal board;
    ToySource internal source;
    ModelRegistry internal registry;
    StakeVault internal vault;

    address internal prover;
    address internal proverKey;
    address internal challenger;
    address internal friend;

    /// @dev The model under test.
    bytes32 internal modelId;
    uint256 internal count;
    uint8 internal elementType;
    uint32 internal length;
    bytes[] internal records;
    bytes internal parameters;
    /// @dev Instruction that has the parameters.
    uint256 internal constant LEARNED = 1;

    function setUp() public virtual {
        vm.warp(1_800_000_000);
        vm.fee(FEE);
        prover = makeAddr("prover");
        challenger = makeAddr("challenger");
        friend = makeAddr("friend");
        deal(challenger, 1000 ether);
        deal(friend, 1000 ether);
        ToyValidator validator = ToyValidator(deploy("ToyValidator.sol:ToyValidator", ""));
        registry = ModelRegistry(deploy("ModelRegistry.sol:ModelRegistry", abi.encode(validator)));
        vault = StakeVault(deploy("StakeVault.sol:StakeVault", abi.encode(address(this), address(0))));
        board = _newBoard(IFeeSource(address(0)));
        source = ToySource(deploy("ToySource.sol:ToySource", abi.encode(board)));
        uint256 key;
        (proverKey, key) = makeAddrAndKey("prover key");
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, vault.keyDigest(prover, proverKey));
        vm.prank(prover);
        vault.addKey(proverKey, abi.encodePacked(r, s, v));
    }

    function _newBoard(IFeeSource feeSource) internal returns (ClaimBoard) {
        BoardTerms memory terms =
            BoardTerms(uint32(WINDOW), uint32(RESPONSE), uint32(REACTION), 1 gwei, 100 gwei, feeSource);
        return ClaimBoard(deploy("ClaimBoard.sol:ClaimBoard", _boardArguments(terms)));
    }

    function _boardArguments(BoardTerms memory terms) internal returns (bytes memory) {
        ToyStep step = ToyStep(deploy("ToyStep.sol:ToyStep", ""));
        return abi.encode(registry, vault, step, terms);
    }

    /// @notice Deploys from the artifact: naming a contract with `new` would compile it once more into every test.
    function deploy(string memory artifact, bytes memory arguments) internal returns (address deployed) {
        deployed = _create(bytes.concat(vm.getCode(artifact), arguments));
        require(deployed != address(0), artifact);
    }

    function _create(bytes memory code) internal returns (address deployed) {
        assembly {
            deployed := create(0, add(code, 32), mload(code))
        }
    }

    // Model.

    /// @notice Registers a chain of `instructions` copies of tensors of one type and length.
    function _useModel(uint256 instructions, uint8 type_, uint32 length_, bytes memory parameters_) internal {
        (count, elementType, length, parameters) = (instructions, type_, length_, parameters_);
        delete records;
        for (uint256 i = 0; i < instructions; ++i) {
            records.push(_record(i));
        }
        ModelRecord memory model;
        model.version = 1;
        model.instructionRoot =
            keccak256(abi.encodePacked(bytes1(0x04), uint32(instructions), SmallTree.top(_recordLeaves())));
        model.instructionCount = uint32(instructions);
        model.inputs = uint256(1) << 240 | uint256(type_) << 32 | length_;
        model.outputs = model.inputs;
        model.greatestDepth = uint8(_base().depth());
        model.worstStepBytes = 96 * 1024;
        model.worstStepGas = 1_000_000;
        model.creator = address(this);
        modelId = registry.register(model, "", "", 0);
    }

    function _record(uint256 position) private view returns (bytes memory record) {
        bool isInput = position == 0;
        bytes memory own = position == LEARNED ? parameters : bytes("");
        bytes32 parameterRoot = own.length == 0 ? bytes32(0) : SmallTree.top(_chunks(own));
        record = abi.encodePacked(
            isInput ? bytes1(0) : bytes1(0x0d),
            elementType,
            isInput ? bytes1(0) : bytes1(0x01),
            bytes1(0),
            length,
            uint32(own.length),
            parameterRoot,
            isInput ? uint16(0) : uint16(position - 1),
            isInput ? 0 : elementType,
            bytes1(0),
            isInput ? 0 : length,
            new bytes(56 + 96)
        );
        require(record.length == 204, "record");
    }

    function _chunks(bytes memory data) internal pure returns (bytes32[] memory leaves) {
        leaves = new bytes32[]((data.length + 511) / 512);
        for (uint256 i = 0; i < leaves.length; ++i) {
            leaves[i] = FlatTensors.leafHash(_chunk(data, i));
        }
    }

    function _chunk(bytes memory data, uint256 index) internal pure returns (bytes memory part) {
        uint256 rest = data.length - 512 * index;
        part = new bytes(rest < 512 ? rest : 512);
        for (uint256 i = 0; i < part.length; ++i) {
            part[i] = data[512 * index + i];
        }
    }

    function _recordLeaves() internal view returns (bytes32[] memory leaves) {
        leaves = new bytes32[](records.length);
        for (uint256 i = 0; i < leaves.length; ++i) {
            leaves[i] = FlatTensors.leafHash(records[i]);
        }
    }

    // Traces and claims.

    function _base() internal view returns (FlatTensor memory t) {
        t.elementType = elementType;
        t.length = length;
        t.fill = FILL;
    }

    /// @notice All tensors of a run that is wrong from `wrongAt` on, in the first byte of leaf `index`; right for wrongAt ≥ count.
    function _run(uint256 wrongAt, uint256 index) internal view returns (FlatTensor[] memory run) {
        run = new FlatTensor[](count);
        for (uint256 i = 0; i < count; ++i) {
            run[i] = _base();
            if (i < wrongAt) continue;
            bytes memory leaf = run[i].leafAt(index);
            leaf[0] ^= 0xff;
            (run[i].changed, run[i].index, run[i].leaf) = (true, uint32(index), leaf);
        }
    }

    function _right() internal view returns (FlatTensor[] memory) {
        return _run(count, 0);
    }

    function _roots(FlatTensor[] memory run) internal pure returns (bytes32[] memory roots) {
        roots = new bytes32[](run.length);
        for (uint256 i = 0; i < roots.length; ++i) {
            bool isSame = i > 0 && run[i].changed == run[i - 1].changed && run[i].index == run[i - 1].index
                && keccak256(run[i].leaf) == keccak256(run[i - 1].leaf);
            roots[i] = isSame ? roots[i - 1] : run[i].root();
        }
    }

    function _claimOf(FlatTensor[] memory run) internal view returns (ClaimView memory) {
        return ClaimView({
            prover: prover,
            modelId: modelId,
            inputRoot: _listRoot(run[0].root()),
            outputRoot: _listRoot(run[run.length - 1].root()),
            claimedAt: uint64(nowTime()),
            coverage: uint128(COVERAGE),
            open: true
        });
    }

    function _listRoot(bytes32 root) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(0x03), root));
    }

    function _open(bytes32 claimId, FlatTensor[] memory run) internal {
        source.open(claimId, _claimOf(run));
    }

    // Units.

    function _rootsUnit() internal pure returns (Unit memory) {
        return Unit(UnitKind.TensorRoots, 0, 0, 0, 0, 0);
    }

    function _top(UnitKind kind, uint256 position, uint256 index) internal pure returns (Unit memory) {
        return Unit(kind, uint16(position), 0, uint32(index), 0, 0);
    }

    function _node(uint256 position, uint256 height, uint256 index) internal view returns (Unit memory) {
        UnitKind kind = height == 0 ? UnitKind.TensorLeaf : UnitKind.NodeChildren;
        return Unit(kind, uint16(position), uint8(height), uint32(index), elementType, length);
    }

    function _list(Unit memory unit) internal pure returns (Unit[] memory units) {
        units = new Unit[](1);
        units[0] = unit;
    }

    // Moves. Each is one transaction of its caller.

    function _demand(address by, bytes32 claimId, Unit memory unit) internal {
        uint256 price = board.priceOf(modelId, unit);
        vm.prank(by);
        board.demand{value: price}(address(source), claimId, _list(unit));
    }

    function _demandNode(address by, bytes32 claimId, FlatTensor[] memory run, Unit memory unit) internal {
        NodeProof memory proof = _nodeProof(run, unit);
        uint256 price = board.priceOf(modelId, unit);
        vm.prank(by);
        board.demandNode{value: price}(address(source), claimId, unit, proof);
    }

    function _postRoots(bytes32 claimId, FlatTensor[] memory run) internal {
        bytes32[] memory roots = _roots(run);
        vm.prank(proverKey);
        board.answerRoots(address(source), claimId, roots);
    }

    function _answer(address by, bytes32 claimId, Unit memory unit, bytes memory data) internal {
        Answer[] memory answers = new Answer[](1);
        answers[0] = Answer(address(source), claimId, unit, data);
        vm.prank(by);
        board.answer(answers);
    }

    function _commit(address by, bytes32 claimId, Fault memory fault) internal {
        bytes memory call = abi.encodeCall(board.proveFault, (address(source), claimId, fault, bytes32("salt")));
        vm.prank(by);
        board.commitFault(keccak256(abi.encodePacked(by, call)));
    }

    function _prove(address by, bytes32 claimId, Fault memory fault) internal {
        vm.prank(by);
        board.proveFault(address(source), claimId, fault, bytes32("salt"));
    }

    // Evidence.

    function _data(FlatTensor[] memory run, Unit memory unit) internal view returns (bytes memory) {
        if (unit.kind == UnitKind.NodeChildren) return run[unit.position].children(unit.height, unit.index);
        if (unit.kind == UnitKind.TensorLeaf) return run[unit.position].leafAt(unit.index);
        if (unit.kind == UnitKind.InputLeaf) {
            return abi.encodePacked(run[0].root(), run[0].leafAt(unit.index), run[0].siblings(0, unit.index));
        }
        bytes memory record =
            abi.encodePacked(records[unit.position], SmallTree.siblings(_recordLeaves(), unit.position));
        bytes memory own = unit.position == LEARNED ? parameters : bytes("");
        if (unit.kind == UnitKind.InstructionRecord || 512 * unit.index >= own.length) return record;
        return
            bytes.concat(
                record, _chunk(own, unit.index), abi.encodePacked(SmallTree.siblings(_chunks(own), unit.index))
            );
    }

    function _nodeProof(FlatTensor[] memory run, Unit memory unit) internal view returns (NodeProof memory proof) {
        FlatTensor memory t = run[unit.position];
        proof.record = records[unit.position];
        proof.recordSiblings = SmallTree.siblings(_recordLeaves(), unit.position);
        bytes32[] memory roots = _roots(run);
        proof.tensorRoot = roots[unit.position];
        proof.rootSiblings = SmallTree.siblings(SmallTree.hashed(roots), unit.position);
        if (unit.height == t.depth()) {
            proof.nodeSiblings = new bytes32[](0);
        } else {
            proof.node = t.hashAt(5 * uint256(unit.height), unit.index);
            proof.nodeSiblings = t.siblings(unit.height, unit.index);
        }
    }

    /// @notice The proof that an element of a run is not its source's.
    function _fault(FlatTensor[] memory run, uint256 position, uint256 element) internal view returns (Fault memory f) {
        uint256 index = (element << elementType) / 512;
        f.position = uint16(position);
        f.element = uint32(element);
        f.record = records[position];
        f.recordSiblings = SmallTree.siblings(_recordLeaves(), position);
        bytes32[] memory roots = _roots(run);
        uint256[] memory opened = new uint256[](2);
        (opened[0], opened[1]) = (position - 1, position);
        f.roots = new bytes32[](2);
        (f.roots[0], f.roots[1]) = (roots[position - 1], roots[position]);
        f.rootSiblings = SmallTree.openMany(SmallTree.hashed(roots), opened);
        // A copy: tests that spoil a fault must not spoil the run.
        f.leaf = bytes.concat(run[position].leafAt(index));
        f.leafSiblings = run[position].siblings(0, index);
        f.evidence = abi.encode(run[position - 1].leafAt(index), run[position - 1].siblings(0, index));
    }

    // Whole plays.

    /// @notice A wrong claim whose root list was demanded and posted.
    function _disputed(bytes32 claimId, FlatTensor[] memory run) internal {
        _open(claimId, run);
        _demand(challenger, claimId, _rootsUnit());
        _postRoots(claimId, run);
    }

    function _convict(bytes32 claimId, FlatTensor[] memory run, uint256 position, uint256 element) internal {
        Fault memory fault = _fault(run, position, element);
        _commit(challenger, claimId, fault);
        vm.roll(vm.getBlockNumber() + 1);
        _prove(challenger, claimId, fault);
    }
}
