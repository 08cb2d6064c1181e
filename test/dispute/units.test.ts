import { describe, expect, it } from 'vitest';
import { answerData } from '../../core/dispute/answers.ts';
import { descend, isPosted } from '../../core/dispute/descent.ts';
import { inputLeafUnits, inputsFromAnswers, type ObservedDispute, observe, openDemands, QUIET } from '../../core/dispute/observed.ts';
import { openRoots } from '../../core/dispute/openings.ts';
import { programTrees } from '../../core/dispute/program-trees.ts';
import { stepReads } from '../../core/dispute/step-reads.ts';
import {
  levelOf,
  parameterLeafUnit,
  recordUnit,
  TENSOR_ROOTS,
  tensorDepth,
  tensorUnit,
  type Unit,
  unitKey,
} from '../../core/dispute/units.ts';
import { execute } from '../../core/execute.ts';
import { fromHex, toHash } from '../../core/keccak.ts';
import { inputCount } from '../../core/program/validate.ts';
import { buildTrace, traceTree } from '../../core/trace.ts';
import { leafHash, nodeAt, topFromOpening } from '../../core/tree.ts';
import { disputeCase, faultyRun } from '../support/dispute-cases.ts';
import { Random } from '../support/random.ts';

const R = new Random(0x0417);
const given = disputeCase(R);
const { program } = given;
const trace = buildTrace(execute(program, given.inputs));
const trees = programTrees(program);
const count = program.instructions.length;

/** Every node and leaf of a tensor, or some of a large one, with the hash it must have. */
function unitsOf(position: number): { unit: Unit; expected: Uint8Array }[] {
  const tree = trace.trees[position]!;
  return Array.from({ length: tree.depth + 1 }, (_, height) => height).flatMap((height) => {
    const nodes = Math.ceil(tree.leafCount / 32 ** height);
    return [...new Set([0, nodes - 1, R.integer(0, nodes - 1)])].map((index) => ({
      unit: tensorUnit(program, position, height, index),
      expected: height === tree.depth ? fromHex(trace.roots[position]!) : nodeAt(tree, height, index),
    }));
  });
}

describe('answers', () => {
  it('of nodes and leaves hash to what was posted, and nothing else does', () => {
    for (let position = 0; position < count; position++) {
      for (const { unit, expected } of unitsOf(position)) {
        const data = answerData(trees, trace, unit)!;
        expect(isPosted(unit, data, expected)).toBe(true);
        const changed = data.slice();
        changed[R.integer(0, changed.length - 1)]! ^= 1;
        expect(isPosted(unit, changed, expected)).toBe(false);
        expect(isPosted(unit, data.subarray(1), expected)).toBe(false);
        expect(isPosted(unit, Uint8Array.of(...data, 0), expected)).toBe(false);
        // A tensor's root binds its length; inside the tree only the place does.
        if (unit.height === tensorDepth(unit)) expect(isPosted({ ...unit, length: unit.length + 600 }, data, expected)).toBe(false);
        expect(isPosted({ ...unit, elementType: 3 }, data, expected)).toBe(false);
      }
    }
  });

  it('exist for units that exist only', () => {
    const leaves = trace.trees[0]!.leafCount;
    const missing: Unit[] = [
      recordUnit(count),
      parameterLeafUnit(count, 0),
      { ...inputLeafUnits(program)[0]!, index: leaves },
      { ...inputLeafUnits(program)[0]!, position: inputCount(program) },
      { ...tensorUnit(program, 0, 0, 0), index: leaves },
      { ...tensorUnit(program, 0, 0, 0), position: count },
      { ...tensorUnit(program, 0, 1, 0), height: 9 },
    ];
    for (const unit of missing) expect(answerData(trees, trace, unit), unitKey(unit)).toBeUndefined();
    expect(answerData(trees, trace, TENSOR_ROOTS)).toBeUndefined();
    // A parameter leaf beyond the end is answered by the record alone.
    expect(answerData(trees, trace, parameterLeafUnit(0, 0))).toEqual(answerData(trees, trace, recordUnit(0)));
  });

  it('of input leaves give the input back, once all are there', () => {
    let dispute: ObservedDispute = QUIET;
    const units = inputLeafUnits(program);
    for (const unit of units) dispute = observe(dispute, { type: 'demanded', unit, deadline: 10, payer: '0x01' });
    expect(openDemands(dispute).length).toBe(units.length);
    units.forEach((unit, i) => {
      expect(inputsFromAnswers(program, dispute)).toBeUndefined();
      dispute = observe(dispute, { type: 'answered', unit, data: answerData(trees, trace, units[i]!)! });
    });
    expect(inputsFromAnswers(program, dispute)).toEqual(given.inputs);
    expect(openDemands(dispute)).toEqual([]);
  });
});

