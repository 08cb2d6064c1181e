// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {RequestTerms} from "../../src/interfaces/IRequests.sol";
import {vm} from "../Assertions.sol";
import {MoneyBase} from "./MoneyBase.sol";
import {ToyGroth16} from "./ToyGroth16.sol";

/// @title Ways to break things and to expect refusals, for the tests of Requests.
abstract contract RequestsBase is MoneyBase {
    function _refused(RequestTerms memory terms, bytes memory reason) internal {
        vm.expectRevert(reason);
        requests.request(terms, input);
    }

    function _is(bytes4 selector) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(selector);
    }

    function _breakKey() internal {
        uint256[] memory a = new uint256[](3);
        uint256[] memory b = new uint256[](3);
        b[2] = 1;
        registry.proveKeyBroken(zkModel, key, a, ToyGroth16.prove(a, 7), b, ToyGroth16.prove(b, 7));
    }

    function _breakModel(bytes32 modelId) internal {
        // The models of this test share one root, which says two instructions with a made-up top; here another count is shown.
        vm.store(address(registry), keccak256(abi.encode(modelId, uint256(0))), _illFormed(modelId));
        assertTrue(registry.termsOf(modelId).illFormed);
    }

    /// The terms' word with the flag set: creator, royalty, form, depth, gas and count take 240 bits below it.
    function _illFormed(bytes32 modelId) internal view returns (bytes32) {
        bytes32 word = vm.load(address(registry), keccak256(abi.encode(modelId, uint256(0))));
        return word | bytes32(uint256(1) << 240);
    }
}
