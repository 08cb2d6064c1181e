import { fuseScalars } from './fuse.ts';
import type { LinearNode, Net, NetNode, RescaleNode } from './net.ts';

function useCounts(nodes: readonly NetNode[], outputs: Net['outputs']): number[] {
  const uses = nodes.map(() => 0);
  for (const node of nodes) for (const source of node.sources) uses[source]!++;
  for (const output of outputs) uses[output.node]!++;
  return uses;
}

function unbounded(node: { bounds: { low: number; high: number } }): boolean {
  return node.bounds.low === Number.NEGATIVE_INFINITY && node.bounds.high === Number.POSITIVE_INFINITY;
}

/** Output channel's row of an affine map that follows a linear layer; undefined when the pattern crosses channels. */
function rowOfChannel(linear: LinearNode, affine: RescaleNode): ((channel: number) => number) | undefined {
  const { a, channelInner } = affine;
  if (a.length === 1) return () => 0;
  if (linear.outChannels % (channelInner * a.length) !== 0) return undefined;
  return (channel) => Math.floor(channel / channelInner) % a.length;
}

function isPlain(affine: RescaleNode): boolean {
  return affine.a.every((v) => v === 1) && affine.bias.every((v) => v === 0);
}

/** `a·(W·x + b) + c` is again linear, and its bounds become the layer's own. */
function foldIntoLinear(linear: LinearNode, affine: RescaleNode): LinearNode | undefined {
  const row = rowOfChannel(linear, affine);
  if (row === undefined) return undefined;
  const fan = linear.weights.length / linear.outChannels;
  const weights = linear.weights.map((w, i) => w * affine.a[row(Math.floor(i / fan))]!);
  const bias = linear.bias.map((b, o) => b * affine.a[row(o)]! + affine.bias[row(o)]!);
  return { ...linear, weights, bias, bounds: affine.bounds };
}

/** Two affine maps in a row, where one of them is the same for all elements or both have one pattern. */
function foldIntoRescale(first: RescaleNode, second: RescaleNode): RescaleNode | undefined {
  const wide = first.a.length >= second.a.length ? first : second;
  if (first.a.length > 1 && second.a.length > 1 && (first.a.length !== second.a.length || first.channelInner !== second.channelInner))
    return undefined;
  const at = (values: Float64Array, c: number): number => values[values.length === 1 ? 0 : c]!;
  const rows = [...wide.a.keys()];
  return {
    ...first,
    channelInner: wide.channelInner,
    a: Float64Array.from(rows, (c) => at(first.a, c) * at(second.a, c)),
    b: Float64Array.from(rows, (c) => at(first.b, c) * at(second.a, c)),
    bias: Float64Array.from(rows, (c) => at(first.bias, c) * at(second.a, c) + at(second.bias, c)),
    bounds: second.bounds,
  };
}

/** The producer with the affine map (and the bounds of a Relu or Clip) folded in, or undefined. */
function folded(producer: NetNode, affine: RescaleNode): NetNode | undefined {
  const merged = merge(producer, affine);
  return merged === undefined || affine.held === undefined ? merged : { ...merged, held: affine.held };
}

function merge(producer: NetNode, affine: RescaleNode): NetNode | undefined {
  // What the file rounds stays a tensor of its own.
  if (!('bounds' in producer) || !unbounded(producer) || producer.held !== undefined) return undefined;
  if (producer.kind === 'linear') return foldIntoLinear(producer, affine);
  if (producer.kind === 'rescale') return foldIntoRescale(producer, affine);
  if (affine.a.length === 1 && affine.bias[0] === 0) return { ...producer, scale: producer.scale * affine.a[0]!, bounds: affine.bounds };
  return undefined;
}

