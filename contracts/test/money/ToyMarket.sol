// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IPriceFeed} from "../../src/consumers/LendingMarket.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

contract ToyToken is ERC20("Toy dollar", "TOY") {
    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }
}

contract ToyPrice is IPriceFeed {
    uint256 public priceWad = 2000e18;

    function set(uint256 price) external {
        priceWad = price;
    }
}
