import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { Case } from '../core/cases.ts';

/** One labelled data set of the case folder: rows of bytes and what they show. */
export interface Labelled {
  readonly rows: readonly Float32Array[];
  readonly labels: readonly number[];
}

export type DataSet = 'mnist' | 'cifar10' | 'cifar10_lossless' | 'kws' | 'iris';

interface Preparation {
  readonly prep: 'raw255' | 'unit' | 'norm' | 'none';
  readonly layout?: 'hwc' | 'chw' | undefined;
}

function slices(bytes: Uint8Array, width: number): Uint8Array[] {
  return Array.from({ length: bytes.length / width }, (_, i) => bytes.subarray(i * width, (i + 1) * width));
}

function unzip(folder: string, name: string): Uint8Array {
  return gunzipSync(readFileSync(join(folder, 'data', name)));
}

const STATISTICS = {
  mnist: { mean: [0.1307], deviation: [0.3081] },
  cifar10: { mean: [0.4914, 0.4822, 0.4465], deviation: [0.2023, 0.1994, 0.201] },
};

/** Pixels as the model wants them. */
function prepare(
  pixels: Uint8Array,
  channels: number,
  { prep, layout }: Preparation,
  statistics: { mean: readonly number[]; deviation: readonly number[] },
): Float32Array {
  const count = pixels.length / channels;
  const out = new Float32Array(pixels.length);
  for (let p = 0; p < count; p++)
    for (let c = 0; c < channels; c++) {
      const value = pixels[p * channels + c]!;
      const scaled =
        prep === 'raw255' || prep === 'none'
          ? value
          : prep === 'unit'
            ? value / 255
            : (value / 255 - statistics.mean[c]!) / statistics.deviation[c]!;
      out[layout === 'chw' ? c * count + p : p * channels + c] = scaled;
    }
  return out;
}

/** Reads a labelled data set from the case folder. */
export function readLabelled(folder: string, set: DataSet, preparation: Preparation): Labelled {
  const bytesOf = (name: string): number[] => Array.from(readFileSync(join(folder, 'data', name)));
  switch (set) {
    case 'mnist':
      return {
        rows: slices(unzip(folder, 'mnist_images_u8_28x28.bin.gz'), 784).map((row) => prepare(row, 1, preparation, STATISTICS.mnist)),
        labels: bytesOf('mnist_labels_u8.bin'),
      };
    case 'cifar10':
      return {
        rows: slices(unzip(folder, 'cifar10_images_u8_hwc_32x32x3.bin.gz'), 3072).map((row) =>
          prepare(row, 3, preparation, STATISTICS.cifar10),
        ),
        labels: bytesOf('cifar10_labels_u8.bin'),
      };
    case 'cifar10_lossless': {
      const labels: unknown = JSON.parse(readFileSync(join(folder, 'data', 'cifar10_lossless_labels.json'), 'utf8'));
      const list = (Array.isArray(labels) ? labels : (labels as { labels: unknown[] }).labels).map((entry) =>
        typeof entry === 'number' ? entry : (entry as { label: number }).label,
      );
      return {
        rows: slices(unzip(folder, 'cifar10_lossless_u8_hwc_32x32x3.bin.gz'), 3072).map((row) =>
          prepare(row, 3, preparation, STATISTICS.cifar10),
        ),
        labels: list,
      };
    }
    case 'kws': {
      const rows = slices(unzip(folder, 'kws_mfcc_i8_49x10.bin.gz'), 490).map((row) =>
        Float32Array.from(new Int8Array(row.buffer, row.byteOffset, row.length), (q) => (q - 83) * 0.5847029089927673),
      );
      return { rows, labels: bytesOf('kws_labels_u8.bin') };
    }
    case 'iris': {
      const lines = readFileSync(join(folder, 'data', 'iris.csv'), 'utf8')
        .trim()
        .split(/\r?\n/)
        .map((line) => line.split(/[,\t ]+/));
      const numeric = lines.filter((cells) => cells.every((cell) => Number.isFinite(Number(cell))));
      const labelFirst = numeric.every((cells) => Number.isInteger(Number(cells[0])) && Number(cells[0]) < 3);
      return {
        rows: numeric.map((cells) => Float32Array.from(labelFirst ? cells.slice(1) : cells.slice(0, 4), Number)),
        labels: numeric.map((cells) => Number(labelFirst ? cells[0] : cells[4])),
      };
    }
  }
}

/** A labelled row as a case of a model with one input. */
export function caseOf(name: string, dims: readonly number[], data: Float32Array, label: number): Case {
  return { inputs: [{ name, type: 'float32', dims, data }], outputs: [], label };
}
