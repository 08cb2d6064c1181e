// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AnswerInfo} from "../interfaces/IAnswerReceiver.sol";
import {IModelRegistry} from "../interfaces/IModelRegistry.sol";
import {IRequests, RequestTerms} from "../interfaces/IRequests.sol";
import {IStakeVault} from "../interfaces/IStakeVault.sol";
import {AssayConsumer} from "./AssayConsumer.sol";
import {Guarded, Guardrails, Limits} from "./Guardrails.sol";
import {ModelOutput} from "./ModelOutput.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";

/// @notice Price of one ether in the lent asset, 18 decimals.
interface IPriceFeed {
    function priceWad() external view returns (uint256);
}

/// @notice How the market asks its model, and reads it.
/// @param modelId takes four u8 features (LendingMarket, "Features"); its first output element is the borrow limit
/// @param outputType of the first output: 0 u8, 1 i16, 2 i32
/// @param zeroPoint of the first output
/// @param scaleWad scale of the first output times 1e18
/// @param tier 0 zk, 1 optimistic
/// @param coverage wei behind an optimistic answer
/// @param patience seconds until an unanswered question may be asked again
/// @param leastFee wei that a question pays at least: what nobody would answer holds up the next one until patience ends
struct ModelUse {
    bytes32 modelId;
    uint8 outputType;
    int32 zeroPoint;
    uint256 scaleWad;
    uint8 tier;
    uint96 coverage;
    uint40 patience;
    uint96 leastFee;
}

