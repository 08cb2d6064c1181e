// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Reads numbers out of answers.
library ModelOutput {
    error OutOfOutput(uint256 offset, uint256 bytesGiven);

    /// @param offset where the tensor begins in the output, bytes
    /// @param elementType 0 u8, 1 i16, 2 i32
    /// @param index of the element in the tensor
    function element(bytes calldata output, uint256 offset, uint8 elementType, uint256 index)
        internal
        pure
        returns (int256 value)
    {
        uint256 size = 1 << elementType;
        uint256 from = offset + index * size;
        if (elementType > 2 || from + size > output.length) revert OutOfOutput(from, output.length);
        uint256 word = 0;
        for (uint256 i = size; i > 0; --i) {
            word = (word << 8) | uint8(output[from + i - 1]);
        }
        if (elementType == 0) return int256(word);
        return elementType == 1 ? int256(int16(uint16(word))) : int256(int32(uint32(word)));
    }

    /// @notice The number that an integer stands for: (integer − zeroPoint) · scale, with 18 decimals.
    /// @param scaleWad the tensor's scale times 1e18; the interface of the program says it
    function toWad(int256 integer, int256 zeroPoint, uint256 scaleWad) internal pure returns (int256) {
        return (integer - zeroPoint) * int256(scaleWad);
    }
}
