// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Requests} from "../../src/Requests.sol";
import {vm} from "../Assertions.sol";

/// @notice What a request asks, and on which terms, as whoever answers it names it. Read from storage and not by a call, so it may
/// stand behind a prank or an expected revert.
library Questions {
    function read(Requests requests, uint256 id) internal view returns (bytes32) {
        uint256 slot = uint256(keccak256(abi.encode(id, uint256(0))));
        uint256 word = _load(requests, slot + 3);
        bytes memory terms = abi.encode(
            uint88(word), uint88(word >> 88), uint40(word >> 176), uint24(word >> 216), uint8(word >> 240), word >> 248
        );
        return keccak256(abi.encodePacked(_load(requests, slot), _load(requests, slot + 1), terms));
    }

    function _load(Requests requests, uint256 slot) private view returns (uint256) {
        return uint256(vm.load(address(requests), bytes32(slot)));
    }
}
