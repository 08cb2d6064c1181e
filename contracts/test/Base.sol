// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Assertions, vm} from "./Assertions.sol";
import {Vm} from "./Vm.sol";

/// @notice What every test contract inherits: cheatcodes as `vm`, assertions, named actors, bounded fuzz values, time, a console.
abstract contract Base is Assertions {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    address internal constant CONSOLE = 0x000000000000000000636F6e736F6c652e6c6f67;

    address[] private _targetContracts;
    address[] private _excludedSenders;
    FuzzSelector[] private _targetSelectors;

    // Actors.

    /// @notice An address that nobody else in the test has, named in traces. The same name gives the same address.
    function makeAddr(string memory name) internal returns (address account) {
        (account,) = makeAddrAndKey(name);
    }

    /// @notice As `makeAddr`, with the private key, for signatures.
    function makeAddrAndKey(string memory name) internal returns (address account, uint256 privateKey) {
        privateKey = uint256(keccak256(bytes(name)));
        account = vm.addr(privateKey);
        vm.label(account, name);
    }

    /// @notice Pranks the next call only, from an account that holds `balance` wei.
    function hoax(address account, uint256 balance) internal {
        vm.deal(account, balance);
        vm.prank(account);
    }

    function deal(address account, uint256 balance) internal {
        vm.deal(account, balance);
    }

    // Time. Through the cheatcodes: under via_ir `block.timestamp` may be a value read before the last warp.

    function nowTime() internal view returns (uint256) {
        return vm.getBlockTimestamp();
    }

    /// @notice Lets `seconds_` pass and one block be mined.
    function skip(uint256 seconds_) internal {
        vm.warp(vm.getBlockTimestamp() + seconds_);
        vm.roll(vm.getBlockNumber() + 1);
    }

    // Fuzz values.

    /// @notice Maps `value` into [low, high]: values already inside stay, both ends are reached from the ends of the type.
    function bound(uint256 value, uint256 low, uint256 high) internal pure returns (uint256) {
        require(low <= high, "bound: low > high");
        if (value >= low && value <= high) return value;
        uint256 size = high - low + 1;
        if (size == 0) return value;
        if (value <= 3 && size > value) return low + value;
        if (value >= type(uint256).max - 3 && size > type(uint256).max - value) {
            return high - (type(uint256).max - value);
        }
        return low + value % size;
    }

    /// @notice As the unsigned `bound`; the order of the integers is kept at both ends.
    function bound(int256 value, int256 low, int256 high) internal pure returns (int256) {
        uint256 flip = 1 << 255;
        return int256(bound(uint256(value) ^ flip, uint256(low) ^ flip, uint256(high) ^ flip) ^ flip);
    }

    // What Forge asks an invariant test contract before it starts.

    function targetContract(address target) internal {
        _targetContracts.push(target);
    }

    function targetSelectors(address target, bytes4[] memory selectors) internal {
        _targetSelectors.push(FuzzSelector({addr: target, selectors: selectors}));
    }

    function excludeSender(address sender) internal {
        _excludedSenders.push(sender);
    }

    function targetContracts() public view returns (address[] memory) {
        return _targetContracts;
    }

    function targetSelectors() public view returns (FuzzSelector[] memory) {
        return _targetSelectors;
    }

    function excludeSenders() public view returns (address[] memory) {
        return _excludedSenders;
    }

    // Console: shown by `forge test -vv`.

    function log(string memory text) internal view {
        _console(abi.encodeWithSignature("log(string)", text));
    }

    function log(string memory text, uint256 value) internal view {
        _console(abi.encodeWithSignature("log(string,uint256)", text, value));
    }

    function log(string memory text, int256 value) internal view {
        _console(abi.encodeWithSignature("log(string,int256)", text, value));
    }

    function log(string memory text, address value) internal view {
        _console(abi.encodeWithSignature("log(string,address)", text, value));
    }

    function log(string memory text, bytes32 value) internal view {
        _console(abi.encodeWithSignature("log(string,string)", text, vm.toString(value)));
    }

    function log(string memory text, bytes memory value) internal view {
        _console(abi.encodeWithSignature("log(string,string)", text, vm.toString(value)));
    }

    function _console(bytes memory payload) private view {
        (bool shown,) = CONSOLE.staticcall(payload);
        shown;
    }
}
