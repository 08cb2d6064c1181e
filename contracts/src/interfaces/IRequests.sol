// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IClaimSource} from "./IClaimSource.sol";

/// @notice What a requester asks for.
/// @param modelId a registered model
/// @param tier 0: answered by a proof; 1: optimistic, answered under stake
/// @param earlyDelivery optimistic only: the callback may also run before finality, told so
/// @param coverage wei locked behind an optimistic answer; at least `minimumCoverage(modelId)`. 0 for the zk tier
/// @param deadline last second at which an answer is accepted
/// @param inputTimestamp time the input is from, at most now; 0 means now; passed on, for checks of staleness
/// @param callbackGas gas the callback gets, at most MAX_CALLBACK_GAS; 0 for no callback
struct RequestTerms {
    bytes32 modelId;
    uint8 tier;
    bool earlyDelivery;
    uint96 coverage;
    uint40 deadline;
    uint40 inputTimestamp;
    uint32 callbackGas;
}

/// @notice Open → (Claimed →) Final, or Refunded, or Faulted. A Final request whose callback failed is retriable.
enum Status {
    None,
    Open,
    Claimed,
    Final,
    Faulted,
    Refunded
}

/// @notice Of the final callback.
enum Delivery {
    None,
    Done,
    Failed
}

/// @notice A request as stored. Fields that a state has no use for are zero.
/// @param input input root (keccak(0x03 ‖ tensor roots)); for a zk request on a model of form 2, the Poseidon commitment
/// @param prover who holds the exclusive period while Open; who answered afterwards
/// @param time end of the exclusive period while Open; time of the answer afterwards
/// @param output output root, once answered
struct RequestView {
    Status status;
    Delivery delivery;
    bool earlyDelivered;
    RequestTerms terms;
    bytes32 input;
    address requester;
    uint96 fee;
    address prover;
    uint40 time;
    bytes32 output;
}

/// @title Requests for answers: escrow, zk fulfilment, optimistic claims, finality, delivery, refunds.
/// @notice Claim ids on the board are `bytes32(requestId)`. Request ids count up from 1 and are never reused.
interface IRequests is IClaimSource {
    /// @param input input bytes as given: all input tensors' canonical bytes joined; empty when only a root was given
    /// @param inputRoot root or commitment, as stored
    /// @param inputUri where the bytes are, when only a root was given; a hint
    event Requested(
        uint256 indexed requestId,
        bytes32 indexed modelId,
        address indexed requester,
        RequestTerms terms,
        uint256 fee,
        bytes32 inputRoot,
        bytes input,
        string inputUri
    );
    event Reserved(uint256 indexed requestId, address indexed prover, uint256 until, uint256 bond);
    event BondForfeited(uint256 indexed requestId, address indexed prover, uint256 bond);
    event Claimed(
        uint256 indexed requestId, bytes32 indexed modelId, address indexed prover, bytes32 outputRoot, bytes output
    );
    event Fulfilled(
        uint256 indexed requestId, bytes32 indexed modelId, address indexed prover, bytes32 outputRoot, bytes output
    );
    event Finalized(uint256 indexed requestId, address indexed prover, bytes32 outputRoot);
    event Faulted(uint256 indexed requestId, address indexed prover, uint256 coverage);
    event Refunded(uint256 indexed requestId, address indexed requester, uint256 fee);
    event Delivered(uint256 indexed requestId, bool isFinal);
    event DeliveryFailed(uint256 indexed requestId, bool isFinal);
    event Paid(
        uint256 indexed requestId,
        bytes32 indexed modelId,
        address indexed prover,
        uint256 toProver,
        uint256 royalty,
        uint256 burned
    );
    event Collected(address indexed account, address indexed to, uint256 amount);

    error ModelUnavailable(bytes32 modelId);
    error TierInvalid();
    error CoverageTooLow(uint256 coverage, uint256 minimum);
    error DeadlineInvalid();
    error InputTimestampInvalid();
    error CallbackGasTooHigh();
    error InputInvalid();
    error OutputInvalid();
    error NotSigningKey(address caller);
    error WrongStatus(uint256 requestId, Status status);
    error OtherQuestion(uint256 requestId);
    error ReservedByOther(uint256 requestId, address prover, uint256 until);
    error AlreadyReserved(uint256 requestId);
    error PastDeadline(uint256 requestId);
    error NotYetRefundable(uint256 requestId);
    error KeyMismatch();
    error ProofInvalid();
    error NotFinal(uint256 requestId);
    error NotBoard(address caller);
    error NotIllFormed(bytes32 modelId);
    error PayoutsExceedQuarter(uint256 payouts, uint256 coverage);
    error NothingToDeliver(uint256 requestId);
    error TransferFailed(address to);
    error LengthMismatch();

