// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {StakeVault} from "../../src/StakeVault.sol";
import {Payout} from "../../src/interfaces/IClaimSource.sol";
import {IStakeVault} from "../../src/interfaces/IStakeVault.sol";
import {vm} from "../Assertions.sol";
import {Base} from "../Base.sol";

contract StakeVaultTest is Base {
    address private constant REQUESTS = address(0x1111);
    address private constant CHANNELS = address(0x2222);
    StakeVault private vault;
    address private owner;
    address private finder;

    function setUp() public {
        vault = new StakeVault(REQUESTS, CHANNELS);
        owner = makeAddr("owner");
        finder = makeAddr("finder");
        vm.deal(address(this), 100 ether);
        vault.deposit{value: 10 ether}(owner);
    }

    function _lock(address source, uint256 amount) private {
        vm.prank(source);
        vault.lock(owner, amount);
    }

    function test_withdrawAtWillWhatIsFree() public {
        vm.prank(owner);
        vault.withdraw(10 ether, finder);
        assertEq(finder.balance, 10 ether);
        assertEq(vault.freeOf(owner), 0);
    }

    /// Stake leaving before the window ends: a lock is not free, whatever is.
    function test_withdrawLeavesLocks() public {
        _lock(REQUESTS, 4 ether);
        vm.prank(owner);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.InsufficientFreeStake.selector, owner, 6 ether, 6 ether + 1));
        vault.withdraw(6 ether + 1, owner);
        vm.prank(owner);
        vault.withdraw(6 ether, owner);
        assertEq(vault.lockedOf(owner, REQUESTS), 4 ether);
        assertEq(address(vault).balance, 4 ether);
    }

    function test_locksAreBacked() public {
        vm.prank(REQUESTS);
        vm.expectRevert(
            abi.encodeWithSelector(IStakeVault.InsufficientFreeStake.selector, owner, 10 ether, 10 ether + 1)
        );
        vault.lock(owner, 10 ether + 1);
        _lock(REQUESTS, 10 ether);
        assertEq(vault.freeOf(owner), 0);
    }

    function test_onlySourcesLock() public {
        Payout[] memory none = new Payout[](0);
        address[3] memory callers = [address(this), owner, address(vault)];
        for (uint256 i = 0; i < callers.length; ++i) {
            vm.startPrank(callers[i]);
            vm.expectRevert(abi.encodeWithSelector(IStakeVault.NotSource.selector, callers[i]));
            vault.lock(owner, 1);
            vm.expectRevert(abi.encodeWithSelector(IStakeVault.NotSource.selector, callers[i]));
            vault.release(owner, 1);
            vm.expectRevert(abi.encodeWithSelector(IStakeVault.NotSource.selector, callers[i]));
            vault.slash(owner, 1, none);
            vm.stopPrank();
        }
    }

    /// Drain of one lock through another liability: each source has its own sum, and free stake answers for nothing.
    function test_sourceReachesOwnLocksOnly() public {
        _lock(REQUESTS, 3 ether);
        _lock(CHANNELS, 2 ether);
        Payout[] memory none = new Payout[](0);
        vm.startPrank(CHANNELS);
        vm.expectRevert();
        vault.slash(owner, 2 ether + 1, none);
        vm.expectRevert();
        vault.release(owner, 2 ether + 1);
        vault.slash(owner, 2 ether, none);
        vm.stopPrank();
        assertEq(vault.lockedOf(owner, REQUESTS), 3 ether);
        assertEq(vault.lockedOf(owner, CHANNELS), 0);
        assertEq(vault.freeOf(owner), 5 ether);
    }

    function test_SlashArithmetic_payoutsAndBurnMakeTheLock(uint256 lock, uint256 first, uint256 second) public {
        lock = bound(lock, 0, 10 ether);
        first = bound(first, 0, lock / 2);
        second = bound(second, 0, lock / 2 - first);
        _lock(REQUESTS, lock);
        Payout[] memory payouts = new Payout[](2);
        payouts[0] = Payout(finder, uint128(first));
        payouts[1] = Payout(owner, uint128(second));
        uint256 burnedBefore = address(0).balance;
        vm.expectEmit();
        emit IStakeVault.Slashed(owner, REQUESTS, lock, first + second, lock - first - second);
        vm.prank(REQUESTS);
        vault.slash(owner, lock, payouts);
        assertEq(vault.freeOf(finder), first);
        assertEq(vault.freeOf(owner), 10 ether - lock + second);
        assertEq(address(0).balance - burnedBefore, lock - first - second);
        assertEq(address(vault).balance, vault.freeOf(finder) + vault.freeOf(owner));
    }

    function test_slashPaysAtMostHalf() public {
        _lock(REQUESTS, 5 ether);
        Payout[] memory payouts = new Payout[](1);
        payouts[0] = Payout(finder, uint128(2.5 ether + 1));
        vm.prank(REQUESTS);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.PayoutsExceedHalf.selector, 2.5 ether + 1, 5 ether));
        vault.slash(owner, 5 ether, payouts);
        payouts[0].amount -= 1;
        vm.prank(REQUESTS);
        vault.slash(owner, 5 ether, payouts);
    }

    // Keys.

    function _signed(address for_, uint256 secret) private view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(secret, vault.keyDigest(for_, vm.addr(secret)));
        return abi.encodePacked(r, s, v);
    }

    function test_keysBindByTheirOwnSignature() public {
        (address key, uint256 secret) = makeAddrAndKey("key");
        bytes memory signature = _signed(owner, secret);
        // Somebody else with the same signature binds nothing.
        vm.prank(finder);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.KeySignatureInvalid.selector, key));
        vault.addKey(key, signature);
        vm.prank(owner);
        vault.addKey(key, signature);
        assertEq(vault.proverOf(key), owner);
    }

    function test_keyBindingsAppendOnly() public {
        (address key, uint256 secret) = makeAddrAndKey("key");
        bytes memory signature = _signed(owner, secret);
        bytes memory other = _signed(finder, secret);
        vm.prank(owner);
        vault.addKey(key, signature);
        vm.prank(finder);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.KeyTaken.selector, key, owner));
        vault.addKey(key, other);
        vm.prank(owner);
        vault.retireKey(key);
        assertEq(vault.proverOf(key), address(0));
        (address bound, uint64 retiredAt) = vault.bindingOf(key);
        assertEq(bound, owner);
        assertEq(retiredAt, nowTime());
        vm.prank(owner);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.KeyTaken.selector, key, owner));
        vault.addKey(key, signature);
        vm.prank(owner);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.NotKeyOf.selector, owner, key));
        vault.retireKey(key);
    }

    function test_onlyTheOwnerRetires() public {
        (address key, uint256 secret) = makeAddrAndKey("key");
        bytes memory signature = _signed(owner, secret);
        vm.prank(owner);
        vault.addKey(key, signature);
        vm.prank(key);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.NotKeyOf.selector, key, key));
        vault.retireKey(key);
    }

    function test_ownerIsNoHotKey() public {
        bytes memory signature = _signed(owner, uint256(keccak256("owner")));
        vm.prank(owner);
        vm.expectRevert(IStakeVault.KeyIsOwner.selector);
        vault.addKey(owner, signature);
    }

    function test_signaturesAreCanonical() public {
        (address key, uint256 secret) = makeAddrAndKey("key");
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(secret, vault.keyDigest(owner, key));
        uint256 order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;
        bytes memory high = abi.encodePacked(r, bytes32(order - uint256(s)), v == 27 ? uint8(28) : uint8(27));
        vm.startPrank(owner);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.KeySignatureInvalid.selector, key));
        vault.addKey(key, high);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.KeySignatureInvalid.selector, key));
        vault.addKey(key, "");
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.KeySignatureInvalid.selector, address(0)));
        vault.addKey(address(0), new bytes(65));
        vm.stopPrank();
    }

    /// A binding of another chain or another vault is none here.
    function test_NoReplay_bindingsOfAnotherVault() public {
        (address key, uint256 secret) = makeAddrAndKey("key");
        StakeVault twin = new StakeVault(REQUESTS, CHANNELS);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(secret, twin.keyDigest(owner, key));
        vm.prank(owner);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.KeySignatureInvalid.selector, key));
        vault.addKey(key, abi.encodePacked(r, s, v));
        bytes memory here = _signed(owner, secret);
        vm.chainId(5);
        vm.prank(owner);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.KeySignatureInvalid.selector, key));
        vault.addKey(key, here);
    }

    function test_sourcesMustDiffer() public {
        vm.expectRevert(IStakeVault.ZeroAddress.selector);
        new StakeVault(address(0), CHANNELS);
        vm.expectRevert(IStakeVault.ZeroAddress.selector);
        new StakeVault(REQUESTS, REQUESTS);
        vm.expectRevert(IStakeVault.ZeroAddress.selector);
        vault.deposit{value: 1}(address(0));
    }
}
