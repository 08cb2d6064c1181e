import { bytesToHex, encodeFunctionData, encodePacked, type Hex, keccak256, type TransactionReceipt, zeroHash } from 'viem';
import { claimBoardAbi } from '../../contracts/client/generated/claimBoard.ts';
import type { Sender } from '../../contracts/client/sender.ts';
import { buildFault } from '../../core/dispute/fault.ts';
import { inputLeafUnits } from '../../core/dispute/observed.ts';
import { openRecord, openRoots } from '../../core/dispute/openings.ts';
import type { ProgramTrees } from '../../core/dispute/program-trees.ts';
import { parameterLeafUnit, recordUnit, TENSOR_ROOTS, tensorUnit, UNIT_KINDS, type Unit } from '../../core/dispute/units.ts';
import { toHash } from '../../core/keccak.ts';
import { inputCount } from '../../core/program/validate.ts';
import { toBytes } from '../../core/tensor.ts';
import type { Trace } from '../../core/trace.ts';
import { CHUNK_BYTES, chunkCount, nodeAt, openNodes } from '../../core/tree.ts';
import type { LocalNet } from '../local-net.ts';

/** Everything of levels 0 and 1: all leaves of input and parameters, all records, the root list. */
export function unitsAtOnce(trees: ProgramTrees): Unit[] {
  const { program } = trees;
  const parameters = program.instructions.flatMap((instruction, position) =>
    instruction.parameters.length === 0
      ? []
      : Array.from({ length: chunkCount(instruction.parameters.length) }, (_, index) => parameterLeafUnit(position, index)),
  );
  const records = program.instructions.map((_, position) => recordUnit(position));
  return [...inputLeafUnits(program), ...records, ...parameters, TENSOR_ROOTS];
}

/** Every node and leaf of every tensor, from the top down. */
export function unitsOfTensors(trees: ProgramTrees, trace: Trace): Unit[] {
  return trees.program.instructions.flatMap((_, position) => {
    const tree = trace.trees[position]!;
    const units: Unit[] = [];
    for (let height = tree.depth; height >= 0; height--) {
      const nodes = Math.ceil(tree.leafCount / 32 ** height);
      for (let index = 0; index < nodes; index++) units.push(tensorUnit(trees.program, position, height, index));
    }
    return units;
  });
}

/** Presses one honest claim with every demand there is, pays for each, and tries to accuse it falsely. */
export class Harassment {
  private readonly net: LocalNet;
  private readonly sender: Sender;
  private readonly claimId: Hex;
  private readonly trees: ProgramTrees;
  private readonly trace: Trace;
  private readonly demanded: Unit[] = [];

  constructor(net: LocalNet, sender: Sender, requestId: bigint, trees: ProgramTrees, trace: Trace) {
    this.net = net;
    this.sender = sender;
    this.claimId = `0x${requestId.toString(16).padStart(64, '0')}`;
    this.trees = trees;
    this.trace = trace;
  }

  get units(): readonly Unit[] {
    return this.demanded;
  }

  get kinds(): number {
    return new Set(this.demanded.map(({ kind }) => kind)).size;
  }

  /** Levels 0 and 1, in two transactions: their time is short. */
  async pressTop(modelId: Hex): Promise<void> {
    const units = unitsAtOnce(this.trees);
    const half = Math.ceil(units.length / 2);
    await Promise.all(
      [units.slice(half), units.slice(0, half)].map(async (part) => {
        await this.send('demand', [this.source(), this.claimId, part.map(onChain)], await this.price(modelId, part));
        this.demanded.push(...part);
      }),
    );
  }

  /** Every node and leaf of every tensor of the posted trace. */
  async pressTensors(modelId: Hex): Promise<void> {
    const units = unitsOfTensors(this.trees, this.trace);
    await Promise.all(
      units.map(async (unit) => {
        await this.send('demandNode', [this.source(), this.claimId, onChain(unit), this.proofOf(unit)], await this.price(modelId, [unit]));
        this.demanded.push(unit);
      }),
    );
  }

