// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice What the claim board needs to know of a claim, whoever recorded it.
/// @param prover owner address of the prover whose lock answers for the claim
/// @param modelId identity of the model (ModelTypes.sol)
/// @param inputRoot keccak(0x03 ‖ tensor roots of the inputs)
/// @param outputRoot keccak(0x03 ‖ tensor roots of the outputs)
/// @param claimedAt time of the claim, seconds
/// @param coverage the lock behind it, wei
/// @param open false once final or faulted, and for unknown claims
struct ClaimView {
    address prover;
    bytes32 modelId;
    bytes32 inputRoot;
    bytes32 outputRoot;
    uint64 claimedAt;
    uint128 coverage;
    bool open;
}

/// @notice One payment out of a slashed lock.
struct Payout {
    address to;
    uint128 amount;
}

/// @title A contract whose claims the board judges: requests now, coverage channels for receipts.
interface IClaimSource {
    /// @return the claim; `open` is false for unknown ones
    function claimOf(bytes32 claimId) external view returns (ClaimView memory);

    /// @notice Called by the board, once, when a claim is proven wrong or wrong by rule.
    /// The source slashes exactly the claim's lock: `payouts` (at most a quarter of it in all), its own customer's share, the rest burned.
    /// @param payouts costs and reward of those who showed the fault; at most 16
    function onFault(bytes32 claimId, Payout[] calldata payouts) external;
}