    /// @notice Asks with the input in calldata; the fee sent is held until the request ends.
    /// @param input canonical bytes of all input tensors, joined in order; the root is computed here
    function request(RequestTerms calldata terms, bytes calldata input) external payable returns (uint256 requestId);

    /// @notice Asks with the input's root (or, for a zk request on a model of form 2, its Poseidon commitment below the field's
    /// prime). Bytes that do not match are not accepted as work. `inputUri`: at most 512 bytes.
    function requestByRoot(RequestTerms calldata terms, bytes32 inputRoot, string calldata inputUri)
        external
        payable
        returns (uint256 requestId);

    /// @notice One short exclusive period per request, for a bond of BOND_BPS of the fee out of the prover's free stake:
    /// an answer in time returns it, else half goes to the requester and half burns, and the request is open to all for good.
    /// Called by a signing key.
    /// @param question what the prover decided on, as for `claim`: no bond is locked for another request
    function reserve(uint256 requestId, bytes32 question) external;

    /// @notice Takes the bond of an exclusive period that passed without an answer. Anybody.
    function forfeitBond(uint256 requestId) external;

    /// @notice Answers with a proof: final at once, paid and delivered. Called by a signing key of the prover in the proof's
    /// context. Signals are built here: context, input bytes or commitment, output bytes.
    /// @param key words of the verification key (checked by hash)
    /// @param proof 256 bytes A ‖ B ‖ C
    /// @param input input bytes for a model of input form 1, checked against the stored root; else empty
    /// @param output canonical bytes of all output tensors, joined in order
    function fulfilProof(
        uint256 requestId,
        bytes calldata key,
        bytes calldata proof,
        bytes calldata input,
        bytes calldata output
    ) external;

    /// @notice Answers under stake: locks the coverage. Called by a signing key.
    /// @param question what the answer is to, and on which terms: keccak256 of the ABI encoding of (modelId, input root, coverage,
    /// fee, deadline, callback gas, tier, early delivery). A request that differs in any, since a reorganisation gave its number
    /// to another, is not answered: no stake is locked for what the prover did not decide on
    function claim(uint256 requestId, bytes32 question, bytes calldata output) external;

    /// @notice Many claims at once. A request that another answered, that is reserved by another, or that asks another
    /// question is left out; anything else wrong reverts the whole.
    /// @return claimed how many were claimed
    function claimBatch(uint256[] calldata requestIds, bytes32[] calldata questions, bytes[] calldata outputs)
        external
        returns (uint256 claimed);

    /// @notice Ends a claim that the board says is final: releases the lock, pays, delivers. Anybody.
    /// @param output the claimed output bytes, checked against the claim
    function finalize(uint256 requestId, bytes calldata output) external;

    /// @notice Runs the callback of an open claim before its verdict, once, where the requester asked for that. Anybody.
    function deliverEarly(uint256 requestId, bytes calldata output) external;

    /// @notice Runs a failed final callback again. Anybody; it gets at least the requester's callback gas, and what more the
    /// caller sends.
    function retryDelivery(uint256 requestId, bytes calldata output) external;

    /// @notice Returns the fee of a request that nobody answered in time, or whose model or key was disabled. Anybody.
    function refund(uint256 requestId) external;

    /// @notice Slashes an open claim on a model that was shown to break the rules. Anybody; no reward beyond the requester's.
    function voidClaim(uint256 requestId) external;

    /// @notice Pays the caller's fees, royalties and refunds.
    /// @return amount wei
    function collect(address to) external returns (uint256 amount);

    /// @notice Pays what is owed to a prover to that prover itself, its owner address. Anybody: a hot key brings its owner's fees
    /// home without being able to take them. An owner that refuses ether stops its own payment alone, and has `collect`.
    /// @param key bound to the owner, retired or not; reverts NotSigningKey for any other, so nobody is paid unasked but provers
    /// @return amount wei
    function collectFor(address key) external returns (uint256 amount);

    /// @notice Burns the share of a model's fees set aside for it, which counts as its usage in the registry. Anybody.
    function burnFees(bytes32 modelId) external;

    function requestOf(uint256 requestId) external view returns (RequestView memory);

    /// @return wei the account may collect
    function owedTo(address account) external view returns (uint256);

    /// @return least coverage of an optimistic request on a model: several times the cost of its dearest dispute
    function minimumCoverage(bytes32 modelId) external view returns (uint256);

    /// @return the first public signal of a proof that answers a request
    function contextOf(uint256 requestId, address prover, bytes32 modelId) external view returns (uint256);

    /// @return the next request's id
    function nextRequestId() external view returns (uint256);

    /// @return seconds a reservation lasts
    function EXCLUSIVE_PERIOD() external view returns (uint256);
}
