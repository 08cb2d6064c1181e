// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Record} from "./Record.sol";

/// @dev The taps of one output pixel, and which of them lie inside the image [batch, height, width, channels].
struct Taps {
    uint256 height;
    uint256 width;
    uint256 channels;
    uint256 kernelHeight;
    uint256 kernelWidth;
    uint256 dilationHeight;
    uint256 dilationWidth;
    uint256 batch;
    int256 top;
    int256 left;
}

/// @title Window geometry of linear, max and sum (`core/ops/window.ts`): everything is derived from the record.
library Window {
    // Positions of the attributes after outWidth, which linear shifts by one for its outChannels.
    uint256 internal constant HEIGHT = 1;
    uint256 internal constant WIDTH = 2;
    uint256 internal constant CHANNELS = 3;
    uint256 internal constant OUT_HEIGHT = 4;
    uint256 internal constant OUT_WIDTH = 5;

    /// @param pixel index of the output pixel in [batch, outHeight, outWidth]
    /// @param kernelAt position of the attribute kernelHeight
    function tapsOf(Record record, uint256 pixel, uint256 kernelAt) internal pure returns (Taps memory taps) {
        unchecked {
            uint256 outWidth = record.size(OUT_WIDTH);
            uint256 outHeight = record.size(OUT_HEIGHT);
            taps.height = record.size(HEIGHT);
            taps.width = record.size(WIDTH);
            taps.channels = record.size(CHANNELS);
            taps.kernelHeight = record.size(kernelAt);
            taps.kernelWidth = record.size(kernelAt + 1);
            taps.dilationHeight = record.size(kernelAt + 4);
            taps.dilationWidth = record.size(kernelAt + 5);
            taps.batch = pixel / (outWidth * outHeight);
            int256 y = int256((pixel / outWidth) % outHeight);
            int256 x = int256(pixel % outWidth);
            taps.top = y * record.attribute(kernelAt + 2) - record.attribute(kernelAt + 6);
            taps.left = x * record.attribute(kernelAt + 3) - record.attribute(kernelAt + 7);
        }
    }

    /// @notice Taps ky of the window's rows that lie inside the image: [from, to).
    function rows(Taps memory self) internal pure returns (uint256 from, uint256 to) {
        return _inside(self.top, self.dilationHeight, self.kernelHeight, self.height);
    }

    /// @notice Taps kx that lie inside the image: [from, to).
    function columns(Taps memory self) internal pure returns (uint256 from, uint256 to) {
        return _inside(self.left, self.dilationWidth, self.kernelWidth, self.width);
    }

    /// @notice Element of channel 0 under tap (ky, kx), which lies inside the image.
    function offset(Taps memory self, uint256 ky, uint256 kx) internal pure returns (uint256) {
        unchecked {
            uint256 y = uint256(self.top + int256(ky * self.dilationHeight));
            uint256 x = uint256(self.left + int256(kx * self.dilationWidth));
            return ((self.batch * self.height + y) * self.width + x) * self.channels;
        }
    }

    /// @dev The k in [0, kernel) with 0 ≤ start + k·dilation < size: they are consecutive.
    function _inside(int256 start, uint256 dilation, uint256 kernel, uint256 size)
        private
        pure
        returns (uint256 from, uint256 to)
    {
        unchecked {
            if (start < 0) from = (uint256(-start) + dilation - 1) / dilation;
            if (int256(size) > start) to = (uint256(int256(size) - start) + dilation - 1) / dilation;
            if (to > kernel) to = kernel;
            if (from > to) from = to;
        }
    }
}
