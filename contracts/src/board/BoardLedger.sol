// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IClaimBoard} from "../interfaces/IClaimBoard.sol";
import {IFeeSource} from "../interfaces/IFeeSource.sol";

/// @title Credits by pull, and the fee that prices are computed with.
abstract contract BoardLedger is IClaimBoard {
    IFeeSource internal immutable FEE_SOURCE;
    uint256 internal immutable MINIMUM_FEE;
    uint256 internal immutable MAXIMUM_FEE;

    /// @dev The board's balance is the sum of all credits and of the escrow of all open demands.
    mapping(address => uint256) internal credits;

    error FeeBoundsInvalid();

    /// @param feeSource what reads the fee; 0 for `block.basefee`
    /// @param minimumFee wei per gas; keeps harassment from being free where the base fee is near zero
    /// @param maximumFee wei per gas; bounds what a challenger escrows and what a lock must cover
    constructor(IFeeSource feeSource, uint256 minimumFee, uint256 maximumFee) {
        if (minimumFee == 0 || minimumFee > maximumFee || maximumFee > type(uint48).max) revert FeeBoundsInvalid();
        FEE_SOURCE = feeSource;
        MINIMUM_FEE = minimumFee;
        MAXIMUM_FEE = maximumFee;
    }

    /// @inheritdoc IClaimBoard
    function feePerGas() public view returns (uint256 fee) {
        // INVARIANT: TipDrainsNothing. The fee never depends on the transaction's own price, which its sender and a proposer choose.
        fee = address(FEE_SOURCE) == address(0) ? block.basefee : FEE_SOURCE.feePerGas();
        if (fee < MINIMUM_FEE) return MINIMUM_FEE;
        if (fee > MAXIMUM_FEE) return MAXIMUM_FEE;
    }

    /// @inheritdoc IClaimBoard
    function creditOf(address account) external view returns (uint256) {
        return credits[account];
    }

    /// @inheritdoc IClaimBoard
    function withdraw(address account) external {
        uint256 amount = credits[account];
        // INVARIANT: Solvency. The credit is gone before the ether leaves.
        credits[account] = 0;
        (bool sent,) = account.call{value: amount}("");
        if (!sent) revert TransferFailed(account);
        emit CreditWithdrawn(account, amount);
    }

    /// @dev Takes the price from the ether sent and the caller's credit; the rest stays credited.
    function _charge(uint256 price) internal {
        uint256 available = credits[msg.sender] + msg.value;
        if (available < price) revert EscrowTooLow(price, available);
        // Exactly paid, the common case, writes nothing.
        if (price != msg.value) credits[msg.sender] = available - price;
    }

    function _credit(address account, uint256 amount) internal {
        if (amount > 0) credits[account] += amount;
    }
}
