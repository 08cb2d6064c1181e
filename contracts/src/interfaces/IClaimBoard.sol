// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice What a demand can name. Level 0: the first three, shown by an opening in the answer. Level 1: the list of all
/// tensor roots. Levels 2 to d + 2: nodes and leaves of tensors, whose hash the demand proves.
enum UnitKind {
    InputLeaf,
    InstructionRecord,
    ParameterLeaf,
    TensorRoots,
    NodeChildren,
    TensorLeaf
}

/// @notice One demandable piece of a claim. Fields that a kind does not use are zero, so a unit has one spelling.
/// @param kind what it is
/// @param position InputLeaf: number of the input; TensorRoots: 0; else the position of the instruction
/// @param height NodeChildren: 32-way levels above the leaves, 1 to the tensor's depth; else 0
/// @param index InputLeaf, ParameterLeaf, TensorLeaf: the 512-byte leaf; NodeChildren: the node among those of its height
/// @param elementType NodeChildren, TensorLeaf: type of the tensor, as in its record; else 0
/// @param length NodeChildren, TensorLeaf: length of the tensor in elements, as in its record; else 0
struct Unit {
    UnitKind kind;
    uint16 position;
    uint8 height;
    uint32 index;
    uint8 elementType;
    uint32 length;
}

/// @notice Proof that a node or leaf belongs to a posted trace: record in the model, tensor root in the trace, node in the tensor.
/// @param record the instruction's 204 bytes
/// @param recordSiblings from the record up to the instruction root's top
/// @param tensorRoot root of the tensor, as posted
/// @param rootSiblings from the tensor root's leaf up to the trace root's top
/// @param node hash of the demanded node or leaf; 0 for the tensor's top, which nobody knows before it is answered
/// @param nodeSiblings from the node up to the tensor's top; none for the top itself
struct NodeProof {
    bytes record;
    bytes32[] recordSiblings;
    bytes32 tensorRoot;
    bytes32[] rootSiblings;
    bytes32 node;
    bytes32[] nodeSiblings;
}

/// @notice An answer to one demand; `data` by kind (docs/dispute.md, "Answers").
struct Answer {
    address source;
    bytes32 claimId;
    Unit unit;
    bytes data;
}

/// @notice A wrong element and everything that shows it wrong.
/// @param position instruction
/// @param element index in its output
/// @param record its 204 bytes
/// @param recordSiblings from the record up to the instruction root's top
/// @param roots posted roots of its sources and of its own tensor, by ascending position, each once
/// @param rootSiblings multi-opening of those roots in the trace
/// @param leaf bytes of the leaf of the posted tensor that holds the element
/// @param leafSiblings from that leaf up to the tensor's top
/// @param evidence what the step needs (IStepVerifier.step)
struct Fault {
    uint16 position;
    uint32 element;
    bytes record;
    bytes32[] recordSiblings;
    bytes32[] roots;
    bytes32[] rootSiblings;
    bytes leaf;
    bytes32[] leafSiblings;
    bytes evidence;
}

/// @notice Quiet: nobody demanded anything. Disputed: somebody did. Faulted: shown wrong, or wrong by rule; the end.
enum Phase {
    Quiet,
    Disputed,
    Faulted
}

/// @notice A claim as the board knows it; all zero while quiet.
/// @param finalAt last second of the dispute, fixed by the first demand from the claim's time and the model's depth
/// @param unanswered demands that wait for an answer
/// @param traceRoot keccak(0x05 ‖ count ‖ top) of the posted tensor roots; 0 before
struct DisputeView {
    Phase phase;
    address prover;
    uint64 finalAt;
    uint32 unanswered;
    bytes32 traceRoot;
}

/// @notice Open: waits for its answer. Returned: its escrow went back, after a verdict.
enum DemandStatus {
    None,
    Open,
    Answered,
    Returned
}

/// @param payer who escrowed it
/// @param deadline last second at which an answer is accepted
/// @param feePerGas wei per gas at the demand; once answered, the larger of that and what the answer was paid at
struct DemandView {
    DemandStatus status;
    address payer;
    uint64 deadline;
    uint64 feePerGas;
}

/// @title The claim board: anybody demands pieces of a claim's trace; what is withheld or wrong costs the prover its lock.
/// @notice A claim is named by (source, claimId). No slots, no opponents: nobody's move blocks another's, and no move shifts a
/// clock. All payments are pulled. There is no owner.
interface IClaimBoard {
    event Demanded(
        address indexed source, bytes32 indexed claimId, Unit unit, address payer, uint64 deadline, uint256 escrow
    );
    /// @param data as accepted; for NodeChildren the children, for leaves with an opening the whole answer
    event Answered(address indexed source, bytes32 indexed claimId, Unit unit, bytes data, uint256 fee);
    /// @notice Answers the unit TensorRoots.
    event RootsPosted(address indexed source, bytes32 indexed claimId, bytes32 traceRoot, bytes32[] roots, uint256 fee);
    event FaultCommitted(bytes32 indexed commitment, address indexed by);
    /// @notice A demand passed its deadline unanswered.
    event Expired(address indexed source, bytes32 indexed claimId, Unit unit, address by);
    /// @notice An element was computed and is not the one in the trace.
    event FaultProven(
        address indexed source, bytes32 indexed claimId, uint16 position, uint32 element, int256 right, address by
    );
    event EscrowReturned(address indexed source, bytes32 indexed claimId, Unit unit, address payer, uint256 escrow);
    event CreditWithdrawn(address indexed account, uint256 amount);

