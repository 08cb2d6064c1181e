// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Merkle} from "../libraries/Merkle.sol";
import {ARG, INPUT, LINEAR, MAP, MATMUL, MAX, RESCALE, Record, SELECT, SUM, TABLE, TREE} from "./Record.sol";

/// @dev Reads of one blob: `rows` separate places, in each `taps` runs of `run` bytes, `step` bytes apart; all aligned to `align_`.
struct BlobReads {
    uint256 blobBytes;
    uint256 align_;
    uint256 rows;
    uint256 taps;
    uint256 run;
    uint256 step;
}

/// @dev What has been added up so far.
struct Work {
    uint256 bytes_;
    uint256 hashes;
    uint256 products;
    uint256 operations;
}

/// @title Cost of the dearest step of a valid record: the closed form of `core/program/cost.ts`, number for number.
library StepCost {
    uint256 internal constant BASE = 60_000;
    uint256 internal constant FLOOR = 40;
    uint256 internal constant CALLDATA = 16;
    uint256 internal constant HASH = 700;
    uint256 internal constant PRODUCT = 24;
    uint256 internal constant OPERATION = 400;
    uint256 private constant CHUNK_BYTES = 512;

    /// @return bytes_ most bytes opened: leaves of sources and parameters, and their siblings
    /// @return gas by the schedule above
    function ofRecord(Record record) internal pure returns (uint256 bytes_, uint256 gas) {
        unchecked {
            Work memory work;
            _count(work, record);
            uint256 execution =
                CALLDATA * work.bytes_ + HASH * work.hashes + PRODUCT * work.products + OPERATION * work.operations;
            uint256 floor = FLOOR * work.bytes_;
            return (work.bytes_, BASE + (floor > execution ? floor : execution));
        }
    }

    /// @notice Greatest tree depth of the output and of the parameters.
    function depth(Record record) internal pure returns (uint256) {
        uint256 ofOutput = Merkle.depth(Merkle.chunkCount(record.length() << record.elementType()));
        uint256 ofParameters = Merkle.depth(Merkle.chunkCount(record.parameterBytes()));
        return ofOutput > ofParameters ? ofOutput : ofParameters;
    }

    function _count(Work memory work, Record r) private pure {
        unchecked {
            uint256 kind = r.kind();
            if (kind == INPUT) return;
            work.operations = 1;
            if (kind == LINEAR) {
                uint256 perGroup = r.size(3) / r.size(15);
                uint256 taps = r.size(7) * r.size(8);
                work.products = taps * perGroup;
                work.operations = taps;
                _window(work, r, 7, perGroup);
                _parameters(work, r, work.products * r.size(17) + 5, 1, 1);
            } else if (kind == MATMUL) {
                uint256 inner = r.size(2);
                work.products = inner;
                _strided(work, r, 0, inner, 1, 0);
                _strided(work, r, 1, inner, 1, 0);
            } else if (kind == MAX || kind == SUM) {
                work.operations = r.size(6) * r.size(7);
                _window(work, r, 6, 1);
            } else if (kind == ARG) {
                work.operations = r.size(1);
                _strided(work, r, 0, 1, r.size(1), r.size(2));
            } else if (kind == TREE) {
                work.operations = r.size(4);
                uint256 taps = r.size(4) < r.size(1) ? r.size(4) : r.size(1);
                _strided(work, r, 0, 1, taps == 0 ? 1 : taps, r.size(1));
                _parameters(work, r, 12, 4, r.size(4) == 0 ? 1 : r.size(4));
            } else if (kind == MAP) {
                _parameters(work, r, 4, 4, 2);
                _longestSource(work, r);
            } else {
                uint256 sources = kind == SELECT ? 2 : r.sourceCount();
                for (uint256 i = 0; i < sources; ++i) {
                    _strided(work, r, i, 1, 1, 0);
                }
                if (kind == RESCALE) _parameters(work, r, 16, 16, 1);
                if (kind == TABLE) _parameters(work, r, 1 << r.elementType(), 1 << r.elementType(), 1);
            }
        }
    }

    /// @dev `count` runs of `elements` elements of a source, `step` elements apart.
    function _strided(Work memory work, Record r, uint256 n, uint256 elements, uint256 count, uint256 step)
        private
        pure
    {
        unchecked {
            uint256 elementType = r.sourceType(n);
            _add(
                work,
                BlobReads(
                    r.sourceLength(n) << elementType,
                    1 << elementType,
                    1,
                    count,
                    elements << elementType,
                    step << elementType
                )
            );
        }
    }

    /// @dev Taps inside the image, `elements` neighbouring channels each.
    function _window(Work memory work, Record r, uint256 kernelAt, uint256 elements) private pure {
        unchecked {
            uint256 elementType = r.sourceType(0);
            _add(
                work,
                BlobReads(
                    r.sourceLength(0) << elementType,
                    1 << elementType,
                    _least(r.size(kernelAt), r.size(1)),
                    _least(r.size(kernelAt + 1), r.size(2)),
                    elements << elementType,
                    (r.size(kernelAt + 5) * r.size(3)) << elementType
                )
            );
        }
    }

    /// @dev One element of whichever source is longest.
    function _longestSource(Work memory work, Record r) private pure {
        unchecked {
            uint256 sources = r.sourceCount();
            uint256 longest = 0;
            for (uint256 i = 0; i < sources; ++i) {
                if (r.sourceLength(i) > longest) longest = r.sourceLength(i);
            }
            uint256 bytes_ = 1 << r.elementType();
            _add(work, BlobReads(longest << r.elementType(), bytes_, 1, 1, bytes_, 0));
        }
    }

    function _parameters(Work memory work, Record r, uint256 bytes_, uint256 align_, uint256 rows) private pure {
        _add(work, BlobReads(r.parameterBytes(), align_, rows, 1, bytes_, 0));
    }

    function _add(Work memory work, BlobReads memory reads) private pure {
        unchecked {
            if (reads.blobBytes == 0) return;
            uint256 chunks = Merkle.chunkCount(reads.blobBytes);
            uint256 levels = Merkle.BITS_PER_LEVEL * Merkle.depth(chunks);
            uint256 perRun = _leavesTouched(reads.run, reads.align_);
            uint256 span = _leavesTouched((reads.taps - 1) * reads.step + reads.run, reads.align_);
            bool dense = span <= reads.taps * perRun;
            uint256 leaves = reads.rows * (dense ? span : reads.taps * perRun);
            uint256 siblings = levels;
            if (leaves >= chunks) {
                leaves = chunks;
            } else {
                siblings *= reads.rows * (dense ? 1 : reads.taps) * _least(2, dense ? span : perRun);
            }
            work.bytes_ += _least(leaves * CHUNK_BYTES, reads.blobBytes) + 32 * siblings;
            work.hashes += leaves + siblings;
        }
    }

    /// @dev Most leaves that consecutive bytes touch, wherever they start at a multiple of `align_`.
    function _leavesTouched(uint256 bytes_, uint256 align_) private pure returns (uint256) {
        unchecked {
            return (bytes_ + 2 * CHUNK_BYTES - 1 - align_) / CHUNK_BYTES;
        }
    }

    function _least(uint256 a, uint256 b) private pure returns (uint256) {
        return a < b ? a : b;
    }
}
