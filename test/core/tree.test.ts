import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { keccak256 } from '../../core/keccak.ts';
import {
  buildTree,
  childrenOf,
  EMPTY,
  FAN_OUT,
  hashChildren,
  leafHash,
  leavesOfBytes,
  nodeAt,
  nodeHash,
  openNodes,
  topFromOpening,
  treeDepth,
} from '../../core/tree.ts';

const SEED = 11;
const leavesOf = (count: number): Uint8Array[] => Array.from({ length: count }, (_, i) => leafHash(Uint8Array.of(i & 255, i >> 8)));

/** A tree with a non-empty set of its leaves, ascending. */
const opened = fc
  .oneof({ weight: 9, arbitrary: fc.integer({ min: 1, max: 80 }) }, { weight: 1, arbitrary: fc.constantFrom(1023, 1024, 1025) })
  .chain((count) => fc.tuple(fc.constant(count), fc.uniqueArray(fc.integer({ min: 0, max: count - 1 }), { minLength: 1, maxLength: 20 })))
  .map(([count, indices]) => ({ count, indices: indices.sort((a, b) => a - b) }));

describe('depth follows from the number of leaves', () => {
  test.each([
    [1, 0],
    [2, 1],
    [32, 1],
    [33, 2],
    [1024, 2],
    [1025, 3],
    [32_768, 3],
    [32_769, 4],
  ])('%i leaves: %i levels', (leaves, depth) => expect(treeDepth(leaves)).toBe(depth));
});

describe('tree', () => {
  test('is a binary Merkle tree padded with EMPTY to 32^depth leaves', () => {
    for (const count of [1, 2, 3, 31, 32, 33, 100]) {
      const leaves = leavesOf(count);
      let level = [...leaves, ...new Array<Uint8Array>(FAN_OUT ** treeDepth(count) - count).fill(EMPTY)];
      while (level.length > 1)
        level = Array.from({ length: level.length / 2 }, (_, i) => {
          const [left, right] = [level[2 * i]!, level[2 * i + 1]!];
          const isBare = [...left, ...right].every((byte) => byte === 0);
          return isBare ? EMPTY : keccak256(Uint8Array.of(1), left, right);
        });
      expect(buildTree(leaves).top).toEqual(level[0]);
    }
  });

  test('a node is the hash of its 32 children at every level', () => {
    const tree = buildTree(leavesOf(1100));
    for (let level = 1; level <= tree.depth; level++)
      for (const index of [0, 1, 34])
        if (index < FAN_OUT ** (tree.depth - level))
          expect(hashChildren(childrenOf(tree, level, index))).toEqual(nodeAt(tree, level, index));
  });

  test('leaf and node hashes differ even for the same bytes', () => {
    const [a, b] = leavesOf(2);
    expect(leafHash(Uint8Array.from([...a!, ...b!]))).not.toEqual(nodeHash(a!, b!));
  });

  test('bytes are cut at 512; no bytes make one empty leaf', () => {
    expect([0, 1, 512, 513, 1024, 1025].map((n) => leavesOfBytes(new Uint8Array(n)).length)).toEqual([1, 1, 1, 2, 2, 3]);
  });
});

describe('openings', () => {
  test('every set of leaves opens to the top', () => {
    fc.assert(
      fc.property(opened, ({ count, indices }) => {
        const leaves = leavesOf(count);
        const tree = buildTree(leaves);
        const top = topFromOpening(
          count,
          indices,
          indices.map((i) => leaves[i]!),
          openNodes(tree, indices),
        );
        expect(top).toEqual(tree.top);
      }),
      { seed: SEED, numRuns: 150 },
    );
  });

  test('nodes of every level open to the top', () => {
    const tree = buildTree(leavesOf(1100));
    for (let level = 0; level <= tree.depth; level++) {
      const last = Math.ceil(1100 / FAN_OUT ** level) - 1;
      const indices = [...new Set([0, Math.floor(last / 2), last])];
      const hashes = indices.map((index) => nodeAt(tree, level, index));
      expect(topFromOpening(1100, indices, hashes, openNodes(tree, indices, level), level)).toEqual(tree.top);
    }
  });

  test('forged openings never reach the top', () => {
    fc.assert(
      fc.property(opened, fc.integer({ min: 0, max: 5 }), fc.nat(), ({ count, indices }, forgery, pick) => {
        const leaves = leavesOf(count);
        const tree = buildTree(leaves);
        const hashes = indices.map((i) => leaves[i]!);
        const siblings = openNodes(tree, indices);
        const at = pick % indices.length;
        let top: Uint8Array | undefined;
        if (forgery === 0) top = topFromOpening(count, indices, hashes.with(at, leafHash(Uint8Array.of(9, 9, 9))), siblings);
        else if (forgery === 1) top = topFromOpening(count, indices, hashes, [...siblings, EMPTY]);
        else if (forgery === 2) {
          if (siblings.length === 0) return;
          top = topFromOpening(count, indices, hashes, siblings.slice(0, -1));
        } else if (forgery === 3) {
          const moved = indices.with(at, indices[at]! + 1);
          top = topFromOpening(count, moved, hashes, siblings);
        } else if (forgery === 4) {
          if (siblings.length === 0) return;
          const place = pick % siblings.length;
          top = topFromOpening(count, indices, hashes, siblings.with(place, leafHash(siblings[place]!)));
        } else top = topFromOpening(count, [...indices].reverse(), [...hashes].reverse(), siblings);
        if (forgery === 5 && indices.length === 1) return;
        expect(top === undefined || Buffer.compare(top, tree.top) !== 0).toBe(true);
      }),
      { seed: SEED, numRuns: 600 },
    );
  });

  test.each([
    ['no leaves', [], 5],
    ['an index twice', [1, 1], 5],
    ['an index beyond the leaves', [5], 5],
    ['a negative index', [-1], 5],
    ['half an index', [0.5], 5],
  ])('%s: malformed', (_, indices, count) => {
    const hashes = indices.map(() => EMPTY);
    expect(topFromOpening(count, indices, hashes, new Array<Uint8Array>(5).fill(EMPTY))).toBeUndefined();
  });

  test('a position beyond the leaves cannot be opened as EMPTY', () => {
    const tree = buildTree(leavesOf(3));
    expect(topFromOpening(3, [3], [EMPTY], openNodes(tree, [3]))).toBeUndefined();
  });
});