/// @title An example: a market that lends one asset against ether, whose borrow limit a model moves inside guardrails.
/// @notice Features, written by this contract from its own state, one byte each: share of the asset lent out, debt against the limit,
/// drawdown of the price from its greatest value of late, and hours since that value (all capped at 255). Lenders get no
/// interest and nobody liquidates here: the example is about what an answer may and may not do.
contract LendingMarket is AssayConsumer {
    using Guardrails for Guarded;
    using SafeERC20 for IERC20;

    uint256 private constant WAD = 1e18;
    uint256 private constant FEATURE = 255;
    uint32 private constant CALLBACK_GAS = 150_000;

    IERC20 public immutable ASSET;
    IPriceFeed public immutable PRICE_FEED;

    ModelUse private _use;
    Limits private _limits;
    Guarded private _limit;

    uint256 public supplied;
    uint256 public lent;
    uint256 public collateralTotal;
    mapping(address lender => uint256) public supplyOf;
    mapping(address borrower => uint256) public collateralOf;
    mapping(address borrower => uint256) public debtOf;

    uint256 public highestPrice;
    uint40 public highestPriceAt;
    uint256 public waitingFor;
    uint40 public askedAt;

    event LimitAsked(uint256 indexed requestId, bytes features);
    event LimitMoved(uint256 indexed requestId, int256 answerWad, uint256 limitWad, bool taken);

    error FeeTooLow(uint256 fee, uint256 least);
    error StillWaiting(uint256 requestId);
    error AboveLimit(uint256 debt, uint256 most);
    error NotEnough(uint256 asked, uint256 available);
    error TransferFailed();

    constructor(
        IRequests requests,
        IModelRegistry registry,
        IStakeVault vault,
        IERC20 asset,
        IPriceFeed priceFeed,
        ModelUse memory use,
        Limits memory limits,
        bool acceptsDevelopmentKeys
    ) AssayConsumer(requests, registry, vault, acceptsDevelopmentKeys) {
        Guardrails.check(limits);
        _pin(use.modelId);
        ASSET = asset;
        PRICE_FEED = priceFeed;
        _use = use;
        _limits = limits;
        _limit.start(limits);
    }

    // The model.

    /// @notice Asks for a new borrow limit; the ether sent is the fee, which stays here when nobody answers. Anybody may, one
    /// question at a time.
    function askLimit() external payable returns (uint256 requestId) {
        ModelUse memory use = _use;
        if (msg.value < use.leastFee) revert FeeTooLow(msg.value, use.leastFee);
        if (isWaiting(waitingFor)) {
            if (block.timestamp < askedAt + use.patience) revert StillWaiting(waitingFor);
            _forget(waitingFor);
        }
        bytes memory input = features();
        RequestTerms memory terms = RequestTerms({
            modelId: use.modelId,
            tier: use.tier,
            earlyDelivery: false,
            coverage: use.coverage,
            deadline: uint40(block.timestamp) + use.patience,
            inputTimestamp: uint40(block.timestamp),
            callbackGas: CALLBACK_GAS
        });
        requestId = _ask(terms, input, msg.value);
        waitingFor = requestId;
        askedAt = uint40(block.timestamp);
        emit LimitAsked(requestId, input);
    }

    /// @return four bytes, from this contract's own state
    function features() public returns (bytes memory) {
        uint256 price = _observePrice();
        uint256 most = collateralTotal * price / WAD * borrowLimitWad() / WAD;
        uint256 drawdown = highestPrice == 0 ? 0 : (highestPrice - price) * FEATURE / highestPrice;
        return abi.encodePacked(
            _share(lent, supplied),
            _share(lent, most),
            uint8(drawdown),
            _byte((block.timestamp - highestPriceAt) / 1 hours)
        );
    }

    /// @return share of the collateral's worth that may be borrowed, 18 decimals; within the guardrails whatever the model said
    function borrowLimitWad() public view returns (uint256) {
        return _limit.current(_limits);
    }

    function guardrails() external view returns (Limits memory) {
        return _limits;
    }

    function modelUse() external view returns (ModelUse memory) {
        return _use;
    }

    // The market.

    function supply(uint256 amount) external {
        supplied += amount;
        supplyOf[msg.sender] += amount;
        ASSET.safeTransferFrom(msg.sender, address(this), amount);
    }

    function withdraw(uint256 amount) external {
        uint256 idle = supplied - lent;
        if (amount > supplyOf[msg.sender]) revert NotEnough(amount, supplyOf[msg.sender]);
        if (amount > idle) revert NotEnough(amount, idle);
        supplyOf[msg.sender] -= amount;
        supplied -= amount;
        ASSET.safeTransfer(msg.sender, amount);
    }

    function depositCollateral() external payable {
        collateralTotal += msg.value;
        collateralOf[msg.sender] += msg.value;
    }

    function withdrawCollateral(uint256 amount) external {
        if (amount > collateralOf[msg.sender]) revert NotEnough(amount, collateralOf[msg.sender]);
        collateralOf[msg.sender] -= amount;
        collateralTotal -= amount;
        _requireCovered(msg.sender);
        (bool sent,) = msg.sender.call{value: amount}("");
        if (!sent) revert TransferFailed();
    }

    function borrow(uint256 amount) external {
        if (amount > supplied - lent) revert NotEnough(amount, supplied - lent);
        lent += amount;
        debtOf[msg.sender] += amount;
        _requireCovered(msg.sender);
        ASSET.safeTransfer(msg.sender, amount);
    }

    function repay(uint256 amount) external {
        if (amount > debtOf[msg.sender]) amount = debtOf[msg.sender];
        debtOf[msg.sender] -= amount;
        lent -= amount;
        ASSET.safeTransferFrom(msg.sender, address(this), amount);
    }

    /// @return most debt that the borrower may have now
    function borrowable(address borrower) public view returns (uint256) {
        return collateralOf[borrower] * PRICE_FEED.priceWad() / WAD * borrowLimitWad() / WAD;
    }

    function _onAnswer(AnswerInfo calldata answer, bytes calldata output) internal override {
        int256 integer = ModelOutput.element(output, 0, _use.outputType, 0);
        int256 wad = ModelOutput.toWad(integer, _use.zeroPoint, _use.scaleWad);
        bool taken = _limit.update(_limits, wad, answer.inputTimestamp);
        emit LimitMoved(answer.requestId, wad, borrowLimitWad(), taken);
    }

    function _requireCovered(address borrower) private view {
        uint256 most = borrowable(borrower);
        if (debtOf[borrower] > most) revert AboveLimit(debtOf[borrower], most);
    }

    function _observePrice() private returns (uint256 price) {
        price = PRICE_FEED.priceWad();
        if (price >= highestPrice || block.timestamp > highestPriceAt + 7 days) {
            highestPrice = price;
            highestPriceAt = uint40(block.timestamp);
        }
    }

    function _share(uint256 part, uint256 whole) private pure returns (uint8) {
        return whole == 0 ? 0 : _byte(part * FEATURE / whole);
    }

    function _byte(uint256 value) private pure returns (uint8) {
        return uint8(value > FEATURE ? FEATURE : value);
    }
}
