import type { InputNode } from '../onnx/lower/net.ts';
import { allocate } from '../tensor.ts';
import { columnQuantizations } from './columns.ts';
import type { IntegerTensor } from './emitter.ts';
import { toInteger } from './integers.ts';
import { classOf, type Quantizer, quantizationOf } from './quantizer.ts';

/** Step of a grid of at most 256 values on which all the given ones lie (pixels), or undefined. */
function pixelGrid(runs: readonly ArrayLike<number>[]): { step: number; low: number } | undefined {
  const seen = new Set<number>();
  for (const values of runs)
    for (let i = 0; i < values.length; i++) {
      seen.add(values[i]!);
      if (seen.size > 256) return undefined;
    }
  const sorted = [...seen].sort((a, b) => a - b);
  if (sorted.length < 8) return undefined;
  let step = Number.POSITIVE_INFINITY;
  for (let i = 1; i < sorted.length; i++) step = Math.min(step, sorted[i]! - sorted[i - 1]!);
  const low = sorted[0]!;
  const high = sorted[sorted.length - 1]!;
  // Neighbouring floats differ by rounding: the step is refined from the whole span.
  const count = Math.round((high - low) / step);
  if (count > 255 || count < 1) return undefined;
  const fine = (high - low) / count;
  return sorted.every((v) => Math.abs((v - low) / fine - Math.round((v - low) / fine)) < 0.02) ? { step: fine, low } : undefined;
}

export function input(q: Quantizer, id: number, node: InputNode): IntegerTensor {
  const own = classOf(q, id);
  const runs = q.runs.map((values) => values[id]!);
  if (!own.exact && own.type === 'u8' && own.quantization === undefined) {
    const grid = pixelGrid(runs);
    const zero = grid === undefined ? 0 : Math.round(-grid.low / grid.step);
    if (grid !== undefined && zero >= 0 && zero <= 255 && Math.abs(grid.low + zero * grid.step) < 0.01 * grid.step)
      own.quantization = { type: 'u8', scale: grid.step, zero };
    else if (grid !== undefined && grid.low < 0) own.quantization = { type: 'u8', scale: grid.step, zero };
  }
  const columns = own.quantization === undefined ? columnQuantizations(q, id, node, own) : undefined;
  if (columns !== undefined) {
    const scale = Math.max(...columns.map((column) => column.scale));
    const isEven = columns.every(({ zero }) => zero === columns[0]!.zero);
    own.quantization = { type: own.type, scale, zero: isEven ? columns[0]!.zero : 128 };
  }
  const quantization = quantizationOf(q, id);
  const of = columns ?? [quantization];
  q.emitter.label = node.name;
  return {
    position: q.emitter.input(
      quantization.type,
      node.length,
      runs.map((values) => {
        const out = allocate(quantization.type, values.length);
        for (let e = 0; e < out.length; e++) out[e] = toInteger(values[e]!, of[e % of.length]!);
        return out;
      }),
    ),
    quantization,
    ...(columns !== undefined && { channels: columns }),
  };
}
