import type { Hash } from '../core/brand.ts';
import { type TypedArray, tensorRoot, tensorTree, toBytes } from '../core/tensor.ts';
import { CHUNK_BYTES, childrenOf, chunkCount, type MerkleTree } from '../core/tree.ts';

/** The trace of one claim with its trees, built as they are asked for. */
export class ClaimTrace {
  readonly tensors: readonly TypedArray[];
  private readonly trees = new Map<number, MerkleTree>();
  private rootList: readonly Hash[] | undefined;

  constructor(tensors: readonly TypedArray[]) {
    this.tensors = tensors;
  }

  roots(): readonly Hash[] {
    this.rootList ??= this.tensors.map(tensorRoot);
    return this.rootList;
  }

  tree(position: number): MerkleTree | undefined {
    const tensor = this.tensors[position];
    if (tensor === undefined) return undefined;
    const tree = this.trees.get(position) ?? tensorTree(tensor);
    this.trees.set(position, tree);
    return tree;
  }

  /** Hashes of the 32 children of a node; undefined where no such node is. */
  node(position: number, height: number, index: number): readonly Uint8Array[] | undefined {
    const tree = this.tree(position);
    if (tree === undefined || height < 1 || height > tree.depth || index >= Math.ceil(tree.leafCount / 32 ** height)) return undefined;
    return childrenOf(tree, height, index);
  }

  leaf(position: number, index: number): Uint8Array | undefined {
    const tensor = this.tensors[position];
    if (tensor === undefined) return undefined;
    const bytes = toBytes(tensor);
    return index < chunkCount(bytes.length) ? bytes.subarray(CHUNK_BYTES * index, CHUNK_BYTES * (index + 1)) : undefined;
  }
}

/** Keeps the most recently used traces: recomputing one costs a run, keeping all costs the memory of all. */
export class TraceCache {
  private readonly held = new Map<string, Promise<ClaimTrace>>();
  private readonly load: (claimId: string) => Promise<readonly TypedArray[]>;
  private readonly most: number;

  constructor(load: (claimId: string) => Promise<readonly TypedArray[]>, most = 8) {
    this.load = load;
    this.most = most;
  }

  /** @throws whatever loading throws; a failure is not kept */
  get(claimId: string): Promise<ClaimTrace> {
    const held = this.held.get(claimId) ?? this.load(claimId).then((tensors) => new ClaimTrace(tensors));
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
