// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {ModelTerms, TensorSpec} from "../ModelTypes.sol";
import {DemandStatus, DemandView, DisputeView, IClaimBoard, Phase, Unit, UnitKind} from "../interfaces/IClaimBoard.sol";
import {ClaimView, IClaimSource} from "../interfaces/IClaimSource.sol";
import {IFeeSource} from "../interfaces/IFeeSource.sol";
import {IModelRegistry} from "../interfaces/IModelRegistry.sol";
import {IStakeVault} from "../interfaces/IStakeVault.sol";
import {IStepVerifier} from "../interfaces/IStepVerifier.sol";
import {Merkle} from "../libraries/Merkle.sol";
import {BoardLedger} from "./BoardLedger.sol";
import {DisputeGas} from "./DisputeGas.sol";
import {DisputeUnits} from "./DisputeUnits.sol";

/// @notice Clocks in seconds and fee bounds in wei per gas. Response and reaction exceed the network's forced-inclusion delay.
struct BoardTerms {
    uint32 window;
    uint32 response;
    uint32 reaction;
    uint64 minimumFee;
    uint64 maximumFee;
    IFeeSource feeSource;
}

/// @title What the claim board holds, and how it is read.
abstract contract BoardState is BoardLedger {
    using DisputeUnits for Unit;

    struct Dispute {
        address prover;
        uint40 finalAt;
        uint24 unanswered;
        Phase phase;
        /// The model's, kept here: escrow is computed from it, and a source might change its mind.
        uint16 instructions;
        bytes32 traceRoot;
    }

    struct Demand {
        address payer;
        uint40 deadline;
        uint48 fee;
        DemandStatus status;
        /// Hash to answer with, of nodes and leaves; 0 for units of levels 0 and 1, which the claim itself checks.
        bytes32 expected;
    }

    IModelRegistry public immutable REGISTRY;
    IStakeVault public immutable VAULT;
    IStepVerifier public immutable VERIFIER;
    /// @inheritdoc IClaimBoard
    uint256 public immutable WINDOW;
    /// @inheritdoc IClaimBoard
    uint256 public immutable RESPONSE;
    /// @inheritdoc IClaimBoard
    uint256 public immutable REACTION;

    mapping(bytes32 claimKey => Dispute) internal _disputes;
    mapping(bytes32 demandId => Demand) internal _demands;
    /// @dev Time << 64 | block number of a commitment.
    mapping(bytes32 commitment => uint256) internal _commitments;

    constructor(IModelRegistry registry, IStakeVault vault, IStepVerifier verifier, BoardTerms memory terms)
        BoardLedger(terms.feeSource, terms.minimumFee, terms.maximumFee)
    {
        REGISTRY = registry;
        VAULT = vault;
        VERIFIER = verifier;
        WINDOW = terms.window;
        RESPONSE = terms.response;
        REACTION = terms.reaction;
    }

    /// @inheritdoc IClaimBoard
    function isFinal(address source, bytes32 claimId) external view returns (bool) {
        ClaimView memory claim = IClaimSource(source).claimOf(claimId);
        return claim.open && isFinalSince(source, claimId, claim.claimedAt);
    }

    /// @inheritdoc IClaimBoard
    function isFinalSince(address source, bytes32 claimId, uint64 claimedAt) public view returns (bool) {
        Dispute storage dispute = _disputes[DisputeUnits.claimKey(source, claimId)];
        if (dispute.phase == Phase.Quiet) return block.timestamp > claimedAt + WINDOW;
        // INVARIANT: Detectability. Nothing is final while a demand waits for its answer.
        return dispute.phase == Phase.Disputed && dispute.unanswered == 0 && block.timestamp > dispute.finalAt;
    }

    /// @inheritdoc IClaimBoard
    function disputeOf(address source, bytes32 claimId) external view returns (DisputeView memory) {
        Dispute storage d = _disputes[DisputeUnits.claimKey(source, claimId)];
        return DisputeView(d.phase, d.prover, d.finalAt, d.unanswered, d.traceRoot);
    }

    /// @inheritdoc IClaimBoard
    function demandOf(address source, bytes32 claimId, Unit calldata unit) external view returns (DemandView memory) {
        Demand storage d = _demands[unit.idOf(DisputeUnits.claimKey(source, claimId))];
        return DemandView(d.status, d.payer, d.deadline, d.fee);
    }

    /// @inheritdoc IClaimBoard
    function levelOf(Unit calldata unit) external pure returns (uint256) {
        return DisputeUnits.levelOf(unit);
    }

    /// @inheritdoc IClaimBoard
    function priceOf(bytes32 modelId, Unit calldata unit) external view returns (uint256) {
        return _escrow(feePerGas(), unit.kind, REGISTRY.termsOf(modelId).instructionCount);
    }

    /// @inheritdoc IClaimBoard
    function worstDisputeGas(bytes32 modelId) public view returns (uint256) {
        (ModelTerms memory terms, TensorSpec inputs,) = REGISTRY.shapeOf(modelId);
        return _worstDisputeGas(terms, inputs);
    }

    /// @inheritdoc IClaimBoard
    function minimumCoverage(bytes32 modelId) external view returns (uint256) {
        return 4 * (1 + DisputeGas.REWARD_DISPUTES) * worstDisputeGas(modelId) * MAXIMUM_FEE;
    }

    function _worstDisputeGas(ModelTerms memory terms, TensorSpec inputs) internal pure returns (uint256) {
        uint256 leaves = 0;
        for (uint256 i = 0; i < inputs.count(); ++i) {
            (uint8 elementType, uint32 length) = inputs.tensor(i);
            leaves += Merkle.chunkCount(uint256(length) << elementType);
        }
        return DisputeGas.worstDispute(leaves, terms.instructionCount, terms.greatestDepth, terms.worstStepGas);
    }

    function _escrow(uint256 fee, UnitKind kind, uint256 instructions) internal pure returns (uint256) {
        return DisputeGas.ESCROW_FACTOR * fee * DisputeGas.answerGas(kind, instructions);
    }

    function _openClaim(address source, bytes32 claimId) internal view returns (ClaimView memory claim) {
        if (_disputes[DisputeUnits.claimKey(source, claimId)].phase == Phase.Faulted) {
            revert ClaimFaulted(source, claimId);
        }
        claim = IClaimSource(source).claimOf(claimId);
        if (!claim.open) revert ClaimNotOpen(source, claimId);
    }
}