/** An affine map of a single tensor, without bounds, into the linear layer that alone reads it, where padding cannot tell the difference. */
function foldForward(affine: RescaleNode, linear: LinearNode): LinearNode | undefined {
  const { window, groups } = linear;
  const { a, bias, channelInner } = affine;
  const padded =
    window.padTop > 0 ||
    window.padLeft > 0 ||
    (window.outHeight - 1) * window.strideHeight + (window.kernelHeight - 1) * window.dilationHeight >= window.height + window.padTop ||
    (window.outWidth - 1) * window.strideWidth + (window.kernelWidth - 1) * window.dilationWidth >= window.width + window.padLeft;
  if (padded && bias.some((v) => v !== 0)) return undefined;
  if (a.length > 1 && window.channels % (channelInner * a.length) !== 0) return undefined;
  const perGroup = window.channels / groups;
  const outPerGroup = linear.outChannels / groups;
  const fan = linear.weights.length / linear.outChannels;
  const weights = new Float64Array(linear.weights.length);
  const biases = Float64Array.from(linear.bias);
  for (let o = 0; o < linear.outChannels; o++) {
    const first = Math.floor(o / outPerGroup) * perGroup;
    for (let i = 0; i < fan; i++) {
      const row = a.length === 1 ? 0 : Math.floor((first + (i % perGroup)) / channelInner) % a.length;
      const w = linear.weights[o * fan + i]!;
      weights[o * fan + i] = w * a[row]!;
      biases[o]! += w * bias[row]!;
    }
  }
  return { ...linear, weights, bias: biases };
}

function once(net: Net): { net: Net; changed: boolean } {
  const nodes: NetNode[] = [...net.nodes];
  const uses = useCounts(nodes, net.outputs);
  const alias = new Map<number, number>();
  const resolve = (id: number): number => {
    let at = id;
    while (alias.has(at)) at = alias.get(at)!;
    return at;
  };
  let changed = false;
  for (let id = 0; id < nodes.length; id++) {
    const node = { ...nodes[id]!, sources: nodes[id]!.sources.map(resolve) };
    nodes[id] = node;
    if (node.kind === 'rescale' && node.sources.length === 1) {
      const source = node.sources[0]!;
      if (isPlain(node) && unbounded(node) && node.held === undefined) {
        uses[source]! += uses[id]! - 1;
        alias.set(id, source);
        changed = true;
        continue;
      }
      const merged = uses[source] === 1 ? folded(nodes[source]!, node) : undefined;
      if (merged !== undefined) {
        nodes[source] = merged;
        uses[source] = uses[id]!;
        alias.set(id, source);
        changed = true;
      }
    } else if (node.kind === 'linear') {
      const source = nodes[node.sources[0]!]!;
      if (
        source.kind !== 'rescale' ||
        source.held !== undefined ||
        source.sources.length !== 1 ||
        !unbounded(source) ||
        uses[node.sources[0]!] !== 1
      )
        continue;
      const merged = foldForward(source, node);
      if (merged === undefined) continue;
      nodes[id] = { ...merged, sources: source.sources };
      uses[node.sources[0]!] = 0;
      changed = true;
    }
  }
  const outputs = net.outputs.map((output) => ({ ...output, node: resolve(output.node) }));
  return { net: compact({ ...net, nodes, outputs }), changed };
}

/** Drops what no output needs; inputs stay, in their order. */
function compact(net: Net): Net {
  const live = net.nodes.map((node) => node.kind === 'input');
  const stack = net.outputs.map((output) => output.node);
  while (stack.length > 0) {
    const id = stack.pop()!;
    if (live[id] && net.nodes[id]!.kind !== 'input') continue;
    live[id] = true;
    stack.push(...net.nodes[id]!.sources);
  }
  const renamed = new Map<number, number>();
  const nodes: NetNode[] = [];
  net.nodes.forEach((node, id) => {
    if (!live[id]) return;
    renamed.set(id, nodes.length);
    nodes.push({ ...node, sources: node.sources.map((source) => renamed.get(source)!) });
  });
  return { ...net, nodes, outputs: net.outputs.map((output) => ({ ...output, node: renamed.get(output.node)! })) };
}

/** Folds normalizations, scalings and activations into their neighbours until nothing changes, then functions into tables. */
export function simplify(net: Net): Net {
  let current = compact(net);
  for (let round = 0; round < 20; round++) {
    const { net: next, changed } = once(current);
    current = next;
    if (!changed) break;
  }
  return compact(fuseScalars(current));
}
