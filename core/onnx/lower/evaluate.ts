import { eachTap, type WindowAttributes } from '../../ops/window.ts';
import { standardize } from '../evaluate/normalization.ts';
import { productTransposed } from '../evaluate/product.ts';
import type { Bounds, LinearNode, Net, NetNode } from './net.ts';
import { patchRows, pixelCount } from './patches.ts';

export type Values = Float32Array | Float64Array;

function clampAll(values: Values, { low, high }: Bounds): Values {
  if (low === Number.NEGATIVE_INFINITY && high === Number.POSITIVE_INFINITY) return values;
  for (let i = 0; i < values.length; i++) values[i] = Math.min(high, Math.max(low, values[i]!));
  return values;
}

function linear(node: LinearNode, x: Values, out: Values): void {
  const { window: w, groups, outChannels, weights, bias } = node;
  const perGroup = w.channels / groups;
  const outPerGroup = outChannels / groups;
  const fan = w.kernelHeight * w.kernelWidth * perGroup;
  const pixels = pixelCount(w);
  const narrow = Float32Array.from(weights);
  for (let g = 0; g < groups; g++) {
    const rows = patchRows(x, w, g * perGroup, perGroup);
    productTransposed(rows, narrow, out, pixels, outPerGroup, fan, 0, g * outPerGroup * fan, g * outPerGroup, outChannels);
  }
  for (let p = 0; p < pixels; p++) for (let o = 0; o < outChannels; o++) out[p * outChannels + o]! += bias[o]!;
}

/** Folds every window of every channel. */
function fold(w: WindowAttributes, x: Values, out: Values, start: number, f: (total: number, value: number) => number): void {
  let to = 0;
  for (let n = 0; n < w.batch; n++)
    for (let oy = 0; oy < w.outHeight; oy++)
      for (let ox = 0; ox < w.outWidth; ox++, to += w.channels) {
        out.fill(start, to, to + w.channels);
        eachTap(w, n, oy, ox, (offset) => {
          for (let c = 0; c < w.channels; c++) out[to + c] = f(out[to + c]!, x[offset + c]!);
        });
      }
}

function softmax(x: Values, out: Values, width: number, logarithm: boolean): void {
  for (let from = 0; from < x.length; from += width) {
    let top = Number.NEGATIVE_INFINITY;
    for (let i = 0; i < width; i++) top = Math.max(top, x[from + i]!);
    let total = 0;
    for (let i = 0; i < width; i++) total += Math.exp(x[from + i]! - top);
    for (let i = 0; i < width; i++) out[from + i] = logarithm ? x[from + i]! - top - Math.log(total) : Math.exp(x[from + i]! - top) / total;
  }
}

const RELATIONS = {
  greater: (a: number, b: number) => a > b,
  greaterOrEqual: (a: number, b: number) => a >= b,
  equal: (a: number, b: number) => a === b,
};

function clampIndex(value: number, size: number): number {
  return Math.min(size - 1, Math.max(0, Math.round(value)));
}

