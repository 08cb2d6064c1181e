import { describe, expect, test } from 'vitest';
import { execute } from '../../core/execute.ts';
import { ELEMENT_BYTES, elementTypeOf, type TypedArray, tensorRoot, toBytes } from '../../core/tensor.ts';
import {
  buildTrace,
  firstDifference,
  firstDisagreement,
  inputRoot,
  listRoot,
  openElements,
  opensTensor,
  outputRoot,
  traceRoot,
} from '../../core/trace.ts';
import { resnet8 } from '../support/networks.ts';
import { Random } from '../support/random.ts';

const r = new Random(21);
const program = resnet8(r);
const tensors = execute(program, [r.tensor('u8', program.instructions[0]!.length)]);
const trace = buildTrace(tensors);

/** A copy of the run in which one element of one tensor is off by one. */
function tampered(position: number, element: number): TypedArray[] {
  return tensors.map((tensor, i) => {
    const copy = tensor.slice();
    if (i === position) copy[element] = copy[element]! ^ 1;
    return copy;
  });
}

describe('roots', () => {
  test('are those of the single tensors', () => {
    expect(trace.roots).toEqual(tensors.map(tensorRoot));
    expect(inputRoot(program, trace.roots)).toBe(listRoot([trace.roots[0]!]));
    expect(outputRoot(program, trace.roots)).toBe(listRoot([trace.roots.at(-1)!]));
  });

  test('bind type and length, not only bytes', () => {
    const bytes = Uint8Array.of(1, 0, 2, 0);
    const roots = [
      tensorRoot(bytes),
      tensorRoot(new Int16Array(bytes.buffer)),
      tensorRoot(new Int32Array(bytes.buffer)),
      tensorRoot(bytes.slice(0, 3)),
    ];
    expect(new Set(roots).size).toBe(4);
  });

  test('the trace root depends on every tensor', () => {
    const roots = new Set(tensors.map((_, position) => traceRoot(buildTrace(tampered(position, 0)).roots)));
    expect(roots.add(traceRoot(trace.roots)).size).toBe(tensors.length + 1);
  });
});

describe('first disagreement', () => {
  test('is the first tensor that differs, and there the first element', () => {
    for (const [position, element] of [
      [0, 3071],
      [5, 100],
      [tensors.length - 1, 9],
    ] as const) {
      const other = tampered(position, element);
      expect(firstDisagreement(trace.roots, buildTrace(other).roots)).toBe(position);
      expect(firstDifference(tensors[position]!, other[position]!)).toBe(element);
    }
    expect(firstDisagreement(trace.roots, trace.roots)).toBeUndefined();
    expect(firstDifference(tensors[3]!, tensors[3]!)).toBeUndefined();
  });

  test('runs of different programs cannot be compared', () => {
    expect(() => firstDisagreement(trace.roots, trace.roots.slice(1))).toThrow(expect.objectContaining({ code: 'TRACE_LENGTH' }));
  });
});

describe('openings of elements', () => {
  test('hold the bytes of the elements and lead to the root', () => {
    tensors.forEach((tensor, i) => {
      const type = elementTypeOf(tensor);
      const elements = Array.from({ length: 5 }, () => r.integer(0, tensor.length - 1));
      const opening = openElements(tensor, trace.trees[i]!, elements);
      expect(opensTensor(trace.roots[i]!, type, tensor.length, opening)).toBe(true);
      for (const element of elements) {
        const at = element * ELEMENT_BYTES[type];
        const leaf = opening.leaves[opening.indices.indexOf(Math.floor(at / 512))]!;
        expect(leaf[at % 512]).toBe(toBytes(tensor)[at]);
      }
    });
  });

  test('with another value, length, type, place or leaf size open nothing', () => {
    const tensor = tensors[1]!;
    const root = trace.roots[1]!;
    const opening = openElements(tensor, trace.trees[1]!, [600]);
    const leaf = opening.leaves[0]!;
    const opens = (change: Partial<typeof opening>, type: 'u8' | 'i16' = 'u8', length = tensor.length): boolean =>
      opensTensor(root, type, length, { ...opening, ...change });
    expect(opens({})).toBe(true);
    expect(opens({ leaves: [leaf.with(0, leaf[0]! ^ 1)] })).toBe(false);
    expect(opens({ leaves: [leaf.slice(1)] })).toBe(false);
    expect(opens({ leaves: [Uint8Array.from([...leaf, 0])] })).toBe(false);
    expect(opens({ leaves: [leaf, leaf] })).toBe(false);
    expect(opens({ indices: [opening.indices[0]! + 1] })).toBe(false);
    expect(opens({}, 'u8', tensor.length + 1)).toBe(false);
    expect(opens({}, 'i16', tensor.length / 2)).toBe(false);
    expect(opens({ siblings: opening.siblings.slice(1) })).toBe(false);
  });
});
