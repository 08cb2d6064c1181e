import type { Kind } from '../program/types.ts';
import { refuse, requireInteger } from './operation.ts';

/** Geometry shared by linear, max and sum: tensors are [batch, height, width, channels], channels last. */
export interface WindowAttributes {
  readonly batch: number;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly outHeight: number;
  readonly outWidth: number;
  readonly kernelHeight: number;
  readonly kernelWidth: number;
  readonly strideHeight: number;
  readonly strideWidth: number;
  readonly dilationHeight: number;
  readonly dilationWidth: number;
  readonly padTop: number;
  readonly padLeft: number;
}

const SIZE = 1 << 26;

/** Checks ranges and that the source holds batch·height·width·channels elements. Padding is smaller than the dilated kernel. */
export function requireWindow(kind: Kind, w: WindowAttributes, sourceLength: number): void {
  const sizes = { batch: w.batch, height: w.height, width: w.width, channels: w.channels, outHeight: w.outHeight, outWidth: w.outWidth };
  for (const [name, value] of Object.entries(sizes)) requireInteger(kind, name, value, 1, SIZE);
  requireInteger(kind, 'kernelHeight', w.kernelHeight, 1, 1 << 16);
  requireInteger(kind, 'kernelWidth', w.kernelWidth, 1, 1 << 16);
  const steps = {
    strideHeight: w.strideHeight,
    strideWidth: w.strideWidth,
    dilationHeight: w.dilationHeight,
    dilationWidth: w.dilationWidth,
  };
  for (const [name, value] of Object.entries(steps)) requireInteger(kind, name, value, 1, 1 << 16);
  requireInteger(kind, 'padTop', w.padTop, 0, (w.kernelHeight - 1) * w.dilationHeight);
  requireInteger(kind, 'padLeft', w.padLeft, 0, (w.kernelWidth - 1) * w.dilationWidth);
  const expected = w.batch * w.height * w.width * w.channels;
  if (expected !== sourceLength) refuse(kind, 'the source does not have the length of the window geometry', { sourceLength, expected });
}

/** Calls `visit(batch, outY, outX)` for every output pixel, in the order of the output tensor. */
export function eachPixel(w: WindowAttributes, visit: (batch: number, outY: number, outX: number) => void): void {
  for (let batch = 0; batch < w.batch; batch++)
    for (let y = 0; y < w.outHeight; y++) for (let x = 0; x < w.outWidth; x++) visit(batch, y, x);
}

/** Calls `visit(rowOffset, kernelIndex)` for each tap inside the image: rowOffset is the element index of channel 0 there. */
export function eachTap(
  w: WindowAttributes,
  batch: number,
  outY: number,
  outX: number,
  visit: (offset: number, tap: number) => void,
): void {
  for (let ky = 0; ky < w.kernelHeight; ky++) {
    const y = outY * w.strideHeight - w.padTop + ky * w.dilationHeight;
    if (y < 0 || y >= w.height) continue;
    for (let kx = 0; kx < w.kernelWidth; kx++) {
      const x = outX * w.strideWidth - w.padLeft + kx * w.dilationWidth;
      if (x < 0 || x >= w.width) continue;
      visit(((batch * w.height + y) * w.width + x) * w.channels, ky * w.kernelWidth + kx);
    }
  }
}
