import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import type { Case } from '../../core/cases.ts';

const fixtures = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../test/fixtures');
const PIXELS = 784;

/** A demo model: how pixels reach it, and which tier it shows. */
export interface DemoModel {
  readonly name: string;
  readonly file: string;
  readonly inputName: string;
  prepare(pixel: number): number;
}

/** Image classifiers from the fixtures, licences in test/fixtures/README.md. */
export const DEMO_MODELS = {
  /** Convolutions: the optimistic tier. */
  optimistic: {
    name: 'mnist-cnn-cntk',
    file: path.join(fixtures, 'models/mnist-cnn-cntk/model.onnx'),
    inputName: 'Input3',
    prepare: (pixel) => pixel,
  },
  /** A small network: the zk tier. */
  proved: {
    name: 'mnist-maxpool-mlp',
    file: path.join(fixtures, 'models/mnist-maxpool-mlp/model.onnx'),
    inputName: 'image',
    prepare: (pixel) => (pixel / 255 - 0.1307) / 0.3081,
  },
} as const satisfies Record<string, DemoModel>;

export interface LabelledImages {
  readonly count: number;
  image(i: number): Uint8Array;
  label(i: number): number;
}

/** Real MNIST test images with their labels: 800 of them. */
export async function loadImages(): Promise<LabelledImages> {
  const pixels = new Uint8Array(gunzipSync(await readFile(path.join(fixtures, 'mnist/images.u8.gz'))));
  const labels = new Uint8Array(await readFile(path.join(fixtures, 'mnist/labels.u8')));
  return {
    count: labels.length,
    image: (i) => pixels.subarray(PIXELS * i, PIXELS * (i + 1)),
    label: (i) => labels[i]!,
  };
}

/** One image as a case for a model. */
export function imageCase(model: DemoModel, images: LabelledImages, i: number): Case {
  const data = Float32Array.from(images.image(i), model.prepare);
  return { inputs: [{ name: model.inputName, type: 'float32', dims: [1, 1, 28, 28], data }], outputs: [], label: images.label(i) };
}

export function imageCases(model: DemoModel, images: LabelledImages, from: number, count: number): Case[] {
  return Array.from({ length: count }, (_, i) => imageCase(model, images, from + i));
}
