// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {TensorSpec} from "../ModelTypes.sol";
import {TensorRoot} from "./TensorRoot.sol";

/// @title The root of a model's inputs or outputs from their bytes, all tensors joined in order.
library TensorBytes {
    /// @return root keccak(0x03 ‖ tensor roots); 0, which is no root, when the bytes have another length than the tensors
    function rootOf(TensorSpec spec, bytes calldata data) internal pure returns (bytes32 root) {
        if (data.length != spec.byteLength()) return 0;
        uint256 tensors = spec.count();
        bytes32[] memory roots = new bytes32[](tensors);
        uint256 from = 0;
        for (uint256 i = 0; i < tensors; ++i) {
            (uint8 elementType, uint32 length) = spec.tensor(i);
            uint256 to = from + (uint256(length) << elementType);
            roots[i] = TensorRoot.ofBytes(elementType, length, data[from:to]);
            from = to;
        }
        return TensorRoot.ofList(roots);
    }
}
