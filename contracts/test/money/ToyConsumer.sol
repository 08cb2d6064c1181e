// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {AnswerInfo, IAnswerReceiver} from "../../src/interfaces/IAnswerReceiver.sol";
import {IRequests, RequestTerms} from "../../src/interfaces/IRequests.sol";
import {IStakeVault} from "../../src/interfaces/IStakeVault.sol";

/// @notice A contract that asks, and misbehaves in its callback as a test tells it to.
contract ToyConsumer is IAnswerReceiver {
    enum Mood {
        Accept,
        Revert,
        BurnGas,
        ReturnBomb,
        Reenter
    }

    IRequests public immutable REQUESTS;
    Mood public mood;
    bytes public reentry;
    bool public reentered;
    bytes public reentryError;

    uint256 public calls;
    uint256 public finalCalls;
    AnswerInfo public last;
    bytes public lastOutput;
    uint256 public gasSeen;

    constructor(IRequests requests) {
        REQUESTS = requests;
    }

    receive() external payable {
        if (mood == Mood.Reenter) _reenter();
    }

    function setMood(Mood next) external {
        mood = next;
    }

    /// @notice Call that the next callback, or payment, makes back into the requests contract.
    function setReentry(bytes calldata data) external {
        reentry = data;
        reentered = false;
        mood = Mood.Reenter;
    }

    function ask(RequestTerms calldata terms, bytes calldata input) external payable returns (uint256) {
        return REQUESTS.request{value: msg.value}(terms, input);
    }

    function collect() external returns (uint256) {
        return REQUESTS.collect(address(this));
    }

    function withdrawStake(IStakeVault vault) external returns (uint256 amount) {
        amount = vault.freeOf(address(this));
        vault.withdraw(amount, address(this));
    }

    function onAnswer(AnswerInfo calldata answer, bytes calldata output) external {
        require(msg.sender == address(REQUESTS));
        gasSeen = gasleft();
        if (mood == Mood.Revert) revert("no");
        if (mood == Mood.BurnGas) {
            while (true) {}
        }
        if (mood == Mood.ReturnBomb) {
            assembly {
                revert(0, 1000000)
            }
        }
        calls += 1;
        if (answer.isFinal) finalCalls += 1;
        last = answer;
        lastOutput = output;
        if (mood == Mood.Reenter) _reenter();
    }

    function _reenter() private {
        if (reentered) return;
        reentered = true;
        (bool success, bytes memory data) = address(REQUESTS).call(reentry);
        require(!success, "the re-entrance went through");
        reentryError = data;
    }
}
