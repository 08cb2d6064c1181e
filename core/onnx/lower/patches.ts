import { eachTap, type WindowAttributes } from '../../ops/window.ts';

/** Output pixels of a window over all batches. */
export function pixelCount(window: WindowAttributes): number {
  return window.batch * window.outHeight * window.outWidth;
}

/** Whether patches are the tensor itself: one tap, no stride, no padding. */
function isPointwise(w: WindowAttributes): boolean {
  return (
    w.kernelHeight === 1 &&
    w.kernelWidth === 1 &&
    w.strideHeight === 1 &&
    w.strideWidth === 1 &&
    w.padTop === 0 &&
    w.padLeft === 0 &&
    w.outHeight === w.height &&
    w.outWidth === w.width
  );
}

/**
 * Patches of one group as rows [pixels, taps·perGroup] in the weights' order; taps in the padding hold `padding`.
 * @param pixels which output pixels, ascending; all of them when undefined
 */
export function patchRows(
  x: ArrayLike<number>,
  w: WindowAttributes,
  firstChannel: number,
  perGroup: number,
  padding = 0,
  pixels?: Int32Array,
): ArrayLike<number> {
  if (pixels === undefined && perGroup === w.channels && isPointwise(w)) return x;
  const taps = w.kernelHeight * w.kernelWidth;
  const count = pixels?.length ?? pixelCount(w);
  const rows = new Float32Array(count * taps * perGroup);
  if (padding !== 0) rows.fill(padding);
  for (let p = 0; p < count; p++) {
    const pixel = pixels === undefined ? p : pixels[p]!;
    const ox = pixel % w.outWidth;
    const oy = Math.floor(pixel / w.outWidth) % w.outHeight;
    const base = p * taps * perGroup;
    eachTap(w, Math.floor(pixel / (w.outWidth * w.outHeight)), oy, ox, (offset, tap) => {
      const to = base + tap * perGroup;
      const from = offset + firstChannel;
      for (let c = 0; c < perGroup; c++) rows[to + c] = x[from + c]!;
    });
  }
  return rows;
}
