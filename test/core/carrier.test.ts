import { describe, expect, test } from 'vitest';
import { buildCarrier } from '../../core/carrier/carrier.ts';
import { ProtobufWriter } from '../../core/carrier/protobuf.ts';
import { execute } from '../../core/execute.ts';
import { decodeModel, type GraphMessage, toNumber } from '../../core/onnx/schema.ts';
import { COMPUTED_KINDS, programOf, randomCase } from '../support/instructions.ts';
import { mobilenet, resnet8 } from '../support/networks.ts';
import { Random } from '../support/random.ts';
import { smallInstruction } from '../support/small-instructions.ts';

/** Operators that are exact on every processor, used as docs/carrier.md says. */
const EXACT = new Set(
  (
    'Add ArgMax ArgMin Cast Clip Concat Div Expand Gather GatherElements Greater Identity Less LessOrEqual MatMulInteger Mod Mul ' +
    'NhwcMaxPool QLinearConv ReduceMax ReduceMin ReduceSum Reshape Sqrt Sub Transpose Where'
  ).split(' '),
);
const INT64 = 7;

function graphOf(carrier: Uint8Array): GraphMessage {
  return decodeModel(carrier).graph!;
}

describe('a carrier holds exact operators alone', () => {
  test.each(COMPUTED_KINDS)('%s', (kind) => {
    const r = new Random(17);
    for (let i = 0; i < 60; i++) {
      const graph = graphOf(buildCarrier(randomCase(kind, r).program, { trace: true }));
      const types = new Map(graph.initializer.map((tensor) => [tensor.name, tensor.dataType]));
      for (const node of graph.node) {
        expect(EXACT).toContain(node.opType);
        // onnxruntime's 64-bit Clip compares 32 bits on some processors.
        if (node.opType === 'Clip') expect(types.get(node.input[1]!)).not.toBe(INT64);
        // A signed weight beyond 64 saturates without VNNI.
        if (node.opType !== 'QLinearConv' && node.opType !== 'MatMulInteger') continue;
        const weight = graph.initializer.find((tensor) => tensor.name === node.input[node.opType === 'QLinearConv' ? 3 : 1]);
        if (weight?.dataType === 3) for (const value of new Int8Array(weight.rawData!)) expect(Math.abs(value)).toBeLessThanOrEqual(64);
      }
    }
  });
});

describe('the quick ways are taken', () => {
  const countOf = (graph: GraphMessage, operator: string): number => graph.node.filter((node) => node.opType === operator).length;

  test.each([
    ['ResNet-8', resnet8, 9],
    ['MobileNet', mobilenet, 27],
  ] as const)('%s: every convolution is one fused operator, and no layer is transposed', (_, network, convolutions) => {
    const graph = graphOf(buildCarrier(network(new Random(1))));
    expect(countOf(graph, 'QLinearConv')).toBe(convolutions);
    expect(countOf(graph, 'Transpose')).toBe(0);
  });

  test('a byte-wide max pool is one operator; a map that only renames is none', () => {
    const pool = smallInstruction('max', {});
    const poolGraph = graphOf(buildCarrier(programOf(pool.sources, [pool.instruction])));
    expect(countOf(poolGraph, 'NhwcMaxPool')).toBe(1);
    const same = smallInstruction('map', { parameters: new Uint8Array(Uint32Array.of(0, 1, 2, 3).buffer) });
    const sameProgram = programOf(same.sources, [same.instruction]);
    expect(graphOf(buildCarrier(sameProgram)).node.map((node) => node.opType)).toEqual(['Identity']);
    expect(execute(sameProgram, [Uint8Array.of(4, 3, 2, 1)]).at(-1)).toEqual(Uint8Array.of(4, 3, 2, 1));
  });
});

describe('protobuf writer', () => {
  test('integers survive the reader of the importer', () => {
    for (const value of [0, 1, 127, 128, 300, 2 ** 31, 2 ** 40, 2 ** 53 - 1, -1, -2, -(2 ** 31), -(2 ** 53) + 1]) {
      const dims = new ProtobufWriter().message(
        7,
        new ProtobufWriter().message(5, new ProtobufWriter().integers(1, [value, 5]).integer(2, 6)),
      );
      const [tensor] = decodeModel(dims.finish()).graph!.initializer;
      expect(tensor!.dims.map(toNumber)).toEqual([value, 5]);
    }
  });
});
