// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IClaimBoard} from "./interfaces/IClaimBoard.sol";
import {ClaimView, Payout} from "./interfaces/IClaimSource.sol";
import {Channel, ICoverageChannels, Receipt} from "./interfaces/ICoverageChannels.sol";
import {IModelRegistry} from "./interfaces/IModelRegistry.sol";
import {IStakeVault} from "./interfaces/IStakeVault.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";

/// @title Coverage channels: see ICoverageChannels.
contract CoverageChannels is ICoverageChannels {
    /// Ended: settled, faulted, or slashed for its nonce; a receipt is opened once, ever.
    enum ClaimStatus {
        None,
        Open,
        Ended
    }

    struct Claim {
        bytes32 channelId;
        bytes32 modelId;
        bytes32 inputRoot;
        bytes32 outputRoot;
        uint40 claimedAt;
        uint96 coverage;
        ClaimStatus status;
    }

    bytes32 private constant RECEIPT_TYPEHASH = keccak256(
        "Receipt(address prover,bytes32 modelId,bytes32 inputRoot,bytes32 outputRoot,uint64 issuedAt,bytes32 channel,uint64 nonce,uint128 coverage,uint128 outstanding,uint64 expiry)"
    );
    bytes32 private constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    uint256 public constant MAX_DURATION = 365 days;

    IModelRegistry public immutable REGISTRY;
    IStakeVault public immutable VAULT;
    IClaimBoard public immutable BOARD;

    mapping(bytes32 channelId => Channel) private _channels;
    mapping(bytes32 claimId => Claim) private _claims;
    uint256 private _count;

    constructor(IModelRegistry registry, IStakeVault vault, IClaimBoard board) {
        REGISTRY = registry;
        VAULT = vault;
        BOARD = board;
    }

    // Channels.

    /// @inheritdoc ICoverageChannels
    function open(address customer, uint96 amount, uint40 expiry) external returns (bytes32 channelId) {
        if (customer == address(0)) revert NotCustomer(customer);
        if (amount == 0) revert AmountInvalid();
        _checkExpiry(expiry);
        address prover = _prover();
        // INVARIANT: channelsNameTheirParties. After a reorganisation a number may be another customer's; an id never is.
        channelId = keccak256(abi.encode(block.chainid, address(this), prover, customer, ++_count));
        _channels[channelId] = Channel(prover, expiry, customer, amount, 0);
        emit ChannelOpened(channelId, prover, customer, amount, expiry);
        VAULT.lock(prover, amount);
    }

    /// @inheritdoc ICoverageChannels
    function renew(bytes32 channelId, uint96 added, uint40 expiry) external {
        Channel storage channel = _known(channelId);
        if (_prover() != channel.prover) revert NotProver(msg.sender);
        // INVARIANT: renewalsOnlyLengthen
        if (expiry < channel.expiry) revert ExpiryInvalid();
        _checkExpiry(expiry);
        channel.expiry = expiry;
        channel.lock += added;
        emit ChannelRenewed(channelId, channel.lock, expiry);
        VAULT.lock(channel.prover, added);
    }

    /// @inheritdoc ICoverageChannels
    function close(bytes32 channelId) external {
        Channel memory channel = _known(channelId);
        // INVARIANT: locksOutliveTheirReceipts
        if (block.timestamp <= channel.expiry || channel.disputed != 0) revert ChannelStillOpen(channelId);
        delete _channels[channelId];
        emit ChannelClosed(channelId, channel.lock);
        VAULT.release(channel.prover, channel.lock);
    }

    // Receipts.

    /// @inheritdoc ICoverageChannels
    function openReceipt(Receipt calldata receipt, bytes calldata signature) external returns (bytes32 claimId) {
        Channel storage channel = _channelOf(receipt);
        claimId = _checkReceipt(receipt, signature, channel);
        // INVARIANT: receiptsNameKnownModels. A reorganisation may take a registration back; nobody loses a lock in between.
        if (REGISTRY.termsOf(receipt.modelId).instructionCount == 0) revert ModelUnknown(receipt.modelId);
        // INVARIANT: everyReceiptIsWorthChallenging
        uint256 available = channel.lock - channel.disputed;
        uint256 minimum = BOARD.minimumCoverage(receipt.modelId);
        if (receipt.coverage < minimum || receipt.coverage > available) {
            revert CoverageInvalid(receipt.coverage, available);
        }
        channel.disputed += uint96(receipt.coverage);
        _claims[claimId] = Claim({
            channelId: receipt.channel,
            modelId: receipt.modelId,
            inputRoot: receipt.inputRoot,
            outputRoot: receipt.outputRoot,
            claimedAt: uint40(block.timestamp),
            coverage: uint96(receipt.coverage),
            status: ClaimStatus.Open
        });
        emit ReceiptOpened(claimId, receipt.channel, receipt.prover, receipt);
    }

    /// @inheritdoc ICoverageChannels
    function proveDoubleNonce(
        Receipt calldata receipt,
        bytes calldata signature,
        Receipt calldata other,
        bytes calldata otherSignature
    ) external {
        Channel storage channel = _channelOf(receipt);
        bytes32 claimId = _checkReceipt(receipt, signature, channel);
        bytes32 otherId = _checkReceipt(other, otherSignature, channel);
        // INVARIANT: oneReceiptPerNonce
        if (claimId == otherId || receipt.channel != other.channel || receipt.nonce != other.nonce) {
            revert NothingProven();
        }
        _claims[claimId].status = ClaimStatus.Ended;
        _claims[otherId].status = ClaimStatus.Ended;
        uint256 available = channel.lock - channel.disputed;
        uint256 amount = uint256(receipt.coverage) + other.coverage;
        if (amount > available) amount = available;
        channel.lock -= uint96(amount);
        emit DoubleNonce(receipt.channel, receipt.nonce, amount);
        Payout[] memory payouts = new Payout[](1);
        payouts[0] = Payout(channel.customer, uint128(amount / 2));
        VAULT.slash(channel.prover, amount, payouts);
    }

    /// @inheritdoc ICoverageChannels
    function settle(bytes32 claimId) external {
        Claim memory claim = _openClaim(claimId);
        if (!BOARD.isFinalSince(address(this), claimId, claim.claimedAt)) revert NotFinal(claimId);
        if (REGISTRY.termsOf(claim.modelId).illFormed) revert NotFinal(claimId);
        _claims[claimId].status = ClaimStatus.Ended;
        _channels[claim.channelId].disputed -= claim.coverage;
        emit ReceiptSettled(claimId);
    }

    /// @inheritdoc ICoverageChannels
    function voidClaim(bytes32 claimId) external {
        Claim memory claim = _openClaim(claimId);
        if (!REGISTRY.termsOf(claim.modelId).illFormed) revert NotIllFormed(claim.modelId);
        _fault(claimId, claim, new Payout[](1), 0);
    }

    function onFault(bytes32 claimId, Payout[] calldata payouts) external {
        // INVARIANT: onlyBoardFaultsReceipts
        if (msg.sender != address(BOARD)) revert NotBoard(msg.sender);
        Claim memory claim = _openClaim(claimId);
        Payout[] memory all = new Payout[](payouts.length + 1);
        uint256 paid = 0;
        for (uint256 i = 0; i < payouts.length; ++i) {
            all[i + 1] = payouts[i];
            paid += payouts[i].amount;
        }
        if (paid > claim.coverage / 4) revert PayoutsExceedQuarter(paid, claim.coverage);
        _fault(claimId, claim, all, paid);
    }

    // Reading.

    function claimOf(bytes32 claimId) external view returns (ClaimView memory view_) {
        Claim memory claim = _claims[claimId];
        if (claim.status != ClaimStatus.Open) return view_;
        return ClaimView({
            prover: _channels[claim.channelId].prover,
            modelId: claim.modelId,
            inputRoot: claim.inputRoot,
            outputRoot: claim.outputRoot,
            claimedAt: claim.claimedAt,
            coverage: claim.coverage,
            open: true
        });
    }

    /// @inheritdoc ICoverageChannels
    function channelOf(bytes32 channelId) external view returns (Channel memory) {
        return _channels[channelId];
    }

    /// @inheritdoc ICoverageChannels
    function digestOf(Receipt calldata receipt) public view returns (bytes32) {
        bytes32 domain =
            keccak256(abi.encode(DOMAIN_TYPEHASH, keccak256("Assay"), keccak256("1"), block.chainid, address(VAULT)));
        return MessageHashUtils.toTypedDataHash(domain, keccak256(abi.encode(RECEIPT_TYPEHASH, receipt)));
    }

    // The parts.

    /// The owner a key acts for, or the caller itself: either way its own free stake is what is locked.
    function _prover() private view returns (address prover) {
        prover = VAULT.proverOf(msg.sender);
        if (prover == address(0)) prover = msg.sender;
    }

    function _checkExpiry(uint40 expiry) private view {
        if (expiry <= block.timestamp || expiry > block.timestamp + MAX_DURATION) revert ExpiryInvalid();
    }

    function _known(bytes32 channelId) private view returns (Channel storage channel) {
        channel = _channels[channelId];
        if (channel.prover == address(0)) revert ChannelUnknown(channelId);
    }

    function _openClaim(bytes32 claimId) private view returns (Claim memory claim) {
        claim = _claims[claimId];
        // INVARIANT: oneVerdictPerReceipt
        if (claim.status != ClaimStatus.Open) revert ClaimNotOpen(claimId);
    }

    function _channelOf(Receipt calldata receipt) private view returns (Channel storage channel) {
        channel = _known(receipt.channel);
        // INVARIANT: onlyTheCustomerOpens
        if (msg.sender != channel.customer) revert NotCustomer(msg.sender);
    }

    /// A receipt of this channel, signed by a key of its prover, not opened before, and not expired.
    function _checkReceipt(Receipt calldata receipt, bytes calldata signature, Channel storage channel)
        private
        view
        returns (bytes32 claimId)
    {
        if (receipt.prover != channel.prover || receipt.expiry > channel.expiry) revert ReceiptNotOfChannel();
        if (block.timestamp > receipt.expiry) revert ReceiptExpired(receipt.expiry);
        claimId = digestOf(receipt);
        // INVARIANT: receiptsOpenOnce
        if (_claims[claimId].status != ClaimStatus.None) revert AlreadyOpened(claimId);
        (address key, ECDSA.RecoverError failure,) = ECDSA.tryRecover(claimId, signature);
        (address owner, uint64 retiredAt) = VAULT.bindingOf(key);
        bool bound = failure == ECDSA.RecoverError.NoError && owner == receipt.prover;
        // INVARIANT: onlyKeysOfTheTime
        if (!bound || (retiredAt != 0 && receipt.issuedAt >= retiredAt)) revert SignatureInvalid();
    }

    /// @param payouts the first is still empty: the customer's, what the finders leave of half the coverage
    function _fault(bytes32 claimId, Claim memory claim, Payout[] memory payouts, uint256 paid) private {
        Channel storage channel = _channels[claim.channelId];
        _claims[claimId].status = ClaimStatus.Ended;
        // INVARIANT: aFaultDebitsItsCoverageOnly
        channel.lock -= claim.coverage;
        channel.disputed -= claim.coverage;
        emit ReceiptFaulted(claimId, claim.coverage);
        payouts[0] = Payout(channel.customer, uint128(claim.coverage / 2 - paid));
        VAULT.slash(channel.prover, claim.coverage, payouts);
    }
}
