// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Phase} from "../../src/interfaces/IClaimBoard.sol";
import {vm} from "../Assertions.sol";
import {Base} from "../Base.sol";
import {BoardHandler} from "./BoardHandler.sol";

/// @notice What holds whatever anybody does, in whatever order, at whatever time. A call builds proofs in Solidity and takes
/// milliseconds, so the everyday profiles run few; `long` makes half a million.
/// forge-config: default.invariant.runs = 4
/// forge-config: default.invariant.depth = 64
/// forge-config: ci.invariant.runs = 8
/// forge-config: ci.invariant.depth = 64
/// forge-config: long.invariant.runs = 8
/// forge-config: long.invariant.depth = 64
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

    /// Who demands pays for the answer, whoever demands and whatever the fee does within its bounds.
    function invariant_HarassmentPays() public view {
        assertFalse(handler.underpaid());
    }

    /// No move takes more than a quarter of the transaction gas cap (EIP-7825), and no unit is answered or paid twice.
    function invariant_BoundedWork() public view {
        assertLe(handler.dearestMove(), (1 << 24) / 4);
        assertLe(handler.answered(), handler.demanded());
        assertLe(handler.demanded(), 2 * handler.unitCount());
    }

    /// A verdict follows from records, roots and openings: whoever asks, whenever, at whatever fee, an element has one right value.
    function invariant_StepPurity() public view {
        assertFalse(handler.impure());
    }

    /// A unit has one answer, byte for byte.
    function invariant_CanonicalEncoding() public view {
        assertFalse(handler.otherEncodingTaken());
    }

    /// All names at once, after every call: `long` makes half a million calls here instead of as many for each name.
    /// forge-config: long.invariant.runs = 2000
    /// forge-config: long.invariant.depth = 256
    function invariant_All() public view {
        invariant_Solvency();
        invariant_HonestSafety();
        invariant_Detectability();
        invariant_BoundedTime();
        invariant_OneTrace();
        invariant_HarassmentPays();
        invariant_BoundedWork();
        invariant_StepPurity();
        invariant_CanonicalEncoding();
    }

    /// Every kind of move goes through sometimes: else the invariants would hold of nothing. The moves are a fixed sequence of
    /// random ones, as the fuzzer makes them.
    function test_handlerMakesEveryMove() public {
        for (uint256 i = 0; i < 600; ++i) {
            uint256 r = uint256(keccak256(abi.encode(i)));
            uint256 kind = r % 9;
            r >>= 16;
            if (kind < 2) {
                handler.pass(r % 2 hours, r % 2 == 0);
            } else if (kind == 2) {
                handler.press(uint8(r), uint16(r >> 8), uint8(r >> 24), uint32(r >> 32), r >> 64 & 1 == 0);
            } else if (kind == 3) {
                handler.answerAnything(r >> 8, uint8(r));
            } else if (kind == 4) {
                handler.expireAnything(r);
            } else if (kind == 5) {
                handler.shamFault(uint16(r), uint32(r >> 16));
            } else if (kind == 6) {
                handler.takeEscrow(r);
            } else if (kind == 7) {
                handler.takeCredit(uint8(r));
            } else {
                handler.changeFee(r % 500 gwei);
            }
        }
        string[7] memory moves =
            ["demand", "answer", "forgery refused", "roots", "sham refused", "escrow returned", "credit taken"];
        for (uint256 i = 0; i < moves.length; ++i) {
            assertGt(handler.successes(moves[i]), 0, moves[i]);
        }
        assertEq(handler.faultsOf(handler.WRONG()), 1);
        assertEq(handler.faultsOf(handler.RIGHT()), 0);
    }

    function _waits() private view returns (bool) {
        return handler.theBoard().disputeOf(handler.theSource(), handler.RIGHT()).unanswered > 0;
    }
}
