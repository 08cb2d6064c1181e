// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title What a unit of gas costs on this network, the price of publishing data included.
/// @notice For networks whose `block.basefee` is not the whole price (rollups). Immutable, without an owner: the board trusts it.
interface IFeeSource {
    /// @return wei that answering a demand now costs per unit of execution gas, tips left out
    function feePerGas() external view returns (uint256);
}