/** One node in float arithmetic. */
export function evaluateNetNode(node: NetNode, sources: readonly Values[]): Values {
  const out: Values =
    node.kind === 'lookup' || node.kind === 'map' || node.kind === 'tree' ? new Float64Array(node.length) : new Float32Array(node.length);
  const [x, y, z] = sources as [Values, Values, Values];
  switch (node.kind) {
    case 'input':
      throw new RangeError('an input is given, not computed');
    case 'linear':
      linear(node, x, out);
      return clampAll(out, node.bounds);
    case 'matmul':
      for (let b = 0; b < node.batch; b++) {
        productTransposed(
          x,
          y,
          out,
          node.rows,
          node.columns,
          node.inner,
          b * node.rows * node.inner,
          (node.shareB ? 0 : b) * node.columns * node.inner,
          b * node.rows * node.columns,
        );
      }
      for (let e = 0; e < out.length; e++) out[e]! *= node.scale;
      return clampAll(out, node.bounds);
    case 'rescale':
      for (let e = 0; e < out.length; e++) {
        const c = Math.floor(e / node.channelInner) % node.a.length;
        out[e] = node.a[c]! * x[e]! + (y === undefined ? 0 : node.b[c]! * y[Math.floor(e / node.innerB) % y.length]!) + node.bias[c]!;
      }
      return clampAll(out, node.bounds);
    case 'multiply':
      for (let e = 0; e < out.length; e++) out[e] = node.scale * x[e]! * y[Math.floor(e / node.innerB) % y.length]!;
      return clampAll(out, node.bounds);
    case 'divide':
      for (let e = 0; e < out.length; e++) out[e] = x[e]! / y[Math.floor(e / node.innerB) % y.length]!;
      return out;
    case 'unary':
      for (let e = 0; e < out.length; e++) out[e] = node.functions[Math.floor(e / node.channelInner) % node.functions.length]!(x[e]!);
      return out;
    case 'max':
      fold(node.window, x, out, node.minimum ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY, node.minimum ? Math.min : Math.max);
      return out;
    case 'sum':
      fold(node.window, x, out, 0, (total, value) => total + value);
      for (let e = 0; e < out.length; e++) out[e]! *= node.scale;
      return clampAll(out, node.bounds);
    case 'map': {
      const joined = new Float64Array(sources.reduce((sum, source) => sum + source.length, node.constants.length));
      let at = 0;
      for (const part of [...sources, node.constants]) {
        joined.set(part, at);
        at += part.length;
      }
      for (let e = 0; e < out.length; e++) out[e] = joined[node.index[e]!]!;
      return out;
    }
    case 'lookup':
      for (let e = 0; e < out.length; e++) {
        const j = Math.floor(e / node.width);
        out[e] =
          node.table[((j % node.channels) * node.entries + clampIndex(x[j]! - node.offset, node.entries)) * node.width + (e % node.width)]!;
      }
      return out;
    case 'gather':
      for (let e = 0; e < out.length; e++) {
        const j = Math.floor(e / node.width);
        const o = Math.floor(j / node.count);
        const index = y[node.perOuter ? j : j % node.count]!;
        out[e] = x[(o * node.axis + clampIndex(index < 0 ? index + node.axis : index, node.axis)) * node.width + (e % node.width)]!;
      }
      return out;
    case 'select':
      for (let e = 0; e < out.length; e++) out[e] = x[e]! > 0 ? y[e]! : z[e]!;
      return out;
    case 'compare':
      for (let e = 0; e < out.length; e++) {
        const other =
          y === undefined
            ? node.constants[Math.floor(e / node.channelInner) % node.constants.length]!
            : y[Math.floor(e / node.innerB) % y.length]!;
        out[e] = RELATIONS[node.relation](x[e]!, other) ? 1 : 0;
      }
      return out;
    case 'arg':
      for (let e = 0; e < out.length; e++) {
        const base = Math.floor(e / node.inner) * node.axis * node.inner + (e % node.inner);
        let best = 0;
        for (let i = 1; i < node.axis; i++) {
          const [a, b] = [x[base + i * node.inner]!, x[base + best * node.inner]!];
          if (node.minimum ? a < b : a > b) best = i;
        }
        out[e] = best;
      }
      return out;
    case 'softmax':
      softmax(x, out, node.width, node.logarithm);
      return out;
    case 'normalize':
      out.set(standardize({ type: 'float32', dims: [x.length], data: x }, node.width, node.epsilon, node.center).data);
      return out;
    case 'tree':
      for (let e = 0; e < out.length; e++) {
        const tree = node.trees[e % node.trees.length]!;
        const row = Math.floor(e / node.trees.length) * node.features;
        let at = 0;
        while (!tree[at]!.leaf) {
          const { feature, threshold, strict, left, right } = tree[at]!;
          const value = x[row + feature]!;
          at = value < threshold || (!strict && value === threshold) ? left : right;
        }
        out[e] = at;
      }
      return out;
  }
}

/** All tensors of the network for one set of inputs (in the order of its input nodes). */
export function evaluateNet(net: Net, inputs: readonly Values[]): Values[] {
  const values: Values[] = [];
  let next = 0;
  for (const node of net.nodes) {
    values.push(
      node.kind === 'input'
        ? inputs[next++]!
        : evaluateNetNode(
            node,
            node.sources.map((source) => values[source]!),
          ),
    );
  }
  return values;
}
