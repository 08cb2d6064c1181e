// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Payout} from "./IClaimSource.sol";

/// @title Stake in ether: a free balance a prover withdraws at will, and locks that back one liability each.
/// @notice Only the two claim sources, fixed at deployment, lock, release and slash. Each liability's amount is kept by the
/// source that made it; the vault keeps, for every prover, the sum of each source's locks, so no source reaches the other's.
interface IStakeVault {
    event Deposited(address indexed owner, address indexed from, uint256 amount);
    event Withdrawn(address indexed owner, address indexed to, uint256 amount);
    event Locked(address indexed owner, address indexed source, uint256 amount);
    event Released(address indexed owner, address indexed source, uint256 amount);
    /// @notice payouts + burned = amount of the lock
    event Slashed(address indexed owner, address indexed source, uint256 amount, uint256 paid, uint256 burned);
    event Credited(address indexed to, uint256 amount);
    event KeyAdded(address indexed owner, address indexed key);
    event KeyRetired(address indexed owner, address indexed key);

    error NotSource(address caller);
    error InsufficientFreeStake(address owner, uint256 free, uint256 needed);
    error PayoutsExceedHalf(uint256 payouts, uint256 lock);
    error KeyTaken(address key, address owner);
    error KeySignatureInvalid(address key);
    error KeyIsOwner();
    error NotKeyOf(address owner, address key);
    error TransferFailed(address to);
    error ZeroAddress();

    /// @notice Adds the ether sent to the free balance of `owner`.
    function deposit(address owner) external payable;

    /// @notice Pays out of the caller's free balance: stake, and what slashes paid to it. No exit queue: locks back every
    /// liability, free stake backs none.
    function withdraw(uint256 amount, address to) external;

    /// @notice Binds a hot signing key to the calling owner, for good. Bindings are append-only: one key, one owner, ever.
    /// @param signature 65-byte ECDSA signature by `key`, low s, over `keyDigest(owner, key)`: nobody binds another's key
    function addKey(address key, bytes calldata signature) external;

    /// @notice Ends a key's right to make new claims, from this block on. What it signed before stays binding.
    function retireKey(address key) external;

    /// @return EIP-712 digest that `key` signs to be bound to `owner`
    function keyDigest(address owner, address key) external view returns (bytes32);

    /// @return owner the prover a key acts for now; 0 when unknown or retired
    function proverOf(address key) external view returns (address owner);

    /// @return owner to whom the key is bound, retired or not; 0 when unknown
    /// @return retiredAt time of retirement, 0 while active
    function bindingOf(address key) external view returns (address owner, uint64 retiredAt);

    function freeOf(address owner) external view returns (uint256);

    /// @return sum of the locks of one source on one prover
    function lockedOf(address owner, address source) external view returns (uint256);

    /// @notice Source only: moves free stake into the source's locks. Reverts InsufficientFreeStake.
    function lock(address owner, uint256 amount) external;

    /// @notice Source only: moves a lock, or a sum of locks, back to free stake.
    function release(address owner, uint256 amount) external;

    /// @notice Source only: ends one lock of `amount`: payouts are credited to free balances (pull), the rest is burned.
    /// @param payouts at most half of the lock in all
    function slash(address owner, uint256 amount, Payout[] calldata payouts) external;
}
