// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AnswerInfo} from "../interfaces/IAnswerReceiver.sol";
import {IModelRegistry} from "../interfaces/IModelRegistry.sol";
import {IRequests, RequestTerms} from "../interfaces/IRequests.sol";
import {IStakeVault} from "../interfaces/IStakeVault.sol";
import {AssayConsumer} from "./AssayConsumer.sol";
import {ModelOutput} from "./ModelOutput.sol";

/// @title An example: a contract that has images of digits read, and keeps what was read.
/// @notice The images are the caller's, so a reading says what the model sees in that image and nothing else. Whoever asks pays
/// the fee; refunds and shares of slashed locks stay with this contract (`collect`).
contract DigitReader is AssayConsumer {
    uint256 private constant DIGITS = 10;
    uint32 private constant CALLBACK_GAS = 150_000;

    /// @notice Output type of each pinned model: 0 u8, 1 i16, 2 i32, for ten scores.
    mapping(bytes32 modelId => uint8) public outputTypeOf;
    /// @notice Digit read plus one; 0 while there is none.
    mapping(uint256 requestId => uint256) private _reading;

    event DigitRead(uint256 indexed requestId, bytes32 indexed modelId, uint8 tier, uint256 digit);

    error NotRead(uint256 requestId);
    error LengthMismatch();

    constructor(
        IRequests requests,
        IModelRegistry registry,
        IStakeVault vault,
        bytes32[] memory modelIds,
        uint8[] memory outputTypes,
        bool acceptsDevelopmentKeys
    ) AssayConsumer(requests, registry, vault, acceptsDevelopmentKeys) {
        if (modelIds.length != outputTypes.length) revert LengthMismatch();
        for (uint256 i = 0; i < modelIds.length; ++i) {
            _pin(modelIds[i]);
            outputTypeOf[modelIds[i]] = outputTypes[i];
        }
    }

    /// @notice Has an image read whose bytes are given; the ether sent is the fee.
    /// @param tier 0 zk, 1 optimistic
    /// @param coverage wei behind an optimistic answer
    /// @param patience seconds in which an answer is accepted
    function read(bytes32 modelId, uint8 tier, uint96 coverage, uint40 patience, bytes calldata image)
        external
        payable
        returns (uint256 requestId)
    {
        return _ask(_terms(modelId, tier, coverage, patience), image, msg.value);
    }

    /// @notice Has an image read of which the chain sees the root or commitment alone.
    function readByRoot(
        bytes32 modelId,
        uint8 tier,
        uint96 coverage,
        uint40 patience,
        bytes32 root,
        string calldata uri
    ) external payable returns (uint256 requestId) {
        return _askByRoot(_terms(modelId, tier, coverage, patience), root, uri, msg.value);
    }

    /// @return digit that the model saw; reverts NotRead while no answer is final
    function digitOf(uint256 requestId) external view returns (uint256 digit) {
        uint256 reading = _reading[requestId];
        if (reading == 0) revert NotRead(requestId);
        return reading - 1;
    }

    function _terms(bytes32 modelId, uint8 tier, uint96 coverage, uint40 patience)
        private
        view
        returns (RequestTerms memory)
    {
        return RequestTerms({
            modelId: modelId,
            tier: tier,
            earlyDelivery: false,
            coverage: coverage,
            deadline: uint40(block.timestamp) + patience,
            inputTimestamp: uint40(block.timestamp),
            callbackGas: CALLBACK_GAS
        });
    }

    function _onAnswer(AnswerInfo calldata answer, bytes calldata output) internal override {
        uint8 elementType = outputTypeOf[answer.modelId];
        uint256 digit = 0;
        int256 greatest = ModelOutput.element(output, 0, elementType, 0);
        for (uint256 i = 1; i < DIGITS; ++i) {
            int256 score = ModelOutput.element(output, 0, elementType, i);
            if (score > greatest) (greatest, digit) = (score, i);
        }
        _reading[answer.requestId] = digit + 1;
        emit DigitRead(answer.requestId, answer.modelId, answer.tier, digit);
    }
}
