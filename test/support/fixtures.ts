import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { type Case, parseCases } from '../../core/cases.ts';
import type { Graph } from '../../core/onnx/graph.ts';
import { type ElementType, type Tensor, tensor } from '../../core/onnx/tensor.ts';

const fixtures = path.join(import.meta.dirname, '../fixtures');

/** The larger folder of cases beside the repository; absent in a bare clone. */
export const CASE_FOLDER = path.join(import.meta.dirname, '../../../shared/cases');
export const hasCaseFolder = existsSync(path.join(CASE_FOLDER, 'manifest.json'));

export const FIXTURE_MODELS = [
  'mnist-cnn-cntk',
  'mnist-maxpool-mlp',
  'linear-regression',
  'iris-randomforest-sklearn',
  'iris-lightgbm-decomposed',
  'iris-decision-tree-hummingbird',
  'layernorm',
  'rnn-small',
  'qtdnn-int8',
] as const;

export interface ModelCases {
  readonly onnx: Uint8Array;
  readonly cases: Case[];
}

export function readModel(folder: string): ModelCases {
  return { onnx: readFileSync(path.join(folder, 'model.onnx')), cases: parseCases(readFileSync(path.join(folder, 'cases.json'), 'utf8')) };
}

export function fixtureModel(name: (typeof FIXTURE_MODELS)[number]): ModelCases {
  return readModel(path.join(fixtures, 'models', name));
}

export function feedsFor(graph: Graph, one: Case): Map<string, Tensor> {
  return new Map(
    one.inputs.map((input) => [
      input.name,
      tensor((graph.inputs.find((i) => i.name === input.name)?.type ?? input.type) as ElementType, input.dims, input.data),
    ]),
  );
}

/** MNIST rows of the fixtures as cases of a model. */
export function mnistCases(input: string, prepare: (pixel: number) => number): Case[] {
  const pixels = gunzipSync(readFileSync(path.join(fixtures, 'mnist/images.u8.gz')));
  return Array.from(readFileSync(path.join(fixtures, 'mnist/labels.u8')), (label, i) => ({
    inputs: [
      { name: input, type: 'float32', dims: [1, 1, 28, 28], data: Float32Array.from(pixels.subarray(784 * i, 784 * (i + 1)), prepare) },
    ],
    outputs: [],
    label,
  }));
}

/** Iris rows of the fixtures as cases of a model. */
export function irisCases(input: string): Case[] {
  const lines = readFileSync(path.join(fixtures, 'iris.csv'), 'utf8').trim().split('\n').slice(1);
  return lines.map((line) => {
    const [label, ...features] = line.split(',').map(Number);
    return { inputs: [{ name: input, type: 'float32', dims: [1, 4], data: Float32Array.from(features) }], outputs: [], label: label! };
  });
}
