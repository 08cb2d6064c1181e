// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {DotProduct, Run} from "../../src/steps/DotProduct.sol";
import {vm} from "../Assertions.sol";
import {Base} from "../Base.sol";

/// @notice Lays two runs in memory as the step does, and nothing else.
contract DotProductHarness {
    /// @param values u8, a multiple of DotProduct.BLOCK of them
    /// @param factors as many, i8 when `signed`, else u8 with zero point 128
    /// @return sum Σ (value − zeroPoint)·factor
    /// @return used gas of the dot product alone: no calldata, no copying to memory
    function dot(bytes calldata values, bytes calldata factors, bool signed, uint8 zeroPoint)
        external
        view
        returns (int256 sum, uint256 used)
    {
        DotProduct.takeScratch();
        Run memory x = Run(_copy(values), 1, false, int256(uint256(zeroPoint)));
        Run memory w = Run(_copy(factors), 1, signed, signed ? int256(0) : int256(128));
        uint256 blocks = values.length / DotProduct.BLOCK;
        used = gasleft();
        sum = DotProduct.ofBytes(x, w, blocks);
        used -= gasleft();
    }

    /// @dev With room for reads of a word at both ends, and garbage in it: what lies outside must not count.
    function _copy(bytes calldata data) private pure returns (uint256 pointer) {
        assembly ("memory-safe") {
            pointer := add(mload(0x40), 32)
            let end := add(pointer, data.length)
            mstore(0x40, and(add(end, 63), not(31)))
            mstore(sub(pointer, 32), not(0))
            calldatacopy(pointer, data.offset, data.length)
            mstore(end, not(0))
        }
    }
}

/// @notice The packed dot product against the plain one, and what a multiply-add costs inside its loop.
contract DotProductTest is Base {
    DotProductHarness private harness = new DotProductHarness();

    function _check(bytes memory values, bytes memory factors, bool signed, uint8 zeroPoint) private view {
        int256 plain = 0;
        for (uint256 i = 0; i < values.length; ++i) {
            int256 factor = signed ? int256(int8(uint8(factors[i]))) : int256(uint256(uint8(factors[i]))) - 128;
            plain += (int256(uint256(uint8(values[i]))) - int256(uint256(zeroPoint))) * factor;
        }
        (int256 sum,) = harness.dot(values, factors, signed, zeroPoint);
        assertEq(sum, plain);
    }

    function _filled(uint256 count, bytes1 even, bytes1 odd) private pure returns (bytes memory data) {
        data = new bytes(count);
        for (uint256 i = 0; i < count; ++i) {
            data[i] = i % 2 == 0 ? even : odd;
        }
    }

    function _random(uint256 count, uint256 seed) private pure returns (bytes memory data) {
        data = new bytes(count);
        for (uint256 i = 0; i < count; ++i) {
            data[i] = keccak256(abi.encode(seed, i / 32))[i % 32];
        }
    }

    function test_anyBytes(uint256 seed, uint8 zeroPoint, bool signed) public view {
        uint256 count = DotProduct.BLOCK * (1 + seed % 3);
        _check(_random(count, seed), _random(count, ~seed), signed, zeroPoint);
    }

    /// @notice Every lane at its ends, alone and against its neighbours: nothing may run over.
    function test_extremes() public view {
        bytes1[4] memory values = [bytes1(0x00), 0x01, 0xfe, 0xff];
        bytes1[6] memory factors = [bytes1(0x80), 0x81, 0xc0, 0x00, 0x40, 0x7f];
        for (uint256 i = 0; i < 36; ++i) {
            bytes memory w = _filled(480, factors[i / 6], factors[i % 6]);
            for (uint256 k = 0; k < 16; ++k) {
                bytes memory x = _filled(480, values[k / 4], values[k % 4]);
                _check(x, w, k % 2 == 0, k % 3 == 0 ? 0 : i % 2 == 0 ? 255 : 128);
            }
        }
    }

    /// @notice One nonzero product, at each place of a block.
    function test_everyPlace() public view {
        for (uint256 i = 0; i < DotProduct.BLOCK; ++i) {
            bytes memory x = new bytes(DotProduct.BLOCK);
            bytes memory w = _filled(DotProduct.BLOCK, 0x80, 0x7f);
            (x[i], w[i]) = (0xff, 0x35);
            _check(x, w, true, 0);
            _check(w, w, true, uint8(i));
        }
    }

    /// @notice From 2,160 to 4,320 products, the whole blocks of 2,048 and 4,096: gas of 1,000 multiply-adds inside the loop.
    function test_gasInsideTheLoop() public {
        vm.snapshotValue("StepVerifier", "inside the loop, 1,000 products", _gasOfThousand(0));
        vm.snapshotValue("StepVerifier", "inside the loop, 1,000 products, zero point", _gasOfThousand(9));
    }

    function _gasOfThousand(uint8 zeroPoint) private view returns (uint256) {
        (, uint256 one) = harness.dot(_random(2160, 1), _random(2160, 2), true, zeroPoint);
        (, uint256 two) = harness.dot(_random(4320, 1), _random(4320, 2), true, zeroPoint);
        return (two - one) * 1000 / 2160;
    }
}
