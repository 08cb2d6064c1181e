// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IStepVerifier} from "./interfaces/IStepVerifier.sol";
import {TensorRoot} from "./libraries/TensorRoot.sol";
import {DotProduct} from "./steps/DotProduct.sol";
import {ElementSteps} from "./steps/ElementSteps.sol";
import {Evidence, Opened, Reader} from "./steps/Evidence.sol";
import {InstructionRules} from "./steps/InstructionRules.sol";
import {LinearSteps} from "./steps/LinearSteps.sol";
import {LookupSteps} from "./steps/LookupSteps.sol";
import {RangeSteps} from "./steps/RangeSteps.sol";
import {
    ARG,
    DIVIDE,
    GATHER,
    INPUT,
    ISQRT,
    LINEAR,
    MAP,
    MATMUL,
    MAX,
    MULTIPLY,
    RESCALE,
    Record,
    SELECT,
    SUM,
    TABLE
} from "./steps/Record.sol";
import {StepContext} from "./steps/StepContext.sol";

/// @title Computes one element of one instruction from opened bytes. Holds nothing, calls nobody, trusts nothing it is given.
/// @notice The meaning of every kind is that of `core/ops`, held to it by test/golden and by random comparison with the executor.
contract StepVerifier is IStepVerifier {
    using Evidence for Reader;

    /// @notice Inputs are given, not computed.
    error NotComputed();
    error ElementOutOfRange(uint256 element, uint256 length);
    error WrongSourceCount(uint256 given, uint256 expected);
    /// @notice The opened leaves do not lead to the root of a source.
    error SourceNotOpened(uint256 source);
    /// @notice The opened leaves do not lead to the record's parameter root.
    error ParametersNotOpened();

    /// @inheritdoc IStepVerifier
    function step(bytes calldata record, uint256 element, bytes32[] calldata sourceRoots, bytes calldata evidence)
        external
        pure
        returns (int256 value)
    {
        DotProduct.takeScratch();
        StepContext memory context;
        context.record = InstructionRules.check(record);
        context.element = element;
        if (element >= context.record.length()) revert ElementOutOfRange(element, context.record.length());
        _open(context, sourceRoots, evidence);
        return _compute(context);
    }

    /// @dev Everything the step may read is checked here, before anything is computed from it.
    function _open(StepContext memory context, bytes32[] calldata sourceRoots, bytes calldata evidence) private pure {
        Record record = context.record;
        Reader memory reader = Evidence.reader(evidence);
        uint256 parameterBytes = record.parameterBytes();
        bytes32 top;
        if (parameterBytes != 0) {
            (context.parameters, top) = reader.open(parameterBytes);
            // INVARIANT: ParametersBound. What is read as a parameter lies under the record's own root.
            if (context.parameters.count != 0 && top != record.parameterRoot()) revert ParametersNotOpened();
        }
        uint256 sources = record.sourceCount();
        if (sourceRoots.length != sources) revert WrongSourceCount(sourceRoots.length, sources);
        context.sources = new Opened[](sources);
        for (uint256 i = 0; i < sources; ++i) {
            uint256 elementType = record.sourceType(i);
            uint256 length = record.sourceLength(i);
            (context.sources[i], top) = reader.open(length << elementType);
            if (context.sources[i].count == 0) continue;
            // INVARIANT: SourcesBound. What is read as a source lies under its root, which binds type and length as well.
            if (TensorRoot.wrapTop(uint8(elementType), uint32(length), top) != sourceRoots[i]) {
                revert SourceNotOpened(i);
            }
        }
        reader.finish();
    }

    function _compute(StepContext memory context) private pure returns (int256) {
        uint256 kind = context.record.kind();
        if (kind == INPUT) revert NotComputed();
        if (kind == LINEAR) return LinearSteps.linear(context);
        if (kind == MATMUL) return LinearSteps.matmul(context);
        if (kind == RESCALE) return ElementSteps.rescale(context);
        if (kind == MULTIPLY) return ElementSteps.multiply(context);
        if (kind == TABLE) return LookupSteps.table(context);
        if (kind == MAX) return RangeSteps.max(context);
        if (kind == SUM) return RangeSteps.sum(context);
        if (kind == MAP) return LookupSteps.map(context);
        if (kind == GATHER) return LookupSteps.gather(context);
        if (kind == SELECT) return ElementSteps.select(context);
        if (kind == ARG) return RangeSteps.arg(context);
        if (kind == DIVIDE) return ElementSteps.divide(context);
        if (kind == ISQRT) return ElementSteps.isqrt(context);
        return LookupSteps.tree(context);
    }
}
