// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IStepVerifier} from "../../src/interfaces/IStepVerifier.sol";
import {Merkle} from "../../src/libraries/Merkle.sol";
import {TensorRoot} from "../../src/libraries/TensorRoot.sol";
import {vm} from "../Assertions.sol";
import {Base} from "../Base.sol";

/// @notice Every element of every golden vector (test/golden/steps), and the gas of the first of each kind.
/// Each blob is one leaf, so its opening is count 1, index 0 and the bytes.
contract GoldenStepsTest is Base {
    IStepVerifier internal verifier;

    function setUp() public {
        // From its artifact: embedding the code here would compile it a second time.
        bytes memory code = vm.getCode("StepVerifier.sol:StepVerifier");
        address deployed;
        assembly ("memory-safe") {
            deployed := create(0, add(code, 32), mload(code))
        }
        assertNotEq(deployed, address(0));
        verifier = IStepVerifier(deployed);
    }

    function test_linear() public {
        _check("linear");
    }

    function test_matmul() public {
        _check("matmul");
    }

    function test_rescale() public {
        _check("rescale");
    }

    function test_multiply() public {
        _check("multiply");
    }

    function test_table() public {
        _check("table");
    }

    function test_max() public {
        _check("max");
    }

    function test_sum() public {
        _check("sum");
    }

    function test_map() public {
        _check("map");
    }

    function test_gather() public {
        _check("gather");
    }

    function test_select() public {
        _check("select");
    }

    function test_arg() public {
        _check("arg");
    }

    function test_divide() public {
        _check("divide");
    }

    function test_isqrt() public {
        _check("isqrt");
    }

    function test_tree() public {
        _check("tree");
    }

    /// @notice A dense row of 4,096 weights, no byte of it zero: at most 500,000 gas all in.
    function test_denseRowOf4096() public {
        uint256 execution = _dense(4096, 0, 0x7f);
        uint256 tokens = 4 * (2 * 4096 + 600);
        uint256 standard = 21_000 + 4 * tokens + execution;
        uint256 floor = 21_000 + 10 * tokens;
        uint256 allIn = standard > floor ? standard : floor;
        vm.snapshotValue("StepVerifier", "dense 4096, all in", allIn);
        assertLe(allIn, 500_000);
    }

    /// @notice What one more multiply-add costs in all but calldata: hashing, copying, the loop.
    function test_gasOfOneMoreProduct() public {
        uint256 plain = _dense(4800, 0, 0x05) - _dense(2400, 0, 0x05);
        uint256 centred = _dense(4800, 9, 0xfb) - _dense(2400, 9, 0xfb);
        vm.snapshotValue("StepVerifier", "1,000 more products", plain * 1000 / 2400);
        vm.snapshotValue("StepVerifier", "1,000 more products, zero point", centred * 1000 / 2400);
    }

    /// @notice A step sees its record, roots and openings, and nothing of who asks, when, or on which chain.
    function test_StepPurity(address by, uint64 time, uint64 fee, uint64 chain, uint8 weight) public {
        vm.warp(time);
        vm.roll(time);
        vm.fee(fee);
        vm.chainId(1 + uint256(chain) / 2);
        vm.coinbase(by);
        vm.prevrandao(bytes32(uint256(time) << 64 | fee));
        vm.deal(address(verifier), fee);
        vm.startPrank(by);
        _dense(600, uint8(fee), weight);
        vm.stopPrank();
    }

    /// @dev Computes a dense row of `count` u8 values 255 and equal weights, on a whole opening; returns the gas of the call.
    function _dense(uint256 count, uint8 zeroPoint, uint8 weight) private view returns (uint256 gas) {
        bytes memory values = new bytes(count);
        bytes memory row = new bytes(count + 5);
        for (uint256 i = 0; i < count; ++i) {
            values[i] = 0xff;
            row[i] = bytes1(weight);
        }
        (bytes memory first, bytes32 parameterTop) = _whole(row);
        (bytes memory second, bytes32 sourceTop) = _whole(values);
        bytes32[] memory roots = new bytes32[](1);
        roots[0] = TensorRoot.wrapTop(0, uint32(count), sourceTop);
        bytes memory record = _denseRecord(uint32(count), zeroPoint, parameterTop);
        bytes memory evidence = abi.encodePacked(first, second);
        int256 value = verifier.step(record, 0, roots, evidence);
        gas = vm.lastCallGas().gasTotalUsed;
        assertEq(value, int256(count) * (255 - int256(uint256(zeroPoint))) * int8(weight));
    }

    /// @dev A linear instruction of one output, i32, shift 0, from `count` u8 values.
    function _denseRecord(uint32 count, uint8 zeroPoint, bytes32 parameterRoot) private pure returns (bytes memory) {
        bytes memory one = abi.encodePacked(uint32(1));
        bytes memory window = abi.encodePacked(one, one, one, count);
        for (uint256 i = 0; i < 9; ++i) {
            window = abi.encodePacked(window, one);
        }
        return abi.encodePacked(
            hex"01020100",
            uint32(1),
            count + 5,
            parameterRoot,
            hex"00000000",
            count,
            new bytes(56),
            window,
            uint64(0),
            one,
            uint32(zeroPoint),
            one,
            type(int32).min,
            type(int32).max,
            new bytes(16)
        );
    }

    /// @dev Opens every leaf of a blob of 2 to 32 leaves: all siblings are EMPTY.
    function _whole(bytes memory blob) private pure returns (bytes memory opening, bytes32 top) {
        uint256 count = Merkle.chunkCount(blob.length);
        bytes32[] memory leaves = new bytes32[](count);
        bytes memory indices;
        for (uint256 i = 0; i < count; ++i) {
            indices = abi.encodePacked(indices, uint24(i));
            uint256 size = Merkle.chunkLength(blob.length, i);
            bytes memory leaf = new bytes(size);
            for (uint256 k = 0; k < size; ++k) {
                leaf[k] = blob[512 * i + k];
            }
            leaves[i] = Merkle.leafOfMemory(leaf);
        }
        uint256 siblings = 0;
        uint256 known = count;
        for (uint256 level = 0; level < 5; ++level) {
            siblings += known & 1;
            known = (known + 1) >> 1;
        }
        opening = abi.encodePacked(uint16(count), indices, blob, new bytes(32 * siblings));
        top = Merkle.topOfLeaves(leaves);
    }

    function _check(string memory kind) private {
        string memory json = vm.readFile(string.concat("test/golden/steps/", kind, ".json"));
        string[] memory names = vm.parseJsonStringArray(json, ".names");
        bytes[] memory records = vm.parseJsonBytesArray(json, ".records");
        bytes[] memory parameters = vm.parseJsonBytesArray(json, ".parameters");
        bytes[] memory sources = vm.parseJsonBytesArray(json, ".sources");
        bytes[] memory outputs = vm.parseJsonBytesArray(json, ".outputs");
        assertGt(names.length, 10);
        uint256 next = 0;
        for (uint256 i = 0; i < names.length; ++i) {
            bytes memory evidence = parameters[i].length == 0 ? bytes("") : _opening(parameters[i]);
            bytes32[] memory roots = new bytes32[](uint8(records[i][2]));
            for (uint256 n = 0; n < roots.length; ++n) {
                bytes memory source = sources[next++];
                evidence = abi.encodePacked(evidence, _opening(source));
                uint8 elementType = uint8(records[i][46 + 8 * n]);
                roots[n] = TensorRoot.ofMemory(elementType, uint32(source.length >> elementType), source);
            }
            uint8 outputType = uint8(records[i][1]);
            for (uint256 e = 0; e < outputs[i].length >> outputType; ++e) {
                int256 value = verifier.step(records[i], e, roots, evidence);
                if (i == 0 && e == 0) vm.snapshotGasLastCall("StepVerifier", kind);
                assertEq(value, _element(outputs[i], e, outputType), names[i]);
            }
        }
        assertEq(next, sources.length);
    }

    function _opening(bytes memory leaf) private pure returns (bytes memory) {
        return abi.encodePacked(uint16(1), uint24(0), leaf);
    }

    /// @dev Little-endian two's complement, byte by byte.
    function _element(bytes memory data, uint256 index, uint8 elementType) private pure returns (int256 value) {
        uint256 size = 1 << elementType;
        for (uint256 i = 0; i < size; ++i) {
            value |= int256(uint256(uint8(data[index * size + i])) << (8 * i));
        }
        if (elementType == 1 && value > type(int16).max) value -= 1 << 16;
        if (elementType == 2 && value > type(int32).max) value -= 1 << 32;
    }
}
