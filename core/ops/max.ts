import { TYPE_MAXIMUM, TYPE_MINIMUM } from '../tensor.ts';
import { type Operation, refuse, requireInteger, requireLength, requireParameters, requireSources } from './operation.ts';
import { eachPixel, eachTap, requireWindow } from './window.ts';

/**
 * Largest (`minimum` = 0) or smallest (1) value of each window, per channel; taps outside the image are skipped; a window
 * without taps yields the type's extreme. Same type in and out; output [batch, outHeight, outWidth, channels].
 * Cost of a step: kernel comparisons. ONNX: MaxPool, ReduceMax, ReduceMin.
 */
export const max: Operation<'max'> = {
  validate(instruction, sources) {
    const a = instruction.attributes;
    requireSources('max', sources, 1);
    requireWindow('max', a, sources[0]!.length);
    requireInteger('max', 'minimum', a.minimum, 0, 1);
    if (instruction.type !== sources[0]!.type) refuse('max', 'the type must be that of the source');
    requireLength('max', instruction.length, a.batch * a.outHeight * a.outWidth * a.channels);
    requireParameters('max', instruction.parameters, 0);
  },

  execute(instruction, sources, out) {
    const a = instruction.attributes;
    const x = sources[0]!;
    const isMinimum = a.minimum === 1;
    out.fill(isMinimum ? TYPE_MAXIMUM[instruction.type] : TYPE_MINIMUM[instruction.type]);
    let position = 0;
    eachPixel(a, (batch, y, column) => {
      eachTap(a, batch, y, column, (offset) => {
        for (let c = 0; c < a.channels; c++) {
          const value = x[offset + c]!;
          const known = out[position + c]!;
          if (isMinimum ? value < known : value > known) out[position + c] = value;
        }
      });
      position += a.channels;
    });
  },

  step(instruction, _sources, element, access) {
    return best(instruction, element, (index) => access.source(0, index));
  },
};

function best(instruction: Parameters<typeof max.execute>[0], element: number, read: (index: number) => number): number {
  const a = instruction.attributes;
  const channel = element % a.channels;
  const pixel = Math.floor(element / a.channels);
  const outY = Math.floor(pixel / a.outWidth) % a.outHeight;
  const batch = Math.floor(pixel / (a.outWidth * a.outHeight));
  let result = a.minimum === 1 ? TYPE_MAXIMUM[instruction.type] : TYPE_MINIMUM[instruction.type];
  eachTap(a, batch, outY, pixel % a.outWidth, (offset) => {
    const value = read(offset + channel);
    if (a.minimum === 1 ? value < result : value > result) result = value;
  });
  return result;
}
