// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {CoverageChannels} from "../../src/CoverageChannels.sol";
import {ModelRecord} from "../../src/ModelTypes.sol";
import {StakeVault} from "../../src/StakeVault.sol";
import {ClaimView, IClaimSource, Payout} from "../../src/interfaces/IClaimSource.sol";
import {Channel, ICoverageChannels, Receipt} from "../../src/interfaces/ICoverageChannels.sol";
import {IStakeVault} from "../../src/interfaces/IStakeVault.sol";
import {vm} from "../Assertions.sol";
import {MoneyBase} from "./MoneyBase.sol";

contract CoverageChannelsTest is MoneyBase {
    CoverageChannels private channels;
    address private customer;
    bytes32 private channelId;
    uint40 private expiry;

    function setUp() public override {
        super.setUp();
        address predicted = vm.computeCreateAddress(address(this), vm.getNonce(address(this)) + 1);
        vault = StakeVault(deploy("StakeVault.sol:StakeVault", abi.encode(address(requests), predicted)));
        channels = CoverageChannels(
            deploy("CoverageChannels.sol:CoverageChannels", abi.encode(registry, vault, address(board)))
        );
        assertEq(address(channels), predicted);
        (prover, hotKey, hotSecret) = newProver("channel prover", 20 ether);
        customer = makeAddr("customer");
        expiry = uint40(nowTime() + 10 days);
        vm.prank(hotKey);
        channelId = channels.open(customer, 5 ether, expiry);
    }

    function receiptOf(uint64 nonce, uint128 coverage) private view returns (Receipt memory) {
        return Receipt({
            prover: prover,
            modelId: plainModel,
            inputRoot: keccak256("input"),
            outputRoot: keccak256("output"),
            issuedAt: uint64(nowTime()),
            channel: channelId,
            nonce: nonce,
            coverage: coverage,
            outstanding: coverage,
            expiry: uint64(nowTime() + 1 days)
        });
    }

    function signed(Receipt memory receipt) private view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(hotSecret, channels.digestOf(receipt));
        return abi.encodePacked(r, s, v);
    }

    function opened(uint64 nonce, uint128 coverage) private returns (bytes32 claimId) {
        Receipt memory receipt = receiptOf(nonce, coverage);
        bytes memory signature = signed(receipt);
        vm.prank(customer);
        claimId = channels.openReceipt(receipt, signature);
    }

    function refused(Receipt memory receipt, bytes memory signature, bytes memory reason) private {
        vm.prank(customer);
        vm.expectRevert(reason);
        channels.openReceipt(receipt, signature);
    }

    /// Against the digest that viem makes of the same message (test/contracts/receipt.test.ts holds the TypeScript side to this value).
    function test_digestIsThatOfTypedData() public view {
        Receipt memory receipt = receiptOf(1, 1 ether);
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Assay"),
                keccak256("1"),
                block.chainid,
                address(vault)
            )
        );
        bytes32 body = keccak256(
            abi.encode(
                keccak256(
                    "Receipt(address prover,bytes32 modelId,bytes32 inputRoot,bytes32 outputRoot,uint64 issuedAt,bytes32 channel,uint64 nonce,uint128 coverage,uint128 outstanding,uint64 expiry)"
                ),
                receipt.prover,
                receipt.modelId,
                receipt.inputRoot,
                receipt.outputRoot,
                receipt.issuedAt,
                receipt.channel,
                receipt.nonce,
                receipt.coverage,
                receipt.outstanding,
                receipt.expiry
            )
        );
        assertEq(channels.digestOf(receipt), keccak256(abi.encodePacked(hex"1901", domain, body)));
    }

    function test_channelsLockFreeStake() public view {
        assertEq(vault.lockedOf(prover, address(channels)), 5 ether);
        assertEq(vault.freeOf(prover), 15 ether);
        Channel memory channel = channels.channelOf(channelId);
        assertEq(channel.customer, customer);
        assertEq(channel.lock, 5 ether);
    }

    /// Two channels change places in a reorganisation: neither gets the other's id, under which receipts are out already.
    function test_channelsNameTheirParties() public {
        address other = makeAddr("other customer");
        (, address rivalKey,) = newProver("rival", 2 ether);
        uint256 before = vm.snapshotState();
        vm.startPrank(hotKey);
        bytes32 first = channels.open(customer, 1 ether, expiry);
        bytes32 second = channels.open(other, 1 ether, expiry);
        vm.revertToState(before);
        vm.startPrank(hotKey);
        bytes32 swapped = channels.open(other, 1 ether, expiry);
        assertTrue(swapped != first && swapped != second);
        assertEq(channels.channelOf(first).customer, address(0));
        vm.revertToState(before);
        vm.startPrank(hotKey);
        assertEq(channels.open(customer, 1 ether, expiry), first);
        vm.stopPrank();
        vm.revertToState(before);
        vm.prank(rivalKey);
        assertTrue(channels.open(customer, 1 ether, expiry) != first);
    }

    function test_channelsNeedStakeAndTime() public {
        vm.startPrank(hotKey);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.InsufficientFreeStake.selector, prover, 15 ether, 16 ether));
        channels.open(customer, 16 ether, expiry);
        vm.expectRevert(ICoverageChannels.ExpiryInvalid.selector);
        channels.open(customer, 1 ether, uint40(nowTime()));
        vm.expectRevert(ICoverageChannels.ExpiryInvalid.selector);
        channels.open(customer, 1 ether, uint40(nowTime() + 365 days + 1));
        vm.expectRevert(ICoverageChannels.AmountInvalid.selector);
        channels.open(customer, 0, expiry);
        vm.stopPrank();
        // A stranger locks its own stake or none.
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.InsufficientFreeStake.selector, address(this), 0, 1));
        channels.open(customer, 1, expiry);
    }

    function test_renewalsOnlyLengthen() public {
        vm.prank(hotKey);
        vm.expectRevert(ICoverageChannels.ExpiryInvalid.selector);
        channels.renew(channelId, 1 ether, expiry - 1);
        vm.prank(customer);
        vm.expectRevert(abi.encodeWithSelector(ICoverageChannels.NotProver.selector, customer));
        channels.renew(channelId, 1 ether, expiry);
        vm.prank(prover);
        channels.renew(channelId, 1 ether, expiry + 1);
        assertEq(channels.channelOf(channelId).lock, 6 ether);
        assertEq(vault.lockedOf(prover, address(channels)), 6 ether);
    }

    function test_locksOutliveTheirReceipts() public {
        vm.warp(expiry);
        Receipt memory receipt = receiptOf(1, 2 ether);
        receipt.expiry = expiry;
        bytes memory signature = signed(receipt);
        vm.prank(customer);
        bytes32 claimId = channels.openReceipt(receipt, signature);
        vm.expectRevert(abi.encodeWithSelector(ICoverageChannels.ChannelStillOpen.selector, channelId));
        channels.close(channelId);
        pass();
        vm.expectRevert(abi.encodeWithSelector(ICoverageChannels.ChannelStillOpen.selector, channelId));
        channels.close(channelId);
        channels.settle(claimId);
        channels.close(channelId);
        assertEq(vault.freeOf(prover), 20 ether);
        vm.expectRevert(abi.encodeWithSelector(ICoverageChannels.ChannelUnknown.selector, channelId));
        channels.close(channelId);
    }

    function test_onlyTheCustomerOpens() public {
        Receipt memory receipt = receiptOf(1, 1 ether);
        bytes memory signature = signed(receipt);
        vm.prank(prover);
        vm.expectRevert(abi.encodeWithSelector(ICoverageChannels.NotCustomer.selector, prover));
        channels.openReceipt(receipt, signature);
    }

    /// A model whose registration a reorganisation took back has no record to defend an answer with: its receipts wait.
    function test_receiptsNameKnownModels() public {
        uint256 before = vm.snapshotState();
        ModelRecord memory r = record(0);
        r.royalty = 1;
        bytes32 modelId = registry.register(r, "", "", 0);
        vm.revertToState(before);
        Receipt memory receipt = receiptOf(1, 1 ether);
        receipt.modelId = modelId;
        bytes memory signature = signed(receipt);
        refused(receipt, signature, abi.encodeWithSelector(ICoverageChannels.ModelUnknown.selector, modelId));
        registry.register(r, "", "", 0);
        vm.prank(customer);
        channels.openReceipt(receipt, signature);
    }

    function test_openReceiptsAreClaims() public {
        bytes32 claimId = opened(1, 2 ether);
        ClaimView memory claim = channels.claimOf(claimId);
        assertTrue(claim.open);
        assertEq(claim.prover, prover);
        assertEq(claim.modelId, plainModel);
        assertEq(claim.inputRoot, keccak256("input"));
        assertEq(claim.outputRoot, keccak256("output"));
        assertEq(claim.claimedAt, nowTime());
        assertEq(claim.coverage, 2 ether);
        assertEq(channels.channelOf(channelId).disputed, 2 ether);
    }

    function test_receiptsOpenOnce() public {
        Receipt memory receipt = receiptOf(1, 1 ether);
        bytes memory signature = signed(receipt);
        bytes32 claimId = opened(1, 1 ether);
        refused(receipt, signature, abi.encodeWithSelector(ICoverageChannels.AlreadyOpened.selector, claimId));
        pass();
        channels.settle(claimId);
        refused(receipt, signature, abi.encodeWithSelector(ICoverageChannels.AlreadyOpened.selector, claimId));
        vm.expectRevert(abi.encodeWithSelector(ICoverageChannels.ClaimNotOpen.selector, claimId));
        channels.settle(claimId);
    }

    function test_receiptsOfOthers() public {
        Receipt memory receipt = receiptOf(1, 1 ether);
        receipt.prover = makeAddr("somebody");
        refused(receipt, signed(receipt), abi.encodeWithSelector(ICoverageChannels.ReceiptNotOfChannel.selector));
        receipt = receiptOf(1, 1 ether);
        receipt.expiry = expiry + 1;
        refused(receipt, signed(receipt), abi.encodeWithSelector(ICoverageChannels.ReceiptNotOfChannel.selector));
        receipt = receiptOf(1, 1 ether);
        receipt.channel = keccak256("another");
        refused(
            receipt, signed(receipt), abi.encodeWithSelector(ICoverageChannels.ChannelUnknown.selector, receipt.channel)
        );
        receipt = receiptOf(1, 1 ether);
        bytes memory signature = signed(receipt);
        vm.warp(receipt.expiry + 1);
        refused(receipt, signature, abi.encodeWithSelector(ICoverageChannels.ReceiptExpired.selector, receipt.expiry));
        vm.warp(receipt.expiry);
        vm.prank(customer);
        channels.openReceipt(receipt, signature);
    }

    function test_onlyKeysOfTheTime() public {
        Receipt memory receipt = receiptOf(1, 1 ether);
        bytes memory signature = signed(receipt);
        receipt.coverage += 1;
        refused(receipt, signature, abi.encodeWithSelector(ICoverageChannels.SignatureInvalid.selector));
        receipt.coverage -= 1;
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(uint256(keccak256("stranger")), channels.digestOf(receipt));
        refused(receipt, abi.encodePacked(r, s, v), abi.encodeWithSelector(ICoverageChannels.SignatureInvalid.selector));
        refused(receipt, "", abi.encodeWithSelector(ICoverageChannels.SignatureInvalid.selector));
        // What a key signed before it was retired binds; what it says to have signed afterwards does not.
        skip(1);
        vm.prank(prover);
        vault.retireKey(hotKey);
        Receipt memory late = receiptOf(2, 1 ether);
        refused(late, signed(late), abi.encodeWithSelector(ICoverageChannels.SignatureInvalid.selector));
        vm.prank(customer);
        channels.openReceipt(receipt, signature);
    }

    function test_everyReceiptIsWorthChallenging() public {
        Receipt memory receipt = receiptOf(1, uint128(MINIMUM_COVERAGE - 1));
        refused(
            receipt,
            signed(receipt),
            abi.encodeWithSelector(ICoverageChannels.CoverageInvalid.selector, MINIMUM_COVERAGE - 1, 5 ether)
        );
        opened(2, 4 ether);
        receipt = receiptOf(3, 1 ether + 1);
        refused(
            receipt,
            signed(receipt),
            abi.encodeWithSelector(ICoverageChannels.CoverageInvalid.selector, 1 ether + 1, 1 ether)
        );
        opened(4, 1 ether);
        receipt = receiptOf(5, type(uint128).max);
        refused(
            receipt,
            signed(receipt),
            abi.encodeWithSelector(ICoverageChannels.CoverageInvalid.selector, type(uint128).max, 0)
        );
    }

    function test_aFaultDebitsItsCoverageOnly() public {
        bytes32 first = opened(1, 2 ether);
        bytes32 second = opened(2, 2 ether);
        Payout[] memory payouts = new Payout[](1);
        payouts[0] = Payout(makeAddr("finder"), 0.5 ether + 1);
        vm.expectRevert(abi.encodeWithSelector(ICoverageChannels.PayoutsExceedQuarter.selector, 0.5 ether + 1, 2 ether));
        board.fault(IClaimSource(address(channels)), first, payouts);
        payouts[0].amount = 0.5 ether;
        uint256 burned = address(0).balance;
        board.fault(IClaimSource(address(channels)), first, payouts);
        assertEq(vault.freeOf(makeAddr("finder")), 0.5 ether);
        assertEq(vault.freeOf(customer), 0.5 ether);
        assertEq(address(0).balance - burned, 1 ether);
        assertEq(vault.lockedOf(prover, address(channels)), 3 ether);
        assertEq(channels.channelOf(channelId).lock, 3 ether);
        assertTrue(channels.claimOf(second).open);
        vm.expectRevert(abi.encodeWithSelector(ICoverageChannels.ClaimNotOpen.selector, first));
        board.fault(IClaimSource(address(channels)), first, payouts);
        pass();
        channels.settle(second);
        assertEq(vault.freeOf(prover), 15 ether);
    }

    function test_onlyBoardFaultsReceipts() public {
        bytes32 claimId = opened(1, 2 ether);
        vm.expectRevert(abi.encodeWithSelector(ICoverageChannels.NotBoard.selector, address(this)));
        channels.onFault(claimId, new Payout[](0));
        vm.expectRevert(abi.encodeWithSelector(ICoverageChannels.NotIllFormed.selector, plainModel));
        channels.voidClaim(claimId);
        vm.expectRevert(abi.encodeWithSelector(ICoverageChannels.NotFinal.selector, claimId));
        channels.settle(claimId);
    }

    function test_oneReceiptPerNonce() public {
        Receipt memory receipt = receiptOf(7, 1 ether);
        Receipt memory other = receiptOf(7, 2 ether);
        bytes memory signature = signed(receipt);
        bytes memory otherSignature = signed(other);
        Receipt memory next = receiptOf(8, 2 ether);
        bytes memory nextSignature = signed(next);
        vm.startPrank(customer);
        vm.expectRevert(ICoverageChannels.NothingProven.selector);
        channels.proveDoubleNonce(receipt, signature, receipt, signature);
        vm.expectRevert(ICoverageChannels.NothingProven.selector);
        channels.proveDoubleNonce(receipt, signature, next, nextSignature);
        vm.expectRevert(ICoverageChannels.SignatureInvalid.selector);
        channels.proveDoubleNonce(receipt, signature, other, nextSignature);
        channels.proveDoubleNonce(receipt, signature, other, otherSignature);
        assertEq(vault.lockedOf(prover, address(channels)), 2 ether);
        assertEq(vault.freeOf(customer), 1.5 ether);
        bytes32 claimId = channels.digestOf(receipt);
        vm.expectRevert(abi.encodeWithSelector(ICoverageChannels.AlreadyOpened.selector, claimId));
        channels.proveDoubleNonce(receipt, signature, other, otherSignature);
        vm.expectRevert(abi.encodeWithSelector(ICoverageChannels.AlreadyOpened.selector, claimId));
        channels.openReceipt(receipt, signature);
        vm.stopPrank();
        vm.prank(prover);
        vm.expectRevert(abi.encodeWithSelector(ICoverageChannels.NotCustomer.selector, prover));
        channels.proveDoubleNonce(receipt, signature, other, otherSignature);
    }

    /// A channel's faults never reach what backs requests, nor another channel's lock.
    function test_Isolation_channelsAndRequests() public {
        vm.prank(hotKey);
        bytes32 second = channels.open(customer, 3 ether, expiry);
        vm.prank(address(requests));
        vault.lock(prover, 4 ether);
        bytes32 claimId = opened(1, 5 ether);
        board.fault(IClaimSource(address(channels)), claimId, new Payout[](0));
        assertEq(vault.lockedOf(prover, address(requests)), 4 ether);
        assertEq(vault.lockedOf(prover, address(channels)), 3 ether);
        assertEq(channels.channelOf(second).lock, 3 ether);
        assertEq(channels.channelOf(channelId).lock, 0);
        vm.warp(expiry + 1);
        channels.close(channelId);
        channels.close(second);
        assertEq(vault.freeOf(prover), 11 ether);
    }

    function test_NoReplay_receiptsOfAnotherChain() public {
        Receipt memory receipt = receiptOf(1, 1 ether);
        bytes memory signature = signed(receipt);
        vm.chainId(99);
        refused(receipt, signature, abi.encodeWithSelector(ICoverageChannels.SignatureInvalid.selector));
    }
}
