// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {TensorSpec} from "../ModelTypes.sol";
import {IClaimBoard, Unit, UnitKind} from "../interfaces/IClaimBoard.sol";
import {Merkle} from "../libraries/Merkle.sol";

/// @title Geometry of demandable units: which exist, at which level, how many bytes or children they have.
/// @dev Everything follows from types and lengths in the model's records: position and depth are never the prover's choice.
library DisputeUnits {
    /// @notice Key of a claim on the board.
    function claimKey(address source, bytes32 claimId) internal pure returns (bytes32) {
        return keccak256(abi.encode(source, claimId));
    }

    /// @notice Key of a demand.
    function idOf(Unit memory unit, bytes32 key) internal pure returns (bytes32) {
        return keccak256(abi.encode(key, unit));
    }

    /// @notice Children that a node at `height` ≥ 1 really has; the other places of the 32 are EMPTY.
    function childCount(uint256 leaves, uint256 height, uint256 index) internal pure returns (uint256) {
        uint256 rest = Merkle.nodeCount(leaves, height - 1) - index * Merkle.FAN_OUT;
        return rest < Merkle.FAN_OUT ? rest : Merkle.FAN_OUT;
    }

    /// @notice Bytes of the tensor that a NodeChildren or TensorLeaf unit lies in.
    function tensorBytes(Unit memory unit) internal pure returns (uint256) {
        return uint256(unit.length) << unit.elementType;
    }

    /// @notice Leaves of that tensor's tree.
    function tensorLeaves(Unit memory unit) internal pure returns (uint256) {
        return Merkle.chunkCount(tensorBytes(unit));
    }

    /// @notice Depth of the tensor's tree, from the unit's type and length.
    function tensorDepth(Unit memory unit) internal pure returns (uint256) {
        return Merkle.depth(tensorLeaves(unit));
    }

    /// @notice The node at `height` above a node or leaf of a tensor.
    function ancestor(Unit memory unit, uint256 height) internal pure returns (Unit memory) {
        // casting to 'uint32' and 'uint8' is safe because an index only shrinks and a tree has at most seven levels
        // forge-lint: disable-next-line(unsafe-typecast)
        uint32 index = uint32(unit.index >> (Merkle.BITS_PER_LEVEL * (height - unit.height)));
        // forge-lint: disable-next-line(unsafe-typecast)
        return Unit(UnitKind.NodeChildren, unit.position, uint8(height), index, unit.elementType, unit.length);
    }

    /// @notice Level at which a unit is demanded; see IClaimBoard.levelOf.
    function levelOf(Unit memory unit) internal pure returns (uint256) {
        if (unit.kind < UnitKind.TensorRoots) return 0;
        if (unit.kind == UnitKind.TensorRoots) return 1;
        return 2 + tensorDepth(unit) - unit.height;
    }

    /// @notice Reverts unless a unit of level 0 or 1 has its one spelling and a right claim can answer it.
    function requireTopUnit(Unit memory unit, uint256 instructions, uint256 greatestDepth, TensorSpec inputs)
        internal
        pure
    {
        if (unit.kind > UnitKind.TensorRoots) revert IClaimBoard.WrongDemand(unit.kind);
        bool valid = unit.height == 0 && unit.elementType == 0 && unit.length == 0;
        if (unit.kind == UnitKind.InputLeaf) {
            valid = valid && unit.position < inputs.count();
            if (valid) {
                (uint8 elementType, uint32 length) = inputs.tensor(unit.position);
                valid = unit.index < Merkle.chunkCount(uint256(length) << elementType);
            }
        } else if (unit.kind == UnitKind.ParameterLeaf) {
            // Whether the leaf exists is in the record; an answer may show that it does not.
            valid = valid && unit.position < instructions
                && uint256(unit.index) >> (Merkle.BITS_PER_LEVEL * greatestDepth) == 0;
        } else {
            valid = valid && unit.index == 0;
            valid = valid && unit.position < (unit.kind == UnitKind.InstructionRecord ? instructions : 1);
        }
        if (!valid) revert IClaimBoard.UnitInvalid();
    }

    /// @notice Reverts unless a node or leaf exists in a tensor of the unit's type and length, within the model's greatest depth.
    function requireNodeUnit(Unit memory unit, uint256 greatestDepth) internal pure returns (uint256 depth) {
        if (unit.kind < UnitKind.NodeChildren) revert IClaimBoard.WrongDemand(unit.kind);
        uint256 leaves = tensorLeaves(unit);
        depth = Merkle.depth(leaves);
        bool valid = depth <= greatestDepth && unit.height <= depth;
        valid = valid && (unit.kind == UnitKind.NodeChildren) == (unit.height > 0);
        valid = valid && unit.index < Merkle.nodeCount(leaves, unit.height);
        if (!valid) revert IClaimBoard.UnitInvalid();
    }
}
