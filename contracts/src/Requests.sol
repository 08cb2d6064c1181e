// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {ModelTerms, TensorSpec} from "./ModelTypes.sol";
import {IClaimBoard} from "./interfaces/IClaimBoard.sol";
import {Payout} from "./interfaces/IClaimSource.sol";
import {IModelRegistry} from "./interfaces/IModelRegistry.sol";
import {Delivery, RequestTerms, Status} from "./interfaces/IRequests.sol";
import {IStakeVault} from "./interfaces/IStakeVault.sol";
import {Groth16} from "./libraries/Groth16.sol";
import {ModelRules} from "./libraries/ModelRules.sol";
import {Signals} from "./libraries/Signals.sol";
import {TensorBytes} from "./libraries/TensorBytes.sol";
import {Delivering} from "./requests/Delivering.sol";
import {Settlement} from "./requests/Settlement.sol";

/// @title Requests: see IRequests. States, deadlines and money here; storage in RequestBook, fees in Settlement, callbacks in Delivering.
contract Requests is Delivering {
    using TensorBytes for TensorSpec;

    uint256 public constant BOND_BPS = 1000;
    uint256 public constant MAX_CALLBACK_GAS = 2_000_000;
    uint256 public constant MAX_DURATION = 30 days;
    uint256 public constant MAX_URI_BYTES = 512;

    IClaimBoard public immutable BOARD;
    uint256 public immutable EXCLUSIVE_PERIOD;

    constructor(IModelRegistry registry, IStakeVault vault, IClaimBoard board, uint256 exclusivePeriod)
        Settlement(registry, vault)
    {
        BOARD = board;
        EXCLUSIVE_PERIOD = exclusivePeriod;
    }

    // Asking.

    function request(RequestTerms calldata terms, bytes calldata input) external payable returns (uint256 requestId) {
        (ModelTerms memory model, TensorSpec inputs,) = REGISTRY.shapeOf(terms.modelId);
        _checkTerms(terms, model);
        // A commitment cannot be computed here, and bytes that do not match one would be no work.
        if (_takesCommitment(terms, model)) revert InputInvalid();
        bytes32 inputRoot = inputs.rootOf(input);
        if (inputRoot == 0) revert InputInvalid();
        requestId = _create(terms, inputRoot);
        emit Requested(requestId, terms.modelId, msg.sender, terms, msg.value, inputRoot, input, "");
    }

    function requestByRoot(RequestTerms calldata terms, bytes32 inputRoot, string calldata inputUri)
        external
        payable
        returns (uint256 requestId)
    {
        ModelTerms memory model = REGISTRY.termsOf(terms.modelId);
        _checkTerms(terms, model);
        if (inputRoot == 0 || bytes(inputUri).length > MAX_URI_BYTES) revert InputInvalid();
        // INVARIANT: signalsAreFieldElements
        if (_takesCommitment(terms, model) && uint256(inputRoot) >= Groth16.R) revert InputInvalid();
        requestId = _create(terms, inputRoot);
        emit Requested(requestId, terms.modelId, msg.sender, terms, msg.value, inputRoot, "", inputUri);
    }

    // The exclusive period.

    function reserve(uint256 requestId, bytes32 question) external {
        address prover = _prover();
        (Request storage stored, Standing memory standing) = _open(requestId);
        Conditions memory conditions = stored.conditions;
        if (!_asks(stored, conditions, question)) revert OtherQuestion(requestId);
        // INVARIANT: oneExclusivePeriod
        if (standing.reservationUsed) revert AlreadyReserved(requestId);
        uint256 deadline = conditions.deadline;
        if (block.timestamp > deadline) revert PastDeadline(requestId);
        uint256 until = block.timestamp + EXCLUSIVE_PERIOD;
        if (until > deadline) until = deadline;
        uint256 bond = _bondOf(conditions.fee);
        stored.standing = Standing(prover, uint40(until), Status.Open, Delivery.None, false, true);
        emit Reserved(requestId, prover, until, bond);
        VAULT.lock(prover, bond);
    }

    function forfeitBond(uint256 requestId) external {
        (Request storage stored, Standing memory standing) = _open(requestId);
        if (standing.prover == address(0) || block.timestamp <= standing.time) {
            revert ReservedByOther(requestId, standing.prover, standing.time);
        }
        _clearReservation(stored);
        _forfeit(requestId, standing.prover, stored.requester, stored.conditions.fee);
    }

    // Answering.

    function fulfilProof(
        uint256 requestId,
        bytes calldata key,
        bytes calldata proof,
        bytes calldata input,
        bytes calldata output
    ) external {
        address prover = _prover();
        (Request storage stored, Standing memory standing) = _open(requestId);
        Conditions memory conditions = stored.conditions;
        if (conditions.tier != TIER_ZK) revert TierInvalid();
        if (block.timestamp > conditions.deadline) revert PastDeadline(requestId);
        ModelTerms memory model;
        {
            bytes32 outputRoot;
            (model, outputRoot) = _verify(requestId, stored, prover, key, proof, input, output);
            // Effects: final from here on, whatever the callback does.
            stored.input = outputRoot;
            stored.standing =
                Standing(prover, uint40(block.timestamp), Status.Final, Delivery.None, false, standing.reservationUsed);
            emit Fulfilled(requestId, stored.modelId, prover, outputRoot, output);
        }
        _endReservation(requestId, stored, standing, conditions.fee, prover);
        _pay(requestId, stored.modelId, prover, conditions.fee, model);
        _deliverFinal(requestId, stored, conditions, prover, output, false);
    }

    function claim(uint256 requestId, bytes32 question, bytes calldata output) external {
        address prover = _prover();
        (Request storage stored, Standing memory standing) = _open(requestId);
        Conditions memory conditions = stored.conditions;
        if (!_asks(stored, conditions, question)) revert OtherQuestion(requestId);
        (ModelTerms memory model, TensorSpec outputs) = REGISTRY.outputsOf(stored.modelId);
        _claim(requestId, stored, conditions, standing, prover, model, outputs, output);
        VAULT.lock(prover, conditions.coverage);
    }

    function claimBatch(uint256[] calldata requestIds, bytes32[] calldata questions, bytes[] calldata outputs)
        external
        returns (uint256 claimed)
    {
        if (requestIds.length != questions.length || requestIds.length != outputs.length) {
            revert LengthMismatch();
        }
        address prover = _prover();
        bytes32 modelId;
        ModelTerms memory model;
        TensorSpec outputSpec;
        uint256 coverage = 0;
        for (uint256 i = 0; i < requestIds.length; ++i) {
            Request storage stored = _requests[requestIds[i]];
            Standing memory standing = stored.standing;
            if (standing.status != Status.Open || _reservedByOther(standing, prover)) continue;
            Conditions memory conditions = stored.conditions;
            if (!_asks(stored, conditions, questions[i])) continue;
            if (stored.modelId != modelId) {
                modelId = stored.modelId;
                (model, outputSpec) = REGISTRY.outputsOf(modelId);
            }
            _claim(requestIds[i], stored, conditions, standing, prover, model, outputSpec, outputs[i]);
            coverage += conditions.coverage;
            ++claimed;
        }
        VAULT.lock(prover, coverage);
    }

    // Ends.

    function finalize(uint256 requestId, bytes calldata output) external {
        (Request storage stored, Standing memory standing) = _claimed(requestId);
        // INVARIANT: noResultBeforeItsVerdict
        if (!BOARD.isFinalSince(address(this), bytes32(requestId), standing.time)) revert NotFinal(requestId);
        (ModelTerms memory model, TensorSpec outputs) = REGISTRY.outputsOf(stored.modelId);
        if (model.illFormed) revert ModelUnavailable(stored.modelId);
        bytes32 outputRoot = outputs.rootOf(output);
        if (outputRoot != stored.output) revert OutputInvalid();
        Conditions memory conditions = stored.conditions;
        stored.standing.status = Status.Final;
        emit Finalized(requestId, standing.prover, outputRoot);
        VAULT.release(standing.prover, conditions.coverage);
        _pay(requestId, stored.modelId, standing.prover, conditions.fee, model);
        _deliverFinal(requestId, stored, conditions, standing.prover, output, false);
    }

    function refund(uint256 requestId) external {
        (Request storage stored, Standing memory standing) = _open(requestId);
        Conditions memory conditions = stored.conditions;
        bool disabled = _unavailable(conditions.tier, REGISTRY.termsOf(stored.modelId));
        if (block.timestamp <= conditions.deadline && !disabled) revert NotYetRefundable(requestId);
        stored.standing.status = Status.Refunded;
        // A prover that could not answer, since the model was disabled in its period, keeps its bond.
        bool inPeriod = block.timestamp <= standing.time;
        _endReservation(requestId, stored, standing, conditions.fee, inPeriod ? standing.prover : address(0));
        _refund(requestId, stored.requester, conditions.fee);
    }

    function voidClaim(uint256 requestId) external {
        (Request storage stored, Standing memory standing) = _claimed(requestId);
        if (!REGISTRY.termsOf(stored.modelId).illFormed) revert NotIllFormed(stored.modelId);
        _fault(requestId, stored, standing, new Payout[](1), 0);
    }

    function onFault(bytes32 claimId, Payout[] calldata payouts) external {
        // INVARIANT: onlyBoardFaults
        if (msg.sender != address(BOARD)) revert NotBoard(msg.sender);
        uint256 requestId = uint256(claimId);
        (Request storage stored, Standing memory standing) = _claimed(requestId);
        Payout[] memory all = new Payout[](payouts.length + 1);
        uint256 paid = 0;
        for (uint256 i = 0; i < payouts.length; ++i) {
            all[i + 1] = payouts[i];
            paid += payouts[i].amount;
        }
        uint256 coverage = stored.conditions.coverage;
        // INVARIANT: findersGetAtMostAQuarter
        if (paid > coverage / 4) revert PayoutsExceedQuarter(paid, coverage);
        _fault(requestId, stored, standing, all, paid);
    }

    // Delivery.

    function deliverEarly(uint256 requestId, bytes calldata output) external {
        (Request storage stored, Standing memory standing) = _claimed(requestId);
        Conditions memory conditions = stored.conditions;
        // INVARIANT: earlyOnlyByConsent
        if (!conditions.earlyDelivery || standing.earlyDelivered || conditions.callbackGas == 0) {
            revert NothingToDeliver(requestId);
        }
        _checkOutput(stored, conditions.tier, output);
        stored.standing.earlyDelivered = true;
        bool done = _call(requestId, stored, conditions, standing.prover, false, output, false);
        if (done) emit Delivered(requestId, false);
        else emit DeliveryFailed(requestId, false);
    }

    function retryDelivery(uint256 requestId, bytes calldata output) external {
        Request storage stored = _requests[requestId];
        Standing memory standing = stored.standing;
        // INVARIANT: deliveredOnce
        if (standing.status != Status.Final || standing.delivery != Delivery.Failed) {
            revert NothingToDeliver(requestId);
        }
        Conditions memory conditions = stored.conditions;
        _checkOutput(stored, conditions.tier, output);
        _deliverFinal(requestId, stored, conditions, standing.prover, output, true);
    }

    // Reading.

    function minimumCoverage(bytes32 modelId) external view returns (uint256) {
        return BOARD.minimumCoverage(modelId);
    }

    function contextOf(uint256 requestId, address prover, bytes32 modelId) external view returns (uint256) {
        return Signals.context(requestId, prover, modelId);
    }

    // The parts.

    function _prover() private view returns (address prover) {
        prover = VAULT.proverOf(msg.sender);
        if (prover == address(0)) revert NotSigningKey(msg.sender);
    }

    function _takesCommitment(RequestTerms calldata terms, ModelTerms memory model) private pure returns (bool) {
        return terms.tier == TIER_ZK && model.inputForm == ModelRules.FORM_COMMITMENT;
    }

    function _unavailable(uint8 tier, ModelTerms memory model) private pure returns (bool) {
        if (model.instructionCount == 0 || model.illFormed) return true;
        return tier == TIER_ZK && (model.keyBroken || model.inputForm == ModelRules.FORM_NONE);
    }

    function _checkTerms(RequestTerms calldata terms, ModelTerms memory model) private view {
        if (terms.tier > TIER_OPTIMISTIC) revert TierInvalid();
        if (_unavailable(terms.tier, model)) revert ModelUnavailable(terms.modelId);
        if (terms.tier == TIER_ZK) {
            if (terms.coverage != 0 || terms.earlyDelivery) revert TierInvalid();
        } else {
            // INVARIANT: everyClaimIsWorthChallenging
            uint256 minimum = BOARD.minimumCoverage(terms.modelId);
            if (terms.coverage < minimum) revert CoverageTooLow(terms.coverage, minimum);
        }
        if (terms.deadline <= block.timestamp || terms.deadline > block.timestamp + MAX_DURATION) {
            revert DeadlineInvalid();
        }
        if (terms.inputTimestamp > block.timestamp) revert InputTimestampInvalid();
        if (terms.callbackGas > MAX_CALLBACK_GAS) revert CallbackGasTooHigh();
    }

    function _verify(
        uint256 requestId,
        Request storage stored,
        address prover,
        bytes calldata key,
        bytes calldata proof,
        bytes calldata input,
        bytes calldata output
    ) private view returns (ModelTerms memory model, bytes32 outputRoot) {
        bytes32 modelId = stored.modelId;
        TensorSpec inputs;
        TensorSpec outputs;
        bytes32 keyHash;
        (model, inputs, outputs, keyHash) = REGISTRY.provingOf(modelId);
        if (_unavailable(TIER_ZK, model)) revert ModelUnavailable(modelId);
        // INVARIANT: keyOfTheModelOnly
        if (keccak256(key) != keyHash) revert KeyMismatch();
        outputRoot = outputs.rootOf(output);
        if (outputRoot == 0) revert OutputInvalid();
        uint256 inputSignals = ModelRules.inputSignals(inputs, model.inputForm);
        uint256[] memory signals = new uint256[](1 + inputSignals + Signals.countOf(output.length));
        signals[0] = Signals.context(requestId, prover, modelId);
        if (model.inputForm == ModelRules.FORM_COMMITMENT) {
            signals[1] = uint256(stored.input);
        } else {
            // INVARIANT: answersTheStoredInput
            if (inputs.rootOf(input) != stored.input) revert InputInvalid();
            Signals.pack(signals, 1, input);
        }
        Signals.pack(signals, 1 + inputSignals, output);
        // INVARIANT: onlyProvenAnswers
        if (!Groth16.verify(key, proof, signals)) revert ProofInvalid();
    }

    /// Records a claim; the caller locks its coverage.
    function _claim(
        uint256 requestId,
        Request storage stored,
        Conditions memory conditions,
        Standing memory standing,
        address prover,
        ModelTerms memory model,
        TensorSpec outputs,
        bytes calldata output
    ) private {
        if (conditions.tier != TIER_OPTIMISTIC) revert TierInvalid();
        if (block.timestamp > conditions.deadline) revert PastDeadline(requestId);
        if (model.illFormed) revert ModelUnavailable(stored.modelId);
        bytes32 outputRoot = outputs.rootOf(output);
        if (outputRoot == 0) revert OutputInvalid();
        stored.output = outputRoot;
        stored.standing =
            Standing(prover, uint40(block.timestamp), Status.Claimed, Delivery.None, false, standing.reservationUsed);
        emit Claimed(requestId, stored.modelId, prover, outputRoot, output);
        _endReservation(requestId, stored, standing, conditions.fee, prover);
    }

    function _bondOf(uint256 fee) private pure returns (uint256) {
        return fee * BOND_BPS / BASIS;
    }

    function _reservedByOther(Standing memory standing, address prover) private view returns (bool) {
        return standing.prover != address(0) && standing.prover != prover && block.timestamp <= standing.time;
    }

    function _clearReservation(Request storage stored) private {
        stored.standing = Standing(address(0), 0, Status.Open, Delivery.None, false, true);
    }

    /// Settles the bond of whoever reserved, if anybody: back to it when it answers in its time, else forfeited.
    /// @param standing as it was before the answer
    function _endReservation(
        uint256 requestId,
        Request storage stored,
        Standing memory standing,
        uint256 fee,
        address prover
    ) private {
        address holder = standing.prover;
        if (holder == address(0)) return;
        bool inPeriod = block.timestamp <= standing.time;
        // INVARIANT: exclusiveMeansExclusive
        if (inPeriod && holder != prover) revert ReservedByOther(requestId, holder, standing.time);
        if (inPeriod) VAULT.release(holder, _bondOf(fee));
        else _forfeit(requestId, holder, stored.requester, fee);
    }

    function _forfeit(uint256 requestId, address holder, address requester, uint256 fee) private {
        uint256 bond = _bondOf(fee);
        emit BondForfeited(requestId, holder, bond);
        Payout[] memory payouts = new Payout[](1);
        payouts[0] = Payout(requester, uint128(bond / 2));
        VAULT.slash(holder, bond, payouts);
    }

    /// @param payouts the first is still empty: the requester's, what the finders leave of half the lock
    function _fault(
        uint256 requestId,
        Request storage stored,
        Standing memory standing,
        Payout[] memory payouts,
        uint256 paid
    ) private {
        Conditions memory conditions = stored.conditions;
        uint256 coverage = conditions.coverage;
        stored.standing.status = Status.Faulted;
        emit Faulted(requestId, standing.prover, coverage);
        payouts[0] = Payout(stored.requester, uint128(coverage / 2 - paid));
        _refund(requestId, stored.requester, conditions.fee);
        VAULT.slash(standing.prover, coverage, payouts);
    }
}
