// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {ClaimView} from "../interfaces/IClaimSource.sol";
import {Delivery, IRequests, RequestTerms, RequestView, Status} from "../interfaces/IRequests.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// @title How requests are stored, and read back.
/// @dev A request takes five slots (six when optimistic), all written when it is made, at the requester's expense. An answer
/// overwrites them and touches no fresh slot: a proof's output root replaces the input, a claim's replaces the placeholder.
abstract contract RequestBook is IRequests {
    using SafeCast for uint256;

    uint8 internal constant TIER_ZK = 0;
    uint8 internal constant TIER_OPTIMISTIC = 1;

    /// What a prover decides on beside model and input; never changes. One slot, so that a claim compares it all at one read.
    /// 2^88 wei is more ether than there is.
    struct Conditions {
        uint88 coverage;
        uint88 fee;
        uint40 deadline;
        uint24 callbackGas;
        uint8 tier;
        bool earlyDelivery;
    }

    /// Where the request stands; see RequestView for `prover` and `time`.
    struct Standing {
        address prover;
        uint40 time;
        Status status;
        Delivery delivery;
        bool earlyDelivered;
        bool reservationUsed;
    }

    struct Request {
        bytes32 modelId;
        bytes32 input;
        address requester;
        uint40 inputTimestamp;
        Conditions conditions;
        Standing standing;
        bytes32 output;
    }

    /// Keeps the output slot of an open optimistic request nonzero, so that the claim pays for a change only.
    bytes32 private constant PLACEHOLDER = bytes32(uint256(1));

    mapping(uint256 requestId => Request) internal _requests;
    uint256 private _lastId;

    /// @inheritdoc IRequests
    function requestOf(uint256 requestId) external view returns (RequestView memory) {
        Request storage stored = _requests[requestId];
        Conditions memory conditions = stored.conditions;
        Standing memory standing = stored.standing;
        bool proved = conditions.tier == TIER_ZK && standing.status == Status.Final;
        bool answered = standing.status > Status.Open && standing.status != Status.Refunded;
        return RequestView({
            status: standing.status,
            delivery: standing.delivery,
            earlyDelivered: standing.earlyDelivered,
            terms: RequestTerms({
                modelId: stored.modelId,
                tier: conditions.tier,
                earlyDelivery: conditions.earlyDelivery,
                coverage: conditions.coverage,
                deadline: conditions.deadline,
                inputTimestamp: stored.inputTimestamp,
                callbackGas: conditions.callbackGas
            }),
            input: proved ? bytes32(0) : stored.input,
            requester: stored.requester,
            fee: conditions.fee,
            prover: standing.prover,
            time: standing.time,
            output: answered ? _outputOf(stored, conditions.tier) : bytes32(0)
        });
    }

    function claimOf(bytes32 claimId) external view returns (ClaimView memory view_) {
        Request storage stored = _requests[uint256(claimId)];
        Standing memory standing = stored.standing;
        if (standing.status != Status.Claimed) return view_;
        return ClaimView({
            prover: standing.prover,
            modelId: stored.modelId,
            inputRoot: stored.input,
            outputRoot: stored.output,
            claimedAt: standing.time,
            coverage: stored.conditions.coverage,
            open: true
        });
    }

    /// @inheritdoc IRequests
    function nextRequestId() external view returns (uint256) {
        return _lastId + 1;
    }

    function _create(RequestTerms calldata terms, bytes32 input) internal returns (uint256 requestId) {
        requestId = ++_lastId;
        Request storage stored = _requests[requestId];
        stored.modelId = terms.modelId;
        stored.input = input;
        stored.requester = msg.sender;
        stored.inputTimestamp = terms.inputTimestamp == 0 ? uint40(block.timestamp) : terms.inputTimestamp;
        stored.conditions = Conditions({
            coverage: uint256(terms.coverage).toUint88(),
            fee: msg.value.toUint88(),
            deadline: terms.deadline,
            callbackGas: uint256(terms.callbackGas).toUint24(),
            tier: terms.tier,
            earlyDelivery: terms.earlyDelivery
        });
        stored.standing = Standing(address(0), 0, Status.Open, Delivery.None, false, false);
        if (terms.tier == TIER_OPTIMISTIC) stored.output = PLACEHOLDER;
    }

    /// The one way into an open request.
    function _open(uint256 requestId) internal view returns (Request storage stored, Standing memory standing) {
        stored = _requests[requestId];
        standing = stored.standing;
        // INVARIANT: oneAnswerPerRequest
        if (standing.status != Status.Open) revert WrongStatus(requestId, standing.status);
    }

    /// Whether a request is the one that its prover decided on: after a reorganisation its number may be another's.
    function _asks(Request storage stored, Conditions memory conditions, bytes32 question)
        internal
        view
        returns (bool)
    {
        // INVARIANT: answersTheNamedQuestion
        return keccak256(abi.encode(stored.modelId, stored.input, conditions)) == question;
    }

    /// The one way into a claim.
    function _claimed(uint256 requestId) internal view returns (Request storage stored, Standing memory standing) {
        stored = _requests[requestId];
        standing = stored.standing;
        // INVARIANT: oneVerdictPerClaim
        if (standing.status != Status.Claimed) revert WrongStatus(requestId, standing.status);
    }

    /// Output root of an answered request: a proof needs its input no more, so it lies there.
    function _outputOf(Request storage stored, uint8 tier) internal view returns (bytes32) {
        return tier == TIER_ZK ? stored.input : stored.output;
    }
}