  /**
   * Accuses right elements of every computed instruction, properly committed, and claims that an answered demand expired.
   * @returns how many accusations there were, and how many the contract refused
   */
  async accuse(): Promise<{ readonly tried: number; readonly refused: number }> {
    const { program } = this.trees;
    const positions = program.instructions.map((_, i) => i).slice(inputCount(program));
    const refusals = await Promise.all([...positions.map((position) => this.isFaultRefused(position)), this.isExpiryRefused()]);
    return { tried: refusals.length, refused: refusals.filter(Boolean).length };
  }

  private async isFaultRefused(position: number): Promise<boolean> {
    const args = [this.source(), this.claimId, this.falseFault(position), zeroHash] as const;
    const data = encodeFunctionData({ abi: claimBoardAbi, functionName: 'proveFault', args });
    const { blockNumber } = await this.send(
      'commitFault',
      [keccak256(encodePacked(['address', 'bytes'], [this.sender.address, data]))],
      0n,
    );
    // An accusation counts from the block after its commitment on.
    while ((await this.net.client.getBlockNumber()) <= blockNumber) await new Promise((resolve) => setTimeout(resolve, 200));
    return this.isRefused('proveFault', args, 'NoFault');
  }

  private isExpiryRefused(): Promise<boolean> {
    return this.isRefused('expire', [this.source(), this.claimId, onChain(TENSOR_ROOTS)], undefined);
  }

  /** A perfectly opened accusation of an element that is right. */
  private falseFault(position: number) {
    const tensor = this.trace.tensors[position]!;
    const leaf = toBytes(tensor).slice(0, CHUNK_BYTES);
    // The evidence is built for a leaf that differs; the honest leaf is then put in its place.
    const other = leaf.slice();
    other[0] = leaf[0]! ^ 1;
    const opened = { index: 0, leaf: other, siblings: openNodes(this.trace.trees[position]!, [0]) };
    const fault = buildFault(this.trees, this.trace, this.trace.roots, position, opened);
    return { ...fault, record: bytesToHex(fault.record), leaf: bytesToHex(leaf), evidence: bytesToHex(fault.evidence) };
  }

  private async isRefused(functionName: 'proveFault' | 'expire', args: readonly unknown[], reason: string | undefined): Promise<boolean> {
    try {
      await this.net.client.simulateContract({
        address: this.net.deployment.board,
        abi: claimBoardAbi,
        functionName,
        args: args as never,
        account: this.sender.address,
      });
      return false;
    } catch (error) {
      return reason === undefined ? errorNameOf(error) !== undefined : errorNameOf(error) === reason;
    }
  }

  private proofOf(unit: Unit) {
    const { position, height, index } = unit;
    const tree = this.trace.trees[position]!;
    const { record, recordSiblings } = openRecord(this.trees, position);
    const { roots, rootSiblings } = openRoots(this.trace.roots, [position]);
    const isTop = height === tree.depth;
    return {
      record: bytesToHex(record),
      recordSiblings,
      tensorRoot: roots[0]!,
      rootSiblings,
      node: isTop ? zeroHash : toHash(nodeAt(tree, height, index)),
      nodeSiblings: isTop ? [] : openNodes(tree, [index], height).map(toHash),
    };
  }

  private source(): Hex {
    return this.net.deployment.requests;
  }

  /** Price now and a quarter more: fees move; what is over is credited. */
  private async price(modelId: Hex, units: readonly Unit[]): Promise<bigint> {
    const { client, deployment } = this.net;
    const prices = await Promise.all(
      units.map((unit) =>
        client.readContract({ address: deployment.board, abi: claimBoardAbi, functionName: 'priceOf', args: [modelId, onChain(unit)] }),
      ),
    );
    return (prices.reduce((sum, price) => sum + price, 0n) * 5n) / 4n;
  }

  private async send(functionName: string, args: readonly unknown[], value: bigint): Promise<TransactionReceipt> {
    return this.sender.send({ address: this.net.deployment.board, abi: claimBoardAbi, functionName, args, value });
  }
}

function onChain(unit: Unit) {
  return { ...unit, kind: UNIT_KINDS.indexOf(unit.kind) };
}

/** Name of the custom error of a refused call. */
function errorNameOf(error: unknown): string | undefined {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 10; at = at.cause, depth++) {
    const name = (at as { data?: { errorName?: string } }).data?.errorName;
    if (name !== undefined) return name;
  }
  return undefined;
}
