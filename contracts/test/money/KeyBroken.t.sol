// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IModelRegistry} from "../../src/interfaces/IModelRegistry.sol";
import {vm} from "../Assertions.sol";
import {MoneyBase} from "./MoneyBase.sol";
import {ToyGroth16} from "./ToyGroth16.sol";

contract KeyBrokenTest is MoneyBase {
    uint256[] private signals = [uint256(11), 22, 33];
    uint256[] private other = [uint256(99), 22, 34];

    function _report(uint256[] memory a, bytes memory proofA, uint256[] memory b, bytes memory proofB) private {
        registry.proveKeyBroken(zkModel, key, a, proofA, b, proofB);
    }

    /// The toy setup's secrets are known, so its key is as unsound as can be.
    function test_twoOutputsForOneInputDisableTheKey() public {
        vm.expectEmit();
        emit IModelRegistry.KeyBroken(zkModel);
        _report(signals, ToyGroth16.prove(signals, 7), other, ToyGroth16.prove(other, 8));
        assertTrue(registry.termsOf(zkModel).keyBroken);
        assertFalse(registry.termsOf(zkModel).illFormed);
        assertFalse(registry.termsOf(committedModel).keyBroken);
        _report(signals, ToyGroth16.prove(signals, 7), other, ToyGroth16.prove(other, 8));
    }

    /// Key disabled by a rival: nothing that holds of a sound key disables one.
    function test_soundKeysStay() public {
        uint256[] memory same = new uint256[](3);
        (same[0], same[1], same[2]) = (99, 22, 33);
        bytes memory proof = ToyGroth16.prove(signals, 7);
        bytes memory second = ToyGroth16.prove(same, 9);
        vm.expectRevert(IModelRegistry.NothingProven.selector);
        _report(signals, proof, same, second);
        same[1] = 23;
        same[2] = 34;
        second = ToyGroth16.prove(same, 9);
        vm.expectRevert(IModelRegistry.NothingProven.selector);
        _report(signals, proof, same, second);
        second = ToyGroth16.prove(same, 9);
        vm.expectRevert(IModelRegistry.NothingProven.selector);
        _report(signals, proof, other, second);
        bytes memory third = ToyGroth16.prove(other, 7);
        vm.expectRevert(IModelRegistry.NothingProven.selector);
        _report(signals, second, other, third);
    }

    /// One output written twice, below and above the prime, is no second output.
    function test_soundKeysStay_aliasedSignals() public {
        uint256[] memory aliased = new uint256[](3);
        (aliased[0], aliased[1], aliased[2]) =
        (
            11,
            22,
            33 + 21_888_242_871_839_275_222_246_405_745_257_275_088_548_364_400_416_034_343_698_204_186_575_808_495_617
        );
        bytes memory proof = ToyGroth16.prove(signals, 7);
        vm.expectRevert(IModelRegistry.NothingProven.selector);
        _report(signals, proof, aliased, proof);
    }

    function test_anotherKeyProvesNothing() public {
        bytes memory wrong = ToyGroth16.key(4);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.KeyInvalid.selector, "not the key of this model"));
        registry.proveKeyBroken(zkModel, wrong, signals, "", other, "");
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.KeyInvalid.selector, "not the key of this model"));
        registry.proveKeyBroken(plainModel, "", signals, "", other, "");
        uint256[] memory few = new uint256[](1);
        vm.expectRevert(IModelRegistry.NothingProven.selector);
        registry.proveKeyBroken(zkModel, key, few, "", few, "");
    }
}