describe('levels', () => {
  it('go from the top of a tensor down, one at a time', () => {
    for (let position = 0; position < count; position++) {
      for (const { unit } of unitsOf(position)) {
        const depth = tensorDepth(unit);
        expect(levelOf(unit)).toBe(unit.height === depth ? 2 : levelOf({ ...unit, height: unit.height + 1 }) + 1);
      }
    }
    expect(levelOf(TENSOR_ROOTS)).toBe(1);
    expect(levelOf(recordUnit(0))).toBe(0);
  });
});

describe('descend', () => {
  it('asks for what it does not know, from the top down, and finds the leaf that differs', () => {
    const { position, element, tensors } = faultyRun(new Random(77), given);
    const posted = buildTrace(tensors);
    const known = new Map<string, Uint8Array>();
    for (let step = 0; step < 10; step++) {
      const at = descend(program, position, trace.trees[position]!, posted.roots[position]!, (unit) => known.get(unitKey(unit)));
      if (at.found) {
        const bytes = trace.tensors[position]!.BYTES_PER_ELEMENT;
        expect(at.index).toBe(Math.floor((element * bytes) / 512));
        return;
      }
      expect(at.unit.height).toBe(posted.trees[position]!.depth - step);
      // What is not the posted one is not believed.
      known.set(unitKey(at.unit), new Uint8Array(512));
      const again = descend(program, position, trace.trees[position]!, posted.roots[position]!, (unit) => known.get(unitKey(unit)));
      expect(again).toEqual(at);
      known.set(unitKey(at.unit), answerData(trees, posted, at.unit)!);
    }
    throw new Error('no leaf was found');
  });
});

describe('openings', () => {
  it('of posted roots lead to the trace root, each position once', () => {
    const positions = [count - 1, 0, count - 1, Math.floor(count / 2)];
    const { roots, rootSiblings } = openRoots(trace.roots, positions);
    const sorted = [...new Set(positions)].sort((a, b) => a - b);
    expect(roots).toEqual(sorted.map((position) => trace.roots[position]));
    const hashes = roots.map((root) => leafHash(fromHex(root)));
    const top = topFromOpening(count, sorted, hashes, rootSiblings.map(fromHex))!;
    expect(toHash(top)).toBe(toHash(traceTree(trace.roots).top));
  });

  it('name the leaves that a step reads, and its value', () => {
    for (let position = inputCount(program); position < count; position++) {
      const { length, sources } = program.instructions[position]!;
      const element = R.integer(0, length - 1);
      const reads = stepReads(program, position, element, trace.tensors);
      expect(reads.value).toBe(trace.tensors[position]![element]);
      expect(reads.sources.length).toBe(sources.length);
      for (const [n, leaves] of reads.sources.entries()) {
        expect(leaves).toEqual([...new Set(leaves)].sort((a, b) => a - b));
        for (const leaf of leaves) expect(leaf).toBeLessThan(trace.trees[sources[n]!]!.leafCount);
      }
    }
  });
});
