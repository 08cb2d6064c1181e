import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeOpening, stepEvidence, stepEvidenceOf } from '../../core/dispute/step-evidence.ts';
import { execute } from '../../core/execute.ts';
import { encodeRecord, parameterRoot } from '../../core/program/record.ts';
import type { AnyInstruction } from '../../core/program/types.ts';
import { sourceShapes } from '../../core/program/validate.ts';
import { wrapTensorTop } from '../../core/tensor.ts';
import { buildTrace, openBytes } from '../../core/trace.ts';
import { buildTree, EMPTY, leavesOfBytes } from '../../core/tree.ts';
import { programOf } from '../support/instructions.ts';
import { Random } from '../support/random.ts';
import { linearRowOf } from '../support/small-instructions.ts';
import { type StepCall, type StepChain, startStepChain } from '../support/step-chain.ts';

let chain: StepChain;
beforeAll(async () => {
  chain = await startStepChain();
});
afterAll(() => chain.stop());

/** 1,300 inputs to one output: three leaves of the source (two full, one of 276 bytes) and three of the parameters. */
const INPUTS = 1300;
const r = new Random(61);
const dense: AnyInstruction = {
  kind: 'linear',
  type: 'i32',
  length: 2,
  sources: [0],
  attributes: {
    ...{ batch: 1, height: 1, width: 1, channels: INPUTS, outHeight: 1, outWidth: 1, outChannels: 2, kernelHeight: 1, kernelWidth: 1 },
    ...{ strideHeight: 1, strideWidth: 1, dilationHeight: 1, dilationWidth: 1, padTop: 0, padLeft: 0, groups: 1 },
    ...{ zeroPoint: 7, weightBytes: 1, low: -2147483648, high: 2147483647 },
  },
  parameters: Uint8Array.from(
    [0, 1].flatMap(() => [
      ...linearRowOf(
        Array.from({ length: INPUTS }, () => r.integer(-127, 127)),
        -5,
        0,
      ),
    ]),
  ),
};
const program = programOf([{ type: 'u8', length: INPUTS }], [dense]);
const own = buildTrace(execute(program, [r.tensor('u8', INPUTS)]));
const honest: StepCall = {
  record: encodeRecord(dense, sourceShapes(program, dense)),
  element: 1,
  sourceRoots: [own.roots[0]!],
  evidence: stepEvidence(program, 1, 1, own),
};

/** Where the parts of `honest.evidence` begin. The parameters: leaves 2 to 5 of six; the source: all three. */
const PARAMETER_LEAVES = [2, 3, 4, 5];
const LAST_PARAMETER_LEAF = dense.parameters.length - 5 * 512;
const LEAVES_AT = 2 + 3 * 4;
const SIBLINGS_AT = LEAVES_AT + 3 * 512 + LAST_PARAMETER_LEAF;
const parameterOpening = encodeOpening(openBytes(dense.parameters, buildTree(leavesOfBytes(dense.parameters)), PARAMETER_LEAVES));
const SOURCE_AT = parameterOpening.length;

function flip(bytes: Uint8Array, offset: number, bits: number): Uint8Array {
  bytes[offset] = bytes[offset]! ^ bits;
  return bytes;
}

function put(bytes: Uint8Array, offset: number, ...values: number[]): Uint8Array {
  bytes.set(values, offset);
  return bytes;
}

function edited(edit: (evidence: Uint8Array<ArrayBuffer>) => Uint8Array): StepCall {
  return { ...honest, evidence: edit(Uint8Array.from(honest.evidence)) };
}

function without(bytes: Uint8Array, from: number, count: number): Uint8Array {
  return Uint8Array.from([...bytes.subarray(0, from), ...bytes.subarray(from + count)]);
}

function withRecord(offset: number, ...bytes: number[]): StepCall {
  const record = Uint8Array.from(honest.record);
  record.set(bytes, offset);
  return { ...honest, record };
}

