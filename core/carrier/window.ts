import { AssayError } from '../errors.ts';
import { eachTap, type WindowAttributes } from '../ops/window.ts';
import type { GraphBuilder, Value } from './graph.ts';

/** Most indices that one window table may hold: what a carrier would need more memory for is refused. */
const INDEX_LIMIT = 1 << 24;

/**
 * Rows of the source under each window: [pixels, taps, channels], from a source seen as [batch·height·width, channels].
 * Taps outside the image read a row of `padding`. General and exact for every type; a tap costs one copied row.
 */
export function gatherRows(g: GraphBuilder, source: Value, w: WindowAttributes, padding: number): Value {
  const image = w.batch * w.height * w.width;
  const taps = w.kernelHeight * w.kernelWidth;
  const pixels = w.batch * w.outHeight * w.outWidth;
  if (pixels * taps > INDEX_LIMIT) {
    throw new AssayError('A window is too large to serve', {
      code: 'CARRIER_TOO_LARGE',
      facts: { pixels, taps, limit: INDEX_LIMIT },
      fix: 'split the pool or convolution into smaller ones and compile again',
    });
  }
  const { rows, padded } = windowRows(w, pixels, taps, image);
  const flat = g.reshape(source, [image, w.channels]);
  if (!padded && rows.length === image && rows.every((row, i) => row === i)) return g.reshape(flat, [pixels, taps, w.channels]);
  const data = padded ? appendRow(g, flat, image, w.channels, padding) : flat;
  const options = { type: source.type, dims: [pixels, taps, w.channels], attributes: { axis: 0 } };
  return g.node('Gather', [data, g.constant('i32', [pixels, taps], rows)], options);
}

function windowRows(w: WindowAttributes, pixels: number, taps: number, image: number): { rows: Int32Array; padded: boolean } {
  const rows = new Int32Array(pixels * taps).fill(image);
  let inside = 0;
  let base = 0;
  for (let n = 0; n < w.batch; n++)
    for (let y = 0; y < w.outHeight; y++)
      for (let x = 0; x < w.outWidth; x++) {
        eachTap(w, n, y, x, (offset, tap) => {
          rows[base + tap] = offset / w.channels;
          inside++;
        });
        base += taps;
      }
  return { rows, padded: inside !== rows.length };
}

function appendRow(g: GraphBuilder, flat: Value, image: number, channels: number, value: number): Value {
  const row = g.constant(flat.type as 'u8' | 'i32', [1, channels], new Array<number>(channels).fill(value));
  return g.node('Concat', [flat, row], { type: flat.type, dims: [image + 1, channels], attributes: { axis: 0 } });
}

/** Padding after the image that gives exactly the window's output size; negative when the last rows are not read. */
export function padEnd(w: WindowAttributes): { bottom: number; right: number } {
  const need = (out: number, stride: number, kernel: number, dilation: number): number => (out - 1) * stride + (kernel - 1) * dilation + 1;
  return {
    bottom: need(w.outHeight, w.strideHeight, w.kernelHeight, w.dilationHeight) - w.padTop - w.height,
    right: need(w.outWidth, w.strideWidth, w.kernelWidth, w.dilationWidth) - w.padLeft - w.width,
  };
}

/**
 * Attributes of ONNX's own window operators, when their output size is the window's: no further window fits after the last one, and
 * padding stays within the dilated kernel (`of` = convolution) or below the kernel (pool, which refuses more).
 */
export function onnxWindow(w: WindowAttributes, of: 'convolution' | 'pool'): Record<string, readonly number[]> | undefined {
  const { bottom, right } = padEnd(w);
  if (-bottom >= w.strideHeight || -right >= w.strideWidth) return undefined;
  const most = (kernel: number, dilation: number): number => (of === 'pool' ? kernel - 1 : (kernel - 1) * dilation);
  if (Math.max(w.padTop, bottom) > most(w.kernelHeight, w.dilationHeight)) return undefined;
  if (Math.max(w.padLeft, right) > most(w.kernelWidth, w.dilationWidth)) return undefined;
  return {
    kernel_shape: [w.kernelHeight, w.kernelWidth],
    strides: [w.strideHeight, w.strideWidth],
    dilations: [w.dilationHeight, w.dilationWidth],
    pads: [w.padTop, w.padLeft, Math.max(bottom, 0), Math.max(right, 0)],
  };
}
