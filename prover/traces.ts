import { toBytes } from '../core/tensor.ts';
import type { Trace } from '../core/trace.ts';
import { CHUNK_BYTES, childrenOf, chunkCount } from '../core/tree.ts';

/** Hashes of the 32 children of a node of a tensor; undefined where no such node is. */
export function nodeOf(trace: Trace, position: number, height: number, index: number): readonly Uint8Array[] | undefined {
  if (position >= trace.tensors.length) return undefined;
  const tree = trace.trees[position]!;
  if (height < 1 || height > tree.depth || index >= Math.ceil(tree.leafCount / 32 ** height)) return undefined;
  return childrenOf(tree, height, index);
}

/** Bytes of a leaf of a tensor; undefined where no such leaf is. */
export function leafOf(trace: Trace, position: number, index: number): Uint8Array | undefined {
  const tensor = trace.tensors[position];
  if (tensor === undefined) return undefined;
  const bytes = toBytes(tensor);
  return index < chunkCount(bytes.length) ? bytes.subarray(CHUNK_BYTES * index, CHUNK_BYTES * (index + 1)) : undefined;
}

/** Keeps the most recently used traces: recomputing one costs a run, keeping all costs the memory of all. */
export class TraceCache {
  private readonly held = new Map<string, Promise<Trace>>();
  private readonly load: (claimId: string) => Promise<Trace>;
  private readonly most: number;

  constructor(load: (claimId: string) => Promise<Trace>, most = 8) {
    this.load = load;
    this.most = most;
  }

  /** @throws whatever loading throws; a failure is not kept */
  get(claimId: string): Promise<Trace> {
    const held = this.held.get(claimId) ?? this.load(claimId);
    this.held.delete(claimId);
    this.held.set(claimId, held);
    held.catch(() => this.held.delete(claimId));
    for (const oldest of this.held.keys()) {
      if (this.held.size <= this.most) break;
      this.held.delete(oldest);
    }
    return held;
  }
}