    error ClaimNotOpen(address source, bytes32 claimId);
    /// @notice The claim was shown wrong already.
    error ClaimFaulted(address source, bytes32 claimId);
    /// @notice Nothing was demanded within the window, or the dispute's time is over.
    error ClaimFinal(address source, bytes32 claimId);
    /// @notice Demands of this level are over since `until`.
    error LevelClosed(uint256 level, uint256 until);
    error UnitInvalid();
    /// @notice Demanding this kind takes the other demand function.
    error WrongDemand(UnitKind kind);
    error EscrowTooLow(uint256 price, uint256 available);
    error RootsNotPosted();
    error RecordOpeningInvalid();
    error RootOpeningInvalid();
    error NodeOpeningInvalid();
    error NotDemanded(bytes32 demandId);
    error AnswerLate(uint256 deadline);
    error AnswerInvalid();
    error NotProverKey(address caller);
    error RootCountInvalid(uint256 given, uint256 expected);
    error InputRootMismatch();
    error OutputRootMismatch();
    error NotExpired(uint256 deadline);
    /// @notice No commitment of this sender to exactly this call.
    error NotCommitted(bytes32 commitment);
    /// @notice The commitment is of this very block, or came after `finalAt − reaction`.
    error CommitmentTooLate();
    /// @notice The element in the trace is the right one.
    error NoFault(int256 value);
    error NothingToReturn();
    error TransferFailed(address account);

    /// @notice Demands units of levels 0 and 1. Escrows the price of each from the ether sent and the caller's credit; what is
    /// left over is credited. Units that somebody demanded already are left out and cost nothing.
    function demand(address source, bytes32 claimId, Unit[] calldata units) external payable;

    /// @notice Demands a node or leaf of a tensor; needs the posted roots. Escrow as `demand`; a no-op (all credited) when
    /// somebody demanded it already.
    function demandNode(address source, bytes32 claimId, Unit calldata unit, NodeProof calldata proof) external payable;

    /// @notice Answers demands of every kind but TensorRoots. Anybody may; the fee is credited to the prover. Demands that
    /// somebody answered already, or that a verdict voided, are left out; a late or wrong answer reverts the whole.
    function answer(Answer[] calldata answers) external;

    /// @notice Posts all tensor roots of the trace, once, while they are demanded. Only the prover or its active keys: a claim
    /// has one trace, and nobody else chooses it. The first roots must hash to the claim's input root, the last to its output.
    function answerRoots(address source, bytes32 claimId, bytes32[] calldata roots) external;

    /// @notice Ends a claim of which a demand passed its deadline unanswered. Anybody; costs and reward go to who demanded.
    function expire(address source, bytes32 claimId, Unit calldata unit) external;

    /// @notice Commits to a fault without saying which, not even of which claim. Committing twice changes nothing.
    /// @param commitment keccak256(sender ‖ calldata of the later proveFault call)
    function commitFault(bytes32 commitment) external;

    /// @notice Shows a wrong element, at least one block after committing to exactly this call, and slashes. Costs of the path's
    /// demands go to who paid each, the reward to the caller. Reverts NoFault when the element is right.
    /// @param salt keeps the commitment secret
    function proveFault(address source, bytes32 claimId, Fault calldata fault, bytes32 salt) external;

    /// @notice Credits the escrow of unanswered demands of a claim that is decided to who paid it. Anybody.
    function returnEscrow(address source, bytes32 claimId, Unit[] calldata units) external;

    /// @notice Pays an account's credit to that account. Anybody.
    function withdraw(address account) external;

    /// @notice Whether the source may end the claim as right: it is open there, its time is over, and nothing waits for an
    /// answer. False for unknown, faulted and ended claims. Asks the source for the claim.
    function isFinal(address source, bytes32 claimId) external view returns (bool);

    /// @notice As `isFinal` for a source that knows its claim: open, and made at `claimedAt`. Two storage reads at most.
    function isFinalSince(address source, bytes32 claimId, uint64 claimedAt) external view returns (bool);

    function disputeOf(address source, bytes32 claimId) external view returns (DisputeView memory);

    function demandOf(address source, bytes32 claimId, Unit calldata unit) external view returns (DemandView memory);

    /// @return level of a unit: it is accepted until claimedAt + window + level · (response + reaction)
    function levelOf(Unit calldata unit) external view returns (uint256 level);

    /// @return wei that demanding the unit escrows at the current fee
    function priceOf(bytes32 modelId, Unit calldata unit) external view returns (uint256);

    /// @return wei an account may withdraw
    function creditOf(address account) external view returns (uint256);

    /// @return wei per gas that prices are computed with now: the network's, within [minimumFee, maximumFee]
    function feePerGas() external view returns (uint256);

    /// @return gas of the dearest dispute of the model, everything on chain: demands, answers, commitment, step
    function worstDisputeGas(bytes32 modelId) external view returns (uint256);

    /// @return wei: the least lock of which a quarter pays costs and reward of the dearest dispute at the maximum fee
    function minimumCoverage(bytes32 modelId) external view returns (uint256);

    /// @return seconds within which a first demand keeps a claim from being final
    function WINDOW() external view returns (uint256);

    /// @return seconds within which a demand must be answered
    function RESPONSE() external view returns (uint256);

    /// @return seconds left to react to an answer
    function REACTION() external view returns (uint256);
}
