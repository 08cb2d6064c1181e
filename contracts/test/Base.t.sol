// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {vm} from "./Assertions.sol";
import {Base} from "./Base.sol";
import {Vm} from "./Vm.sol";

contract Thrower {
    error Refused(uint256 value);

    uint256 public counted;

    function refuse(uint256 value) external pure {
        revert Refused(value);
    }

    function count() external {
        require(counted < 1000, "never in a test");
        counted++;
    }

    function equal(uint256 left, uint256 right) external pure {
        vm.assertEq(left, right);
    }
}

/// @notice The base itself, so that a test which cannot fail is noticed here first.
contract BaseTest is Base {
    Thrower internal thrower;

    function setUp() public {
        thrower = new Thrower();
        targetContract(address(thrower));
        bytes4[] memory selectors = new bytes4[](1);
        selectors[0] = Thrower.count.selector;
        targetSelectors(address(thrower), selectors);
    }

    function test_failingAssertionReverts() public view {
        try thrower.equal(1, 2) {
            revert("assertEq(1, 2) let the test pass");
        } catch {}
        thrower.equal(2, 2);
    }

    function test_expectRevertMatchesTheWholeError() public {
        vm.expectRevert(abi.encodeWithSelector(Thrower.Refused.selector, 7));
        thrower.refuse(7);
        vm.expectPartialRevert(Thrower.Refused.selector);
        thrower.refuse(8);
    }

    function test_prankAndDeal() public {
        address alice = makeAddr("alice");
        (address again, uint256 key) = makeAddrAndKey("alice");
        assertEq(alice, again);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, keccak256("text"));
        assertEq(ecrecover(keccak256("text"), v, r, s), alice);
        deal(alice, 3 ether);
        assertEq(alice.balance, 3 ether);
        assertNotEq(alice, makeAddr("bob"));
    }

    function test_skipMovesTimeAndBlocks() public {
        uint256 time = nowTime();
        uint256 number = vm.getBlockNumber();
        skip(100);
        skip(1);
        assertEq(nowTime(), time + 101);
        assertEq(vm.getBlockNumber(), number + 2);
    }

    function testFuzz_boundStaysInside(uint256 value, uint256 low, uint256 high) public pure {
        if (low > high) (low, high) = (high, low);
        uint256 inside = bound(value, low, high);
        assertGe(inside, low);
        assertLe(inside, high);
    }

    function testFuzz_signedBoundStaysInside(int256 value, int256 low, int256 high) public pure {
        if (low > high) (low, high) = (high, low);
        int256 inside = bound(value, low, high);
        assertGe(inside, low);
        assertLe(inside, high);
    }

    function test_boundReachesBothEnds() public pure {
        assertEq(bound(type(uint256).max, 5, 9), 9);
        assertEq(bound(uint256(0), 5, 9), 5);
        assertEq(bound(uint256(7), 5, 9), 7);
        assertEq(bound(type(int256).min, -2, 3), -2);
        assertEq(bound(type(int256).max, -2, 3), 3);
        assertEq(bound(int256(-1), -2, 3), -1);
    }

    function invariant_onlyChosenSelectorsRun() public view {
        assertLe(thrower.counted(), 1000);
    }
}
