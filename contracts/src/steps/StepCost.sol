// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Merkle} from "../libraries/Merkle.sol";
import {ARG, INPUT, LINEAR, MAP, MATMUL, MAX, RESCALE, Record, SELECT, SUM, TABLE, TREE} from "./Record.sol";

/// @title What the dearest step of an instruction costs, from its record alone: `stepCost` of core/program/cost.ts, figure by figure.
/// @dev All sizes are below 2^32 in a valid record, so nothing here overflows.
library StepCost {
    uint256 private constant BASE = 60_000;
    uint256 private constant FLOOR = 40;
    uint256 private constant CALLDATA = 16;
    uint256 private constant HASH = 700;
    uint256 private constant PRODUCT = 24;
    uint256 private constant OPERATION = 400;
    uint256 private constant CHUNK_BYTES = 512;

    /// Reads of one blob: `rows` places, in each `taps` runs of `run` bytes, `step` bytes apart, all aligned to `unit`.
    struct Reads {
        uint256 blobBytes;
        uint256 unit;
        uint256 rows;
        uint256 taps;
        uint256 run;
        uint256 step;
    }

    struct Sum {
        uint256 opened;
        uint256 hashes;
    }

    /// @param r a valid record (InstructionRules)
    /// @return depth greatest tree depth of the output and of the parameters
    /// @return opened bytes that the step opens at most: leaves and siblings
    /// @return stepGas its gas by the schedule
    function dearest(Record r) internal pure returns (uint8 depth, uint32 opened, uint64 stepGas) {
        Sum memory sum;
        (uint256 products, uint256 operations) = _work(r, sum);
        uint256 execution = CALLDATA * sum.opened + HASH * sum.hashes + PRODUCT * products + OPERATION * operations;
        uint256 floor = FLOOR * sum.opened;
        uint256 ofOutput = Merkle.depth(_chunks(r.length() << r.elementType()));
        uint256 ofParameters = Merkle.depth(_chunks(r.parameterBytes()));
        depth = uint8(ofOutput > ofParameters ? ofOutput : ofParameters);
        opened = uint32(sum.opened);
        stepGas = uint64(BASE + (floor > execution ? floor : execution));
    }

    function _work(Record r, Sum memory sum) private pure returns (uint256 products, uint256 operations) {
        uint256 kind = r.kind();
        if (kind == INPUT) return (0, 0);
        if (kind == LINEAR) {
            uint256 perGroup = r.size(3) / r.size(15);
            uint256 taps = r.size(7) * r.size(8);
            _window(r, 7, perGroup, sum);
            _parameters(r, taps * perGroup * r.size(17) + 5, 1, 1, sum);
            return (taps * perGroup, taps);
        }
        if (kind == MATMUL) {
            _elements(r, 0, r.size(2), sum);
            _elements(r, 1, r.size(2), sum);
            return (r.size(2), 1);
        }
        if (kind == MAX || kind == SUM) {
            _window(r, 6, 1, sum);
            return (0, r.size(6) * r.size(7));
        }
        if (kind == ARG) {
            uint256 unit = 1 << r.sourceType(0);
            _add(Reads(_blob(r, 0), unit, 1, r.size(1), unit, r.size(2) * unit), sum);
            return (0, r.size(1));
        }
        if (kind == TREE) {
            _tree(r, sum);
            return (0, r.size(4));
        }
        if (kind == MAP) _map(r, sum);
        else _elementwise(r, kind, sum);
        return (0, 1);
    }

    /// Features of a row anywhere in it, and a node of each level.
    function _tree(Record r, Sum memory sum) private pure {
        uint256 unit = 1 << r.sourceType(0);
        uint256 levels = r.size(4);
        uint256 features = r.size(1);
        uint256 taps = levels < features ? levels : features;
        _add(Reads(_blob(r, 0), unit, 1, taps == 0 ? 1 : taps, unit, unit * features), sum);
        _parameters(r, 12, 4, levels == 0 ? 1 : levels, sum);
    }

    /// One index, then one constant or one element of one source: the deepest of them.
    function _map(Record r, Sum memory sum) private pure {
        _parameters(r, 4, 4, 2, sum);
        uint256 sources = r.sourceCount();
        if (sources == 0) return;
        uint256 longest = 0;
        for (uint256 i = 0; i < sources; ++i) {
            if (r.sourceLength(i) > longest) longest = r.sourceLength(i);
        }
        uint256 unit = 1 << r.elementType();
        _add(Reads(longest * unit, unit, 1, 1, unit, 0), sum);
    }

    /// One element of each source (of a choice, of the condition and one side), and one row of parameters.
    function _elementwise(Record r, uint256 kind, Sum memory sum) private pure {
        uint256 sources = kind == SELECT ? 2 : r.sourceCount();
        for (uint256 i = 0; i < sources; ++i) {
            _elements(r, i, 1, sum);
        }
        if (kind == RESCALE) _parameters(r, 16, 16, 1, sum);
        if (kind == TABLE) _parameters(r, 1 << r.elementType(), 1 << r.elementType(), 1, sum);
    }

    /// `count` consecutive elements of a source.
    function _elements(Record r, uint256 source, uint256 count, Sum memory sum) private pure {
        uint256 unit = 1 << r.sourceType(source);
        _add(Reads(_blob(r, source), unit, 1, 1, count * unit, 0), sum);
    }

    function _parameters(Record r, uint256 run, uint256 unit, uint256 rows, Sum memory sum) private pure {
        _add(Reads(r.parameterBytes(), unit, rows, 1, run, 0), sum);
    }

    /// The taps inside the image, `count` neighbouring channels each; the kernel's attributes begin at `kernel`.
    function _window(Record r, uint256 kernel, uint256 count, Sum memory sum) private pure {
        uint256 unit = 1 << r.sourceType(0);
        uint256 rows = r.size(kernel) < r.size(1) ? r.size(kernel) : r.size(1);
        uint256 taps = r.size(kernel + 1) < r.size(2) ? r.size(kernel + 1) : r.size(2);
        uint256 step = r.size(kernel + 5) * r.size(3) * unit;
        _add(Reads(_blob(r, 0), unit, rows, taps, count * unit, step), sum);
    }

    function _blob(Record r, uint256 source) private pure returns (uint256) {
        return r.sourceLength(source) << r.sourceType(source);
    }

    function _add(Reads memory reads, Sum memory sum) private pure {
        if (reads.blobBytes == 0) return;
        (uint256 leaves, uint256 siblings) = _opening(reads);
        uint256 leafBytes = leaves * CHUNK_BYTES;
        sum.opened += (leafBytes < reads.blobBytes ? leafBytes : reads.blobBytes) + 32 * siblings;
        sum.hashes += leaves + siblings;
    }

    function _opening(Reads memory reads) private pure returns (uint256 leaves, uint256 siblings) {
        uint256 chunks = _chunks(reads.blobBytes);
        uint256 levels = 5 * Merkle.depth(chunks);
        uint256 perRun = _touched(reads.run, reads.unit);
        uint256 span = _touched((reads.taps - 1) * reads.step + reads.run, reads.unit);
        bool isDense = span <= reads.taps * perRun;
        leaves = reads.rows * (isDense ? span : reads.taps * perRun);
        if (leaves >= chunks) return (chunks, levels);
        uint256 ranges = reads.rows * (isDense ? 1 : reads.taps);
        uint256 ends = isDense ? span : perRun;
        siblings = ranges * (ends < 2 ? ends : 2) * levels;
    }

    /// Most leaves that so many consecutive bytes touch, wherever they start at a multiple of `unit`.
    function _touched(uint256 length, uint256 unit) private pure returns (uint256) {
        return (length - unit + 2 * CHUNK_BYTES - 1) / CHUNK_BYTES;
    }

    function _chunks(uint256 length) private pure returns (uint256) {
        return length == 0 ? 1 : (length + CHUNK_BYTES - 1) / CHUNK_BYTES;
    }
}
