// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IClaimSource} from "./IClaimSource.sol";

/// @notice An answer given off chain, as a prover's key signs it (EIP-712; domain: name "Assay", version "1", the chain, the stake
/// vault). verifier/receipt.ts is the same in TypeScript.
/// @param channel the coverage channel it draws on; 0 when unsecured: no lock answers for it
/// @param nonce counts the channel's receipts; two receipts with one nonce cost the prover both coverages
/// @param coverage wei of the channel's lock that answer for this receipt
/// @param outstanding running sum of unexpired coverage, this one included; the customer compares it with the lock
/// @param expiry last second at which the receipt can be opened
struct Receipt {
    address prover;
    bytes32 modelId;
    bytes32 inputRoot;
    bytes32 outputRoot;
    uint64 issuedAt;
    bytes32 channel;
    uint64 nonce;
    uint128 coverage;
    uint128 outstanding;
    uint64 expiry;
}

/// @param lock wei that answer for the channel's receipts, those of open claims included
/// @param disputed wei of the lock that open claims hold
/// @param expiry no receipt opens later
struct Channel {
    address prover;
    uint40 expiry;
    address customer;
    uint96 lock;
    uint96 disputed;
}

/// @title Coverage for answers given off chain: a lock for one customer, whose receipts are disputed on the board like claims.
/// @notice Claim ids on the board are receipt digests. Only the channel's customer opens a receipt, which starts the board's clock.
interface ICoverageChannels is IClaimSource {
    event ChannelOpened(
        bytes32 indexed channelId, address indexed prover, address indexed customer, uint256 lock, uint256 expiry
    );
    event ChannelRenewed(bytes32 indexed channelId, uint256 lock, uint256 expiry);
    event ChannelClosed(bytes32 indexed channelId, uint256 released);
    event ReceiptOpened(bytes32 indexed claimId, bytes32 indexed channelId, address indexed prover, Receipt receipt);
    event ReceiptSettled(bytes32 indexed claimId);
    event ReceiptFaulted(bytes32 indexed claimId, uint256 coverage);
    event DoubleNonce(bytes32 indexed channelId, uint64 nonce, uint256 slashed);

    error ChannelUnknown(bytes32 channelId);
    error ChannelStillOpen(bytes32 channelId);
    error ExpiryInvalid();
    error AmountInvalid();
    error NotCustomer(address caller);
    error NotProver(address caller);
    error ReceiptExpired(uint256 expiry);
    error ReceiptNotOfChannel();
    error SignatureInvalid();
    error CoverageInvalid(uint256 coverage, uint256 available);
    error ModelUnknown(bytes32 modelId);
    error AlreadyOpened(bytes32 claimId);
    error ClaimNotOpen(bytes32 claimId);
    error NotFinal(bytes32 claimId);
    error NotBoard(address caller);
    error NotIllFormed(bytes32 modelId);
    error PayoutsExceedQuarter(uint256 payouts, uint256 coverage);
    error NothingProven();

    /// @notice Locks free stake for one customer. From the prover or one of its active keys.
    /// @param expiry seconds, in the future, at most a year ahead
    /// @return channelId names prover and customer, so that no reorganisation makes it another's
    function open(address customer, uint96 amount, uint40 expiry) external returns (bytes32 channelId);

    /// @notice Adds to the lock, or moves the expiry; neither ever shrinks. From the prover or one of its active keys.
    function renew(bytes32 channelId, uint96 added, uint40 expiry) external;

    /// @notice Releases the lock of a channel past its expiry with no claim open. Anybody.
    function close(bytes32 channelId) external;

    /// @notice Makes a receipt a claim on the board. From the channel's customer, until the receipt's expiry, while the registry
    /// knows the model: without its record not even a right answer could be defended.
    /// @param signature 65 bytes, low s, by a key bound to the prover and not retired when the receipt was issued
    /// @return claimId the receipt's digest
    function openReceipt(Receipt calldata receipt, bytes calldata signature) external returns (bytes32 claimId);

    /// @notice Slashes the coverage of two different receipts with one nonce; neither may be open. From the channel's customer.
    function proveDoubleNonce(
        Receipt calldata receipt,
        bytes calldata signature,
        Receipt calldata other,
        bytes calldata otherSignature
    ) external;

    /// @notice Ends a claim that the board calls final: its coverage backs other receipts again. Anybody.
    function settle(bytes32 claimId) external;

    /// @notice Slashes an open claim on a model that was shown to break the rules. Anybody.
    function voidClaim(bytes32 claimId) external;

    /// @return digest that the prover's key signs
    function digestOf(Receipt calldata receipt) external view returns (bytes32);

    function channelOf(bytes32 channelId) external view returns (Channel memory);
}
