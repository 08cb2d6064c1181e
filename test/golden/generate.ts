/**
 * Writes the golden vectors of the instruction semantics and of trees: `tsx test/golden/generate.ts`. They are committed; a test
 * holds them to a fresh generation, and the contracts, the executor and anything else that computes instructions to them.
 *
 * `steps/<kind>.json` holds arrays side by side: name, record (204 bytes), parameters, sources (all cases' joined, as many a
 * case as its record says), output; bytes are canonical, types and lengths are the record's. `openings.json`: multi-openings of
 * trees over 32-byte leaves.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { toHash } from '../../core/keccak.ts';
import { executeInstruction, validateInstruction } from '../../core/ops/index.ts';
import { encodeRecord } from '../../core/program/record.ts';
import { allocate, elementTypeOf, tensorRoot, toBytes, type TypedArray } from '../../core/tensor.ts';
import { buildTree, CHUNK_BYTES, leafHash, openNodes, treeDepth } from '../../core/tree.ts';
import { COMPUTED_KINDS, type ComputedKind, randomCase } from '../support/instructions.ts';
import { Random } from '../support/random.ts';
import type { Vector } from './build.ts';
import { arg, divide, isqrt, max, multiply, rescale, select, sum } from './elements.ts';
import { gather, map, table, tree } from './lookups.ts';
import { linear, matmul } from './products.ts';

const CHOSEN: { readonly [K in ComputedKind]: () => Vector[] } = {
  ...{ linear, matmul, rescale, multiply, table, max, sum, map, gather, select, arg, divide, isqrt, tree },
};
const RANDOM_CASES = 12;
const MOST_ELEMENTS = 24;
const SEED = 20;

const hex = (bytes: Uint8Array): string => `0x${Buffer.from(bytes).toString('hex')}`;
const fits = (bytes: Uint8Array | TypedArray): boolean => bytes.byteLength > 0 && bytes.byteLength <= CHUNK_BYTES;

function randomVectors(kind: ComputedKind): Vector[] {
  const r = new Random(SEED);
  const vectors: Vector[] = [];
  while (vectors.length < RANDOM_CASES) {
    const { program, inputs } = randomCase(kind, r);
    const instruction = program.instructions.at(-1)!;
    if (instruction.length > MOST_ELEMENTS || instruction.parameters.length > CHUNK_BYTES || !inputs.every(fits)) continue;
    vectors.push({ name: `random ${vectors.length + 1}`, instruction, inputs });
  }
  return vectors;
}

function stepFile(kind: ComputedKind): string {
  const vectors = [...CHOSEN[kind](), ...randomVectors(kind)];
  const file = { kind, names: [] as string[], records: [] as string[], parameters: [] as string[], sources: [] as string[], outputs: [] as string[] };
  for (const { name, instruction, inputs } of vectors) {
    if (!inputs.every(fits) || instruction.parameters.length > CHUNK_BYTES) throw new Error(`${kind}, ${name}: more than one leaf`);
    const shapes = inputs.map((values) => ({ type: elementTypeOf(values), length: values.length }));
    validateInstruction(instruction, shapes);
    const output = allocate(instruction.type, instruction.length);
    executeInstruction(instruction, inputs, output);
    file.names.push(name);
    file.records.push(hex(encodeRecord(instruction, shapes)));
    file.parameters.push(hex(instruction.parameters));
    file.sources.push(...inputs.map((values) => hex(toBytes(values))));
    file.outputs.push(hex(toBytes(output)));
  }
  return `${JSON.stringify(file, null, 1)}\n`;
}

/** Trees of 32-byte leaves, leaf i being the number i; some nodes of one level opened. */
function openings() {
  const r = new Random(SEED);
  const sizes = [1, 2, 3, 5, 31, 32, 33, 64, 100, 1023, 1024, 1025];
  return sizes.flatMap((leafCount) => {
    const leaves = Array.from({ length: leafCount }, (_, i) => {
      const bytes = new Uint8Array(32);
      new DataView(bytes.buffer).setUint32(28, i);
      return leafHash(bytes);
    });
    const built = buildTree(leaves);
    return [0, 0, 0, 1].flatMap((level, round) => {
      if (level > treeDepth(leafCount)) return [];
      const nodes = Math.ceil(leafCount / 32 ** level);
      const chosen = round === 0 ? [nodes - 1] : round === 1 ? [0, nodes >> 1, nodes - 1] : Array.from({ length: 12 }, () => r.integer(0, nodes - 1));
      const indices = [...new Set(chosen)].sort((a, b) => a - b);
      return [{ leafCount, level, indices, hashes: indices.map((index) => toHash(built.levels[5 * level]![index]!)), siblings: openNodes(built, indices, level).map(toHash), top: toHash(built.top) }];
    });
  });
}

/** Tensor roots of counting bytes: whole tensors, lengths around leaf and level boundaries. */
function tensors() {
  return ([[0, 1], [0, 511], [0, 512], [0, 513], [1, 256], [1, 257], [2, 128], [2, 129], [0, 16384], [0, 16385], [2, 5000]] as const).map(([type, length]) => {
    const bytes = Uint8Array.from({ length: length << type }, (_, i) => (i * 7 + (i >> 8)) & 255);
    const values = type === 0 ? bytes : type === 1 ? new Int16Array(bytes.buffer) : new Int32Array(bytes.buffer);
    return { type, length, root: tensorRoot(values) };
  });
}

/** Openings and tensors as arrays side by side, of which the last are joined: `counts` and `siblingCounts` say how many a case has. */
function treeFile(): string {
  const list = openings();
  const roots = tensors();
  return `${JSON.stringify({
    leafCounts: list.map((o) => o.leafCount),
    levels: list.map((o) => o.level),
    counts: list.map((o) => o.indices.length),
    siblingCounts: list.map((o) => o.siblings.length),
    tops: list.map((o) => o.top),
    indices: list.flatMap((o) => o.indices),
    hashes: list.flatMap((o) => o.hashes),
    siblings: list.flatMap((o) => o.siblings),
    tensorTypes: roots.map((t) => t.type),
    tensorLengths: roots.map((t) => t.length),
    tensorRoots: roots.map((t) => t.root),
  }, null, 1)}\n`;
}

/** Every file by its path under test/golden. */
export function goldenFiles(): ReadonlyMap<string, string> {
  const files = new Map(COMPUTED_KINDS.map((kind) => [`steps/${kind}.json`, stepFile(kind)]));
  return files.set('openings.json', treeFile());
}

const here = fileURLToPath(import.meta.url);
if (process.argv[1] === here) {
  const folder = path.dirname(here);
  mkdirSync(path.join(folder, 'steps'), { recursive: true });
  for (const [name, text] of goldenFiles()) writeFileSync(path.join(folder, name), text);
}
