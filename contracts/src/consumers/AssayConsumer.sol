// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AnswerInfo, IAnswerReceiver} from "../interfaces/IAnswerReceiver.sol";
import {IModelRegistry} from "../interfaces/IModelRegistry.sol";
import {IRequests, RequestTerms} from "../interfaces/IRequests.sol";
import {IStakeVault} from "../interfaces/IStakeVault.sol";

/// @title Base of a contract that asks for answers and acts on them.
/// @notice What it does so that the derived contract cannot forget it: models are pinned at construction, by identity;
/// development keys are refused on chain; only answers to requests made here are taken, each once, only from the requests contract, and
/// only when final. What stays with the derived contract: writing or checking its own input (an answer is about the input it
/// was given, and whoever chooses the input chooses the answer), and guardrails on what an answer may move (Guardrails.sol).
abstract contract AssayConsumer is IAnswerReceiver {
    uint8 internal constant TIER_ZK = 0;
    uint8 internal constant TIER_OPTIMISTIC = 1;
    uint256 private constant LOCAL_CHAIN = 31_337;

    IRequests public immutable REQUESTS;
    IModelRegistry public immutable REGISTRY;
    IStakeVault public immutable VAULT;
    /// Local chains only: there whoever made the key is oneself.
    bool public immutable ACCEPTS_DEVELOPMENT_KEYS;

    mapping(bytes32 modelId => bool) private _pinned;
    mapping(uint256 requestId => bytes32 modelId) private _asked;

    event ModelPinned(bytes32 indexed modelId);

    error DevelopmentKeysAreForLocalChains(uint256 chainId);
    error DevelopmentKey(bytes32 modelId);
    error ModelUnknown(bytes32 modelId);
    error ModelNotPinned(bytes32 modelId);
    error NotRequests(address caller);
    error NotAsked(uint256 requestId);
    error NotFinal(uint256 requestId);

    /// @param acceptsDevelopmentKeys reverts when true on any chain but 31337
    constructor(IRequests requests, IModelRegistry registry, IStakeVault vault, bool acceptsDevelopmentKeys) {
        // INVARIANT: noDevelopmentKeysInProduction
        if (acceptsDevelopmentKeys && block.chainid != LOCAL_CHAIN) {
            revert DevelopmentKeysAreForLocalChains(block.chainid);
        }
        REQUESTS = requests;
        REGISTRY = registry;
        VAULT = vault;
        ACCEPTS_DEVELOPMENT_KEYS = acceptsDevelopmentKeys;
    }

    /// Fees refunded, and the share of a slashed lock, come back here.
    receive() external payable {}

    /// @inheritdoc IAnswerReceiver
    function onAnswer(AnswerInfo calldata answer, bytes calldata output) external {
        // INVARIANT: answersComeFromRequests
        if (msg.sender != address(REQUESTS)) revert NotRequests(msg.sender);
        // INVARIANT: onlyOwnRequestsAnswered
        bytes32 modelId = _asked[answer.requestId];
        if (modelId == 0 || modelId != answer.modelId) revert NotAsked(answer.requestId);
        // INVARIANT: onlyFinalAnswersCount
        if (!answer.isFinal) revert NotFinal(answer.requestId);
        delete _asked[answer.requestId];
        _onAnswer(answer, output);
    }

    /// @notice Brings back what refunds and slashed locks owe this contract. Anybody.
    /// @return amount wei
    function collect() external returns (uint256 amount) {
        amount = REQUESTS.collect(address(this));
        uint256 share = VAULT.freeOf(address(this));
        if (share != 0) VAULT.withdraw(share, address(this));
        return amount + share;
    }

    /// @notice Whether a request of this contract still waits for its answer.
    function isWaiting(uint256 requestId) public view returns (bool) {
        return _asked[requestId] != 0;
    }

    function isPinned(bytes32 modelId) public view returns (bool) {
        return _pinned[modelId];
    }

    /// @dev Called once for each answer. A revert leaves the answer waiting for a retried delivery.
    function _onAnswer(AnswerInfo calldata answer, bytes calldata output) internal virtual;

    /// @dev For constructors: which models this contract believes is part of its code, so pin what was audited and whose
    /// program is at hand. Another creator, royalty, key or provenance is another modelId.
    function _pin(bytes32 modelId) internal {
        if (REGISTRY.termsOf(modelId).instructionCount == 0) revert ModelUnknown(modelId);
        // INVARIANT: noDevelopmentKeys
        bool hasKey = REGISTRY.keyHashOf(modelId) != 0;
        if (hasKey && REGISTRY.provenanceOf(modelId) == 0 && !ACCEPTS_DEVELOPMENT_KEYS) revert DevelopmentKey(modelId);
        _pinned[modelId] = true;
        emit ModelPinned(modelId);
    }

    /// @param input canonical bytes that this contract wrote or checked
    /// @param fee wei out of this contract's balance
    function _ask(RequestTerms memory terms, bytes memory input, uint256 fee) internal returns (uint256 requestId) {
        // INVARIANT: onlyPinnedModels
        if (!_pinned[terms.modelId]) revert ModelNotPinned(terms.modelId);
        requestId = REQUESTS.request{value: fee}(terms, input);
        _asked[requestId] = terms.modelId;
    }

    /// @dev As `_ask`, for an input of which the chain sees the root (or a proof's commitment) alone.
    /// @param uri where the bytes are; a hint
    function _askByRoot(RequestTerms memory terms, bytes32 root, string memory uri, uint256 fee)
        internal
        returns (uint256 requestId)
    {
        // INVARIANT: onlyPinnedModels
        if (!_pinned[terms.modelId]) revert ModelNotPinned(terms.modelId);
        requestId = REQUESTS.requestByRoot{value: fee}(terms, root, uri);
        _asked[requestId] = terms.modelId;
    }

    /// @dev Stops waiting: a late answer to the request is refused.
    function _forget(uint256 requestId) internal {
        delete _asked[requestId];
    }
}
