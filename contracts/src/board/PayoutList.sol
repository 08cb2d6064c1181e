// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Payout} from "../interfaces/IClaimSource.sol";

/// @title A short list of payouts with a cap on their sum: what comes first is paid first, what exceeds the cap is cut.
library PayoutList {
    /// Roots, at most six heights and a leaf, the reward: nine at most.
    uint256 internal constant MOST = 16;

    struct List {
        Payout[] entries;
        uint256 count;
        uint256 left;
    }

    /// @param cap wei that all payouts together may reach
    function create(uint256 cap) internal pure returns (List memory list) {
        list.entries = new Payout[](MOST);
        list.left = cap;
    }

    /// @notice Adds a payout, joined with an earlier one to the same account.
    function add(List memory list, address to, uint256 amount) internal pure {
        if (amount > list.left) amount = list.left;
        if (amount == 0) return;
        list.left -= amount;
        uint256 i = 0;
        while (i < list.count && list.entries[i].to != to) ++i;
        if (i == list.count) {
            list.entries[i].to = to;
            ++list.count;
        }
        // casting to 'uint128' is safe because the cap is a part of a lock, which is a uint128
        // forge-lint: disable-next-line(unsafe-typecast)
        list.entries[i].amount += uint128(amount);
    }

    /// @return entries the payouts, without unused places
    function trimmed(List memory list) internal pure returns (Payout[] memory entries) {
        entries = list.entries;
        uint256 count = list.count;
        assembly ("memory-safe") {
            mstore(entries, count)
        }
    }
}