describe('evidence of a step', () => {
  test('the honest call is answered, and its evidence is laid out as described', async () => {
    expect(await chain.step(honest)).toEqual({ value: BigInt(own.tensors[1]![1]!) });
    expect(honest.evidence.subarray(0, SOURCE_AT)).toEqual(parameterOpening);
    expect(SIBLINGS_AT).toBeLessThan(SOURCE_AT);
  });

  test('more leaves than the step needs do no harm', async () => {
    const all = encodeOpening(openBytes(dense.parameters, buildTree(leavesOfBytes(dense.parameters)), [0, 1, 2, 3, 4, 5]));
    const evidence = Uint8Array.from([...all, ...honest.evidence.subarray(SOURCE_AT)]);
    expect(await chain.step({ ...honest, evidence })).toEqual({ value: BigInt(own.tensors[1]![1]!) });
  });

  const forged: [string, () => StepCall, string][] = [
    ['a changed byte of a parameter leaf', () => edited((e) => flip(e, LEAVES_AT + 700, 1)), 'ParametersNotOpened'],
    ['a changed byte of a source leaf', () => edited((e) => flip(e, SOURCE_AT + 2 + 9 + 5, 128)), 'SourceNotOpened'],
    ['a changed sibling', () => edited((e) => flip(e, SIBLINGS_AT, 1)), 'ParametersNotOpened'],
    [
      'two leaves swapped',
      () =>
        edited((e) => {
          const [first, second] = [e.slice(LEAVES_AT, LEAVES_AT + 512), e.slice(LEAVES_AT + 512, LEAVES_AT + 1024)];
          e.set(second, LEAVES_AT);
          e.set(first, LEAVES_AT + 512);
          return e;
        }),
      'ParametersNotOpened',
    ],
    ['a wrong index', () => edited((e) => put(e, 4, 1)), 'ParametersNotOpened'],
    ['an index twice', () => edited((e) => put(e, 7, 2)), 'EvidenceIndices'],
    ['indices out of order', () => edited((e) => put(e, 2, 0, 0, 3, 0, 0, 2)), 'EvidenceIndices'],
    ['an index beyond the blob', () => edited((e) => put(e, 13, 6)), 'EvidenceIndices'],
    ['an index far beyond the blob', () => edited((e) => put(e, 11, 255, 255, 255)), 'EvidenceIndices'],
    [
      'a missing parameter leaf',
      () => {
        const partly = encodeOpening(openBytes(dense.parameters, buildTree(leavesOfBytes(dense.parameters)), [2, 3, 5]));
        return { ...honest, evidence: Uint8Array.from([...partly, ...honest.evidence.subarray(SOURCE_AT)]) };
      },
      'LeafNotOpened',
    ],
    [
      'a missing source leaf',
      () => {
        const partly = encodeOpening(openBytes(own.tensors[0] as Uint8Array, own.trees[0]!, [0, 1]));
        return { ...honest, evidence: Uint8Array.from([...parameterOpening, ...partly]) };
      },
      'LeafNotOpened',
    ],
    ['nothing opened of the parameters', () => edited((e) => Uint8Array.from([0, 0, ...e.subarray(SOURCE_AT)])), 'LeafNotOpened'],
    ['nothing opened at all', () => ({ ...honest, evidence: new Uint8Array(4) }), 'LeafNotOpened'],
    ['no evidence', () => ({ ...honest, evidence: new Uint8Array() }), 'EvidenceTruncated'],
    ['a sibling left over behind the last opening', () => edited((e) => Uint8Array.from([...e, ...EMPTY])), 'EvidenceLeftOver'],
    ['a byte left over', () => edited((e) => Uint8Array.from([...e, 0])), 'EvidenceLeftOver'],
    ['a byte short', () => edited((e) => e.slice(0, -1)), 'EvidenceTruncated'],
    ['ended inside the leaves', () => edited((e) => e.slice(0, LEAVES_AT + 100)), 'EvidenceTruncated'],
    ['ended inside the indices', () => edited((e) => e.slice(0, 5)), 'EvidenceTruncated'],
    ['ended inside the count', () => edited((e) => e.slice(0, 1)), 'EvidenceTruncated'],
    ['ended before the source', () => edited((e) => e.slice(0, SOURCE_AT)), 'EvidenceTruncated'],
    ['a count larger than the evidence', () => edited((e) => put(e, 0, 255, 255)), 'EvidenceTruncated'],
    ['an element out of range', () => ({ ...honest, element: 2 }), 'ElementOutOfRange'],
    ['an element far out of range', () => ({ ...honest, element: 2n ** 256n - 1n }), 'ElementOutOfRange'],
    ['no source root', () => ({ ...honest, sourceRoots: [] }), 'WrongSourceCount'],
    ['a source root too many', () => ({ ...honest, sourceRoots: [own.roots[0]!, own.roots[0]!] }), 'WrongSourceCount'],
    ['the root of another tensor', () => ({ ...honest, sourceRoots: [own.roots[1]!] }), 'SourceNotOpened'],
    [
      'the root of the same bytes as another type',
      () => ({ ...honest, sourceRoots: [wrapTensorTop('i16', INPUTS, own.trees[0]!.top)] }),
      'SourceNotOpened',
    ],
    [
      'the root of the same bytes as another length',
      () => ({ ...honest, sourceRoots: [wrapTensorTop('u8', INPUTS + 1, own.trees[0]!.top)] }),
      'SourceNotOpened',
    ],
    ['a record one byte short', () => ({ ...honest, record: honest.record.slice(0, 203) }), 'MalformedRecord'],
    ['a record one byte long', () => ({ ...honest, record: Uint8Array.from([...honest.record, 0]) }), 'MalformedRecord'],
    ['no record', () => ({ ...honest, record: new Uint8Array() }), 'MalformedRecord'],
    ['an unknown kind', () => withRecord(0, 15), 'MalformedRecord'],
    ['an unknown output type', () => withRecord(1, 3), 'MalformedRecord'],
    ['an unknown source type', () => withRecord(46, 3), 'MalformedRecord'],
    ['reserved bytes set', () => withRecord(3, 1), 'MalformedRecord'],
    ['an unused source slot set', () => withRecord(44 + 8, 1), 'MalformedRecord'],
    ['an unused attribute set', () => withRecord(108 + 4 * 20 + 3, 1), 'MalformedRecord'],
    ['a wrong parameter length', () => withRecord(8, 0, 0, 10, 39), 'MalformedRecord'],
    ['a source length that contradicts the geometry', () => withRecord(48, 0, 0, 5, 21), 'MalformedRecord'],
    ['zero groups', () => withRecord(108 + 4 * 15, 0, 0, 0, 0), 'MalformedRecord'],
    [
      'another parameter root',
      () => withRecord(12, ...Buffer.from(parameterRoot(Uint8Array.of(1)).slice(2), 'hex')),
      'ParametersNotOpened',
    ],
    [
      'the record of an input',
      () => ({ ...honest, record: encodeRecord(program.instructions[0]!, []), sourceRoots: [], element: 0, evidence: new Uint8Array() }),
      'NotComputed',
    ],
    [
      'the record of another instruction',
      () => {
        const other: AnyInstruction = {
          kind: 'isqrt',
          type: 'u8',
          length: INPUTS,
          sources: [0],
          attributes: { shift: 0 },
          parameters: new Uint8Array(),
        };
        return { ...honest, record: encodeRecord(other, [{ type: 'u8', length: INPUTS }]) };
      },
      'EvidenceIndices',
    ],
  ];

  test.each(forged)('refused: %s', async (_name, call, error) => {
    expect(await chain.step(call())).toEqual({ error });
  });

  test('refused: any sibling left out', async () => {
    for (let from = SIBLINGS_AT; from < SOURCE_AT; from += 32) {
      const answer = await chain.step(edited((e) => without(e, from, 32)));
      expect('error' in answer, `sibling at ${from}`).toBe(true);
    }
  });

  test('no damaged evidence proves another value', async () => {
    const right = BigInt(own.tensors[1]![1]!);
    let refused = 0;
    for (let i = 0; i < 200; i++) {
      const call = edited((e) => {
        const style = r.integer(0, 2);
        const place = r.integer(0, e.length - 1);
        if (style === 0) return flip(e, place, 1 << r.integer(0, 7));
        if (style === 1) return without(e, place, r.integer(1, 600));
        return Uint8Array.from([...e.subarray(0, place), ...e.subarray(r.integer(0, place))]);
      });
      const answer = await chain.step(call);
      if ('error' in answer) refused++;
      else expect(answer.value).toBe(right);
    }
    expect(refused).toBeGreaterThan(190);
  });

  test('a source that the step does not read needs no leaf: both sides of a choice', async () => {
    const select: AnyInstruction = {
      kind: 'select',
      type: 'u8',
      length: 2,
      sources: [0, 1, 2],
      attributes: { threshold: 0 },
      parameters: new Uint8Array(),
    };
    const chosen = programOf(
      [1, 2, 3].map(() => ({ type: 'u8', length: 2 })),
      [select],
    );
    const run = buildTrace(execute(chosen, [Uint8Array.of(0, 1), Uint8Array.of(10, 11), Uint8Array.of(20, 21)]));
    for (const [element, value] of [
      [0, 20n],
      [1, 11n],
    ] as const) {
      const call = {
        record: encodeRecord(select, sourceShapes(chosen, select)),
        element,
        sourceRoots: run.roots.slice(0, 3),
        ...stepEvidenceOf(chosen, 3, element, run),
      };
      expect(await chain.step(call)).toEqual({ value });
      const other = stepEvidenceOf(chosen, 3, 1 - element, run).evidence;
      expect(await chain.step({ ...call, evidence: other })).toEqual({ error: 'LeafNotOpened' });
    }
  });
});
