// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {ModelTerms, TensorSpec} from "./ModelTypes.sol";
import {AnswerCheck} from "./board/AnswerCheck.sol";
import {BoardState, BoardTerms} from "./board/BoardState.sol";
import {DisputeGas} from "./board/DisputeGas.sol";
import {DisputeUnits} from "./board/DisputeUnits.sol";
import {FaultCheck} from "./board/FaultCheck.sol";
import {Openings} from "./board/Openings.sol";
import {PayoutList} from "./board/PayoutList.sol";
import {Answer, DemandStatus, Fault, IClaimBoard, NodeProof, Phase, Unit, UnitKind} from "./interfaces/IClaimBoard.sol";
import {ClaimView, IClaimSource} from "./interfaces/IClaimSource.sol";
import {IModelRegistry} from "./interfaces/IModelRegistry.sol";
import {IStakeVault} from "./interfaces/IStakeVault.sol";
import {IStepVerifier} from "./interfaces/IStepVerifier.sol";

/// @title The claim board: see IClaimBoard and docs/dispute.md.
/// @dev A claim goes Quiet → Disputed → Faulted, or is ended as right by its source once `isFinal`. A demand goes None → Open →
/// Answered, or Open → Returned after a verdict. Nothing here moves a clock that the claim's time and model fixed.
contract ClaimBoard is BoardState {
    using DisputeUnits for Unit;

    constructor(IModelRegistry registry, IStakeVault vault, IStepVerifier verifier, BoardTerms memory terms)
        BoardState(registry, vault, verifier, terms)
    {}

    // Demands.

    /// @inheritdoc IClaimBoard
    function demand(address source, bytes32 claimId, Unit[] calldata units) external payable {
        ClaimView memory claim = _openClaim(source, claimId);
        (ModelTerms memory terms, TensorSpec inputs,) = REGISTRY.shapeOf(claim.modelId);
        uint256 price = 0;
        for (uint256 i = 0; i < units.length; ++i) {
            Unit memory unit = units[i];
            unit.requireTopUnit(terms.instructionCount, terms.greatestDepth, inputs);
            price += _place(source, claimId, claim, terms, unit, 0);
        }
        _charge(price);
    }

    /// @inheritdoc IClaimBoard
    function demandNode(address source, bytes32 claimId, Unit calldata unit, NodeProof calldata proof)
        external
        payable
    {
        ClaimView memory claim = _openClaim(source, claimId);
        bytes32 traceRoot = _disputes[DisputeUnits.claimKey(source, claimId)].traceRoot;
        if (traceRoot == 0) revert RootsNotPosted();
        ModelTerms memory terms = REGISTRY.termsOf(claim.modelId);
        uint256 depth = DisputeUnits.requireNodeUnit(unit, terms.greatestDepth);
        bytes32 instructionRoot = REGISTRY.instructionRootOf(claim.modelId);
        FaultCheck.Basis memory basis = FaultCheck.Basis(terms.instructionCount, instructionRoot, traceRoot);
        bytes32 expected = FaultCheck.provenNode(unit, proof, depth, basis);
        _charge(_place(source, claimId, claim, terms, unit, expected));
    }

    /// @dev Opens a demand unless there is one; returns the escrow it takes.
    function _place(
        address source,
        bytes32 claimId,
        ClaimView memory claim,
        ModelTerms memory terms,
        Unit memory unit,
        bytes32 expected
    ) private returns (uint256 escrow) {
        bytes32 key = DisputeUnits.claimKey(source, claimId);
        bytes32 id = unit.idOf(key);
        // INVARIANT: OneDemandPerUnit. A second demand of a unit changes nothing and costs nothing.
        if (_demands[id].status != DemandStatus.None) return 0;
        Dispute storage dispute = _disputes[key];
        if (dispute.phase == Phase.Faulted) revert ClaimFaulted(source, claimId);
        uint256 rounds = RESPONSE + REACTION;
        if (dispute.phase == Phase.Quiet) {
            // INVARIANT: BoundedTime. A claim that nobody demanded of in its window is final, and no demand reopens it; the end
            // of a dispute is a constant of the claim's time and the model.
            if (block.timestamp > claim.claimedAt + WINDOW) revert ClaimFinal(source, claimId);
            dispute.phase = Phase.Disputed;
            dispute.prover = claim.prover;
            dispute.instructions = terms.instructionCount;
            dispute.finalAt =
                uint40(claim.claimedAt + WINDOW + (uint256(terms.greatestDepth) + 3) * rounds + 2 * REACTION);
        }
        uint256 level = unit.levelOf();
        uint256 until = claim.claimedAt + WINDOW + level * rounds;
        // INVARIANT: BoundedTime. No demand of a level after its time, so that every answer and the reaction to it fit before
        // the end.
        if (block.timestamp > until) revert LevelClosed(level, until);
        uint256 fee = feePerGas();
        uint256 deadline = block.timestamp + RESPONSE;
        _demands[id] = Demand(msg.sender, uint40(deadline), uint48(fee), DemandStatus.Open, expected);
        ++dispute.unanswered;
        escrow = _escrow(fee, unit.kind, dispute.instructions);
        emit Demanded(source, claimId, unit, msg.sender, uint64(deadline), escrow);
    }

    // Answers.

    /// @inheritdoc IClaimBoard
    function answer(Answer[] calldata answers) external {
        for (uint256 i = 0; i < answers.length; ++i) {
            _answer(answers[i]);
        }
    }

    function _answer(Answer calldata given) private {
        Unit memory unit = given.unit;
        bytes32 key = DisputeUnits.claimKey(given.source, given.claimId);
        Dispute storage dispute = _disputes[key];
        Demand storage demanded = _demands[unit.idOf(key)];
        if (!_awaits(dispute, demanded, unit, key)) return;
        bool right;
        if (unit.kind < UnitKind.TensorRoots) {
            right = _answersTop(given, unit);
        } else if (unit.kind == UnitKind.NodeChildren) {
            right = AnswerCheck.nodeChildren(given.data, unit, demanded.expected);
        } else {
            right = unit.kind == UnitKind.TensorLeaf && AnswerCheck.tensorLeaf(given.data, unit, demanded.expected);
        }
        if (!right) revert AnswerInvalid();
        uint256 fee = _settle(dispute, demanded, unit.kind);
        emit Answered(given.source, given.claimId, unit, given.data, fee);
    }

    /// @dev Answers of level 0 are checked against the claim and its model.
    function _answersTop(Answer calldata given, Unit memory unit) private view returns (bool) {
        ClaimView memory claim = IClaimSource(given.source).claimOf(given.claimId);
        (ModelTerms memory terms, TensorSpec inputs,) = REGISTRY.shapeOf(claim.modelId);
        if (unit.kind == UnitKind.InputLeaf) {
            return AnswerCheck.inputLeaf(given.data, unit, inputs, claim.inputRoot);
        }
        bytes32 root = REGISTRY.instructionRootOf(claim.modelId);
        if (unit.kind == UnitKind.InstructionRecord) {
            return AnswerCheck.instructionRecord(given.data, unit.position, terms.instructionCount, root);
        }
        return AnswerCheck.parameterLeaf(given.data, unit, terms.instructionCount, root);
    }

    /// @inheritdoc IClaimBoard
    function answerRoots(address source, bytes32 claimId, bytes32[] calldata roots) external {
        bytes32 key = DisputeUnits.claimKey(source, claimId);
        Dispute storage dispute = _disputes[key];
        Unit memory unit = Unit(UnitKind.TensorRoots, 0, 0, 0, 0, 0);
        Demand storage demanded = _demands[unit.idOf(key)];
        // INVARIANT: OneTrace. Only the prover or its active keys choose the trace, and once.
        if (msg.sender != dispute.prover && VAULT.proverOf(msg.sender) != dispute.prover) {
            revert NotProverKey(msg.sender);
        }
        if (!_awaits(dispute, demanded, unit, key)) return;
        ClaimView memory claim = IClaimSource(source).claimOf(claimId);
        (ModelTerms memory terms, TensorSpec inputs, TensorSpec outputs) = REGISTRY.shapeOf(claim.modelId);
        uint256 count = terms.instructionCount;
        if (roots.length != count) revert RootCountInvalid(roots.length, count);
        if (Openings.listRoot(roots[:inputs.count()]) != claim.inputRoot) revert InputRootMismatch();
        if (Openings.listRoot(roots[count - outputs.count():]) != claim.outputRoot) revert OutputRootMismatch();
        bytes32 traceRoot = Openings.traceRootOf(roots);
        dispute.traceRoot = traceRoot;
        uint256 fee = _settle(dispute, demanded, UnitKind.TensorRoots);
        emit RootsPosted(source, claimId, traceRoot, roots, fee);
    }

    /// @dev Whether a demand waits for this answer: false when it is answered or void; reverts when it never was or is late.
    function _awaits(Dispute storage dispute, Demand storage demanded, Unit memory unit, bytes32 key)
        private
        view
        returns (bool)
    {
        DemandStatus status = demanded.status;
        if (status == DemandStatus.None) revert NotDemanded(unit.idOf(key));
        if (status != DemandStatus.Open || dispute.phase == Phase.Faulted) return false;
        // INVARIANT: Detectability. What is late is wrong by rule, for everybody alike.
        if (block.timestamp > demanded.deadline) revert AnswerLate(demanded.deadline);
        return true;
    }

    /// @dev Pays the prover for an answer out of the demand's escrow and returns the rest to who paid it.
    function _settle(Dispute storage dispute, Demand storage demanded, UnitKind kind) private returns (uint256 fee) {
        uint256 instructions = dispute.instructions;
        uint256 demandFee = demanded.fee;
        uint256 escrow = _escrow(demandFee, kind, instructions);
        uint256 paidFee = feePerGas();
        // INVARIANT: Solvency. An answer is never paid more than its demand escrowed.
        if (paidFee > DisputeGas.ESCROW_FACTOR * demandFee) paidFee = DisputeGas.ESCROW_FACTOR * demandFee;
        fee = paidFee * DisputeGas.answerGas(kind, instructions);
        demanded.status = DemandStatus.Answered;
        if (paidFee > demandFee) demanded.fee = uint48(paidFee);
        --dispute.unanswered;
        // INVARIANT: HarassmentPays. The fee goes to the prover, whoever answers.
        _credit(dispute.prover, fee);
        _credit(demanded.payer, escrow - fee);
    }

    // Verdicts.

    /// @inheritdoc IClaimBoard
    function expire(address source, bytes32 claimId, Unit calldata unit) external {
        ClaimView memory claim = _openClaim(source, claimId);
        bytes32 key = DisputeUnits.claimKey(source, claimId);
        Demand storage demanded = _demands[unit.idOf(key)];
        if (demanded.status != DemandStatus.Open) revert NotDemanded(unit.idOf(key));
        // INVARIANT: HonestSafety. Nobody loses before the deadline of a demand has passed.
        if (block.timestamp <= demanded.deadline) revert NotExpired(demanded.deadline);
        emit Expired(source, claimId, unit, msg.sender);
        _convict(source, claimId, claim, unit, demanded.payer);
    }

    /// @inheritdoc IClaimBoard
    function commitFault(bytes32 commitment) external {
        if (_commitments[commitment] != 0) return;
        _commitments[commitment] = block.timestamp << 64 | block.number;
        emit FaultCommitted(commitment, msg.sender);
    }

    /// @inheritdoc IClaimBoard
    function proveFault(address source, bytes32 claimId, Fault calldata fault, bytes32 salt) external {
        salt; // part of the committed calldata
        ClaimView memory claim = _openClaim(source, claimId);
        Dispute storage dispute = _disputes[DisputeUnits.claimKey(source, claimId)];
        if (dispute.traceRoot == 0) revert RootsNotPosted();
        if (block.timestamp > dispute.finalAt) revert ClaimFinal(source, claimId);
        _requireCommitted(dispute.finalAt);
        ModelTerms memory terms = REGISTRY.termsOf(claim.modelId);
        FaultCheck.Basis memory basis =
            FaultCheck.Basis(terms.instructionCount, REGISTRY.instructionRootOf(claim.modelId), dispute.traceRoot);
        (int256 right, int256 claimed, Unit memory unit) = FaultCheck.elements(fault, basis, VERIFIER);
        // INVARIANT: HonestSafety. A right element slashes nobody.
        if (right == claimed) revert NoFault(right);
        emit FaultProven(source, claimId, fault.position, fault.element, right, msg.sender);
        _convict(source, claimId, claim, unit, msg.sender);
    }

    /// @dev The caller committed to this very call in an earlier block, and in time.
    function _requireCommitted(uint256 finalAt) private view {
        // INVARIANT: FinderKeepsReward. Who copies a proof from the mempool has no commitment to it from its own address.
        bytes32 commitment = keccak256(abi.encodePacked(msg.sender, msg.data));
        uint256 committed = _commitments[commitment];
        if (committed == 0) revert NotCommitted(commitment);
        if (uint64(committed) >= block.number || (committed >> 64) + REACTION > finalAt) revert CommitmentTooLate();
    }

    /// @dev Ends a claim as wrong: pays costs along the path to `unit`, then the reward, out of at most a quarter of the lock.
    function _convict(address source, bytes32 claimId, ClaimView memory claim, Unit memory unit, address finder)
        private
    {
        bytes32 key = DisputeUnits.claimKey(source, claimId);
        _disputes[key].phase = Phase.Faulted;
        (ModelTerms memory terms, TensorSpec inputs,) = REGISTRY.shapeOf(claim.modelId);
        // INVARIANT: SlashArithmetic. Costs and reward together never exceed a quarter of the lock.
        PayoutList.List memory list = PayoutList.create(claim.coverage / 4);
        if (unit.kind >= UnitKind.TensorRoots) {
            Unit memory step = Unit(UnitKind.TensorRoots, 0, 0, 0, 0, 0);
            _refund(source, claimId, key, step, list);
        }
        if (unit.kind >= UnitKind.NodeChildren) {
            uint256 depth = unit.tensorDepth();
            for (uint256 height = depth; height > unit.height; --height) {
                Unit memory step = unit.ancestor(height);
                _refund(source, claimId, key, step, list);
            }
        }
        if (unit.kind != UnitKind.TensorRoots) _refund(source, claimId, key, unit, list);
        uint256 disputeGas = _worstDisputeGas(terms, inputs);
        PayoutList.add(list, finder, DisputeGas.REWARD_DISPUTES * disputeGas * feePerGas());
        IClaimSource(source).onFault(claimId, PayoutList.trimmed(list));
    }

    /// @dev Costs of one demand to who paid it, and its escrow if it is still held.
    function _refund(address source, bytes32 claimId, bytes32 key, Unit memory unit, PayoutList.List memory list)
        private
    {
        Demand storage demanded = _demands[unit.idOf(key)];
        if (demanded.status == DemandStatus.None) return;
        uint256 instructions = _disputes[key].instructions;
        uint256 gasSpent = DisputeGas.demandGas(unit.kind);
        if (demanded.status == DemandStatus.Answered) gasSpent += DisputeGas.answerGas(unit.kind, instructions);
        else _returnEscrow(source, claimId, unit, demanded, instructions);
        PayoutList.add(list, demanded.payer, gasSpent * demanded.fee);
    }

    /// @inheritdoc IClaimBoard
    function returnEscrow(address source, bytes32 claimId, Unit[] calldata units) external {
        bytes32 key = DisputeUnits.claimKey(source, claimId);
        ClaimView memory claim = IClaimSource(source).claimOf(claimId);
        // INVARIANT: Solvency. Escrow is held while the claim is undecided, and returned once.
        if (_disputes[key].phase != Phase.Faulted && claim.open) revert NothingToReturn();
        uint256 instructions = _disputes[key].instructions;
        for (uint256 i = 0; i < units.length; ++i) {
            Unit memory unit = units[i];
            Demand storage demanded = _demands[unit.idOf(key)];
            if (demanded.status != DemandStatus.Open) revert NothingToReturn();
            _returnEscrow(source, claimId, unit, demanded, instructions);
        }
    }

    function _returnEscrow(
        address source,
        bytes32 claimId,
        Unit memory unit,
        Demand storage demanded,
        uint256 instructions
    ) private {
        uint256 escrow = _escrow(demanded.fee, unit.kind, instructions);
        demanded.status = DemandStatus.Returned;
        _credit(demanded.payer, escrow);
        emit EscrowReturned(source, claimId, unit, demanded.payer, escrow);
    }
}
