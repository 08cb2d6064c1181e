// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice What a model may do to a value. All amounts with 18 decimals, times in seconds.
/// @param low least value, whatever the model says
/// @param high greatest value
/// @param changePerSecond most that the value moves in a second
/// @param mostChange most that it moves in one update, however long the pause was
/// @param maxAge age of the input at which a value is no longer believed
/// @param fallbackValue what holds when there is no fresh value; within [low, high]
struct Limits {
    uint128 low;
    uint128 high;
    uint128 changePerSecond;
    uint128 mostChange;
    uint40 maxAge;
    uint128 fallbackValue;
}

/// @notice A guarded value. It starts at the fallback.
struct Guarded {
    uint128 value;
    uint40 inputTimestamp;
    uint40 updatedAt;
}

/// @title Keeps what a model moves inside fixed bounds: a wrong, bought or missing answer changes little, slowly, and not for long.
library Guardrails {
    error LimitsInvalid();

    function check(Limits memory limits) internal pure {
        bool ordered = limits.low <= limits.fallbackValue && limits.fallbackValue <= limits.high;
        if (!ordered || limits.maxAge == 0) revert LimitsInvalid();
    }

    function start(Guarded storage guarded, Limits memory limits) internal {
        guarded.value = limits.fallbackValue;
        guarded.updatedAt = uint40(block.timestamp);
    }

    /// @notice Moves the value towards an answer as far as the limits allow.
    /// @param target the model's answer with 18 decimals, any integer
    /// @param inputTimestamp of the answer: older than what was taken before, or than maxAge, and it is left out
    /// @return moved whether the answer was taken
    function update(Guarded storage guarded, Limits memory limits, int256 target, uint40 inputTimestamp)
        internal
        returns (bool moved)
    {
        // INVARIANT: staleAnswersMoveNothing
        if (inputTimestamp > block.timestamp || inputTimestamp <= guarded.inputTimestamp) return false;
        if (block.timestamp - inputTimestamp > limits.maxAge) return false;
        // A value that is no longer believed is not where the next one starts from: what held meanwhile is.
        uint256 from = current(guarded, limits);
        uint256 to = target < int256(uint256(limits.low))
            ? limits.low
            : target > int256(uint256(limits.high)) ? limits.high : uint256(target);
        // INVARIANT: answersMoveSlowly
        uint256 allowed = uint256(limits.changePerSecond) * (block.timestamp - guarded.updatedAt);
        if (allowed > limits.mostChange) allowed = limits.mostChange;
        if (to > from + allowed) to = from + allowed;
        else if (to + allowed < from) to = from - allowed;
        guarded.value = uint128(to);
        guarded.inputTimestamp = inputTimestamp;
        guarded.updatedAt = uint40(block.timestamp);
        return true;
    }

    /// @return the value in force: the guarded one while it is fresh, else the fallback; always within [low, high]
    function current(Guarded storage guarded, Limits memory limits) internal view returns (uint256) {
        // INVARIANT: absentAnswersFallBack
        if (block.timestamp > uint256(guarded.inputTimestamp) + limits.maxAge) return limits.fallbackValue;
        return guarded.value;
    }
}
