// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Phase} from "../../src/interfaces/IClaimBoard.sol";
import {vm} from "../Assertions.sol";
import {Base} from "../Base.sol";
import {BoardHandler} from "./BoardHandler.sol";

/// @notice What holds whatever anybody does, in whatever order, at whatever time. A call builds proofs in Solidity and takes
/// milliseconds, so the everyday profiles run few; `long` runs half a million.
/// forge-config: default.invariant.runs = 4
/// forge-config: default.invariant.depth = 64
/// forge-config: ci.invariant.runs = 8
/// forge-config: ci.invariant.depth = 64
/// forge-config: long.invariant.runs = 400
/// forge-config: long.invariant.depth = 256
contract ClaimBoardInvariantsTest is Base {
    BoardHandler internal handler;

    function setUp() public {
        // From the artifact: `new` would compile it once more into this test.
        bytes memory code = vm.getCode("BoardHandler.sol:BoardHandler");
        address created;
        assembly {
            created := create(0, add(code, 32), mload(code))
        }
        handler = BoardHandler(created);
        handler.start();
        targetContract(address(handler));
        bytes4[] memory selectors = new bytes4[](9);
        // Time passes as often as anything else happens.
        (selectors[0], selectors[1]) = (handler.pass.selector, handler.pass.selector);
        selectors[2] = handler.press.selector;
        selectors[3] = handler.answerAnything.selector;
        selectors[4] = handler.expireAnything.selector;
        selectors[5] = handler.shamFault.selector;
        selectors[6] = handler.takeEscrow.selector;
        selectors[7] = handler.takeCredit.selector;
        selectors[8] = handler.changeFee.selector;
        targetSelectors(address(handler), selectors);
    }

    /// The board holds exactly what it owes.
    function invariant_Solvency() public view {
        assertEq(address(handler.theBoard()).balance, handler.owed());
    }

    /// A right claim whose demands are answered in time never loses.
    function invariant_HonestSafety() public view {
        assertEq(handler.faultsOf(handler.RIGHT()), 0);
    }

    /// A wrong claim with one challenger is shown wrong before it could be final, whatever others do or withhold.
    function invariant_Detectability() public view {
        assertFalse(handler.isFinal(handler.WRONG()));
        if (handler.everythingEnds()) assertEq(handler.faultsOf(handler.WRONG()), 1);
    }

    /// After the constant, a claim whose demands are answered is final; before the window, none is.
    function invariant_BoundedTime() public view {
        bool isFinal = handler.isFinal(handler.RIGHT());
        if (handler.everythingEnds()) assertTrue(isFinal || _waits(), "neither final nor waiting for an answer");
        if (nowTime() <= handler.claimedAt() + 1 days) assertFalse(isFinal);
    }

    function invariant_OneTrace() public view {
        assertFalse(handler.traceChanged());
    }

    function _waits() private view returns (bool) {
        return handler.theBoard().disputeOf(handler.theSource(), handler.RIGHT()).unanswered > 0;
    }
}
