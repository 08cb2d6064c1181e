import type { Net } from '../onnx/lower/net.ts';

/**
 * Which elements of each tensor anything reads, where maps pick some of them (a recurrent step multiplies all its gates and uses one
 * block); undefined: all. What nobody reads has no say in ranges and may saturate.
 */
export function liveElements(net: Net): (Uint8Array | undefined)[] {
  const live: (Uint8Array | undefined)[] = net.nodes.map(({ length }) => new Uint8Array(length));
  for (const node of net.nodes) {
    let start = 0;
    for (const source of node.sources) {
      const mask = live[source];
      if (node.kind !== 'map') live[source] = undefined;
      else if (mask !== undefined) for (const from of node.index) if (from >= start && from < start + mask.length) mask[from - start] = 1;
      start += net.nodes[source]!.length;
    }
  }
  for (const { node } of net.outputs) live[node] = undefined;
  return live.map((mask) => (mask?.includes(1) && mask.includes(0) ? mask : undefined));
}
