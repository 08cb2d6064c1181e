import type { Hash } from '../../core/brand.ts';
import { type Clocks, commitUntil, demandableUntil, disputeEnd } from '../../core/dispute/clocks.ts';
import type { Move } from '../../core/dispute/decide.ts';
import { isPosted } from '../../core/dispute/descent.ts';
import { type DisputeEvent, type ObservedDispute, observe, openDemands, QUIET } from '../../core/dispute/observed.ts';
import type { Fault, NodeProof } from '../../core/dispute/openings.ts';
import { tensorBytes, tensorDepth, type Unit, unitKey } from '../../core/dispute/units.ts';
import { stepElement } from '../../core/execute.ts';
import { fromHex, toHash } from '../../core/keccak.ts';
import { encodeRecords } from '../../core/program/codec.ts';
import type { Program } from '../../core/program/types.ts';
import { ELEMENT_BYTES, elementTypeOfCode, fromBytes, type TypedArray, wrapTensorTop } from '../../core/tensor.ts';
import { traceTree } from '../../core/trace.ts';
import { buildTree, chunkCount, leafHash, topFromOpening } from '../../core/tree.ts';

/** What a prover does about a demand: after how many seconds it answers, and with what; undefined for never. */
export interface ToyProver {
  readonly roots: readonly Hash[];
  readonly tensors: readonly TypedArray[];
  answer(unit: Unit): { readonly after: number; readonly data: Uint8Array } | undefined;
}

export class ToyRefusal extends Error {}

function refuse(why: string): never {
  throw new ToyRefusal(why);
}

/**
 * The board's rules without a chain: a whole dispute plays in milliseconds. It knows the prover's tensors, so it judges a fault by
 * computing the element itself, and it checks every opening as the contract does.
 */
export class ToyBoard {
  dispute: ObservedDispute = QUIET;
  now: number;
  block = 1;
  transactions = 0;
  convictedBy: 'expiry' | 'fault' | undefined;
  private readonly expected = new Map<string, Hash>();
  private readonly records: readonly Uint8Array[];
  private readonly pending: { readonly at: number; readonly event: DisputeEvent }[] = [];
  private committed: { readonly key: string; readonly at: number; readonly block: number } | undefined;

  private readonly program: Program;
  private readonly prover: ToyProver;
  private readonly clocks: Clocks;
  private readonly claimedAt: number;
  private readonly greatestDepth: number;

  constructor(program: Program, prover: ToyProver, clocks: Clocks, claimedAt: number, greatestDepth: number) {
    this.program = program;
    this.prover = prover;
    this.clocks = clocks;
    this.claimedAt = claimedAt;
    this.greatestDepth = greatestDepth;
    this.now = claimedAt;
    this.records = encodeRecords(program);
  }

  get finalAt(): number {
    return disputeEnd(this.clocks, this.claimedAt, this.greatestDepth);
  }

  /** Whether the claim could be ended as right. */
  get isFinal(): boolean {
    if (this.dispute.phase === 'quiet') return this.now > this.claimedAt + this.clocks.window;
    return this.dispute.phase === 'disputed' && openDemands(this.dispute).length === 0 && this.now > this.finalAt;
  }

  /** Moves time forward; answers whose time has come arrive in order. */
  advanceTo(time: number): void {
    this.pending.sort((a, b) => a.at - b.at);
    for (let next = this.pending[0]; next !== undefined && next.at <= time; next = this.pending[0]) {
      this.pending.shift();
      this.now = Math.max(this.now, next.at);
      this.transactions++;
      if (this.dispute.phase !== 'faulted') this.dispute = observe(this.dispute, next.event);
    }
    this.now = Math.max(this.now, time);
    this.block++;
  }

  act(move: Move): void {
    this.transactions++;
    switch (move.type) {
      case 'demand':
        for (const unit of move.units) this.place(unit, undefined);
        return;
      case 'demandNode':
        this.place(move.unit, this.provenHash(move.unit, move.proof));
        return;
      case 'expire': {
        const demand = this.dispute.demands.get(unitKey(move.unit));
        if (demand?.status !== 'open' || this.now <= demand.deadline) refuse('not expired');
        this.convict('expiry');
        return;
      }
      case 'commit':
        this.committed = { key: faultKey(move.fault), at: this.now, block: this.block };
        return;
      case 'prove':
        this.prove(move.fault);
        return;
      case 'done':
      case 'wait':
      case 'fetch':
        refuse(`${move.type} is no transaction`);
    }
  }

  private place(unit: Unit, expected: Hash | undefined): void {
    if (this.dispute.phase === 'faulted') refuse('faulted');
    if (this.dispute.phase === 'quiet' && this.now > this.claimedAt + this.clocks.window) refuse('final');
    if (this.now > demandableUntil(this.clocks, this.claimedAt, unit)) refuse('level closed');
    if (this.dispute.demands.has(unitKey(unit))) return;
    const deadline = this.now + this.clocks.response;
    this.dispute = observe(this.dispute, { type: 'demanded', unit, deadline, payer: '0x01' });
    if (expected !== undefined) this.expected.set(unitKey(unit), expected);
    const answer = this.prover.answer(unit);
    if (answer === undefined || answer.after > this.clocks.response) return;
    const event: DisputeEvent =
      unit.kind === 'tensorRoots' ? { type: 'rootsPosted', unit, roots: this.prover.roots } : { type: 'answered', unit, data: answer.data };
    // An answer that the contract would refuse is no answer.
    if (expected !== undefined && !isPosted(unit, answer.data, fromHex(expected))) return;
    this.pending.push({ at: this.now + answer.after, event });
  }

  private requireRecord(record: Uint8Array, siblings: readonly Hash[], position: number): void {
    const { records } = this;
    const top = topFromOpening(records.length, [position], [leafHash(record)], siblings.map(fromHex));
    if (top === undefined || toHash(top) !== toHash(buildTree(records.map(leafHash)).top)) refuse('record opening');
  }

  private requireRoots(positions: readonly number[], roots: readonly Hash[], siblings: readonly Hash[]): void {
    const hashes = roots.map((root) => leafHash(fromHex(root)));
    const top = topFromOpening(this.prover.roots.length, positions, hashes, siblings.map(fromHex));
    if (top === undefined || toHash(top) !== toHash(traceTree(this.prover.roots).top)) refuse('root opening');
  }

  private provenHash(unit: Unit, proof: NodeProof): Hash {
    this.requireRecord(proof.record, proof.recordSiblings, unit.position);
    this.requireRoots([unit.position], [proof.tensorRoot], proof.rootSiblings);
    if (unit.height === tensorDepth(unit)) return proof.tensorRoot;
    const leaves = chunkCount(tensorBytes(unit));
    const top = topFromOpening(leaves, [unit.index], [fromHex(proof.node)], proof.nodeSiblings.map(fromHex), unit.height);
    const type = elementTypeOfCode(unit.elementType);
    if (top === undefined || type === undefined || wrapTensorTop(type, unit.length, top) !== proof.tensorRoot) refuse('node opening');
    return proof.node;
  }

  private prove(fault: Fault): void {
    if (this.now > this.finalAt) refuse('final');
    const { committed } = this;
    if (committed?.key !== faultKey(fault) || committed.block >= this.block || committed.at > commitUntil(this.clocks, this.finalAt))
      refuse('not committed');
    this.requireRecord(fault.record, fault.recordSiblings, fault.position);
    const { type, length, sources } = this.program.instructions[fault.position]!;
    const positions = [...new Set([...sources, fault.position])].sort((a, b) => a - b);
    this.requireRoots(positions, fault.roots, fault.rootSiblings);
    const perLeaf = 512 / ELEMENT_BYTES[type];
    const index = Math.floor(fault.element / perLeaf);
    const leafTop = topFromOpening(
      chunkCount(length * ELEMENT_BYTES[type]),
      [index],
      [leafHash(fault.leaf)],
      fault.leafSiblings.map(fromHex),
    );
    if (leafTop === undefined || wrapTensorTop(type, length, leafTop) !== this.prover.roots[fault.position]) refuse('leaf opening');
    const claimed = fromBytes(type, fault.leaf)[fault.element % perLeaf];
    if (claimed === stepElement(this.program, fault.position, fault.element, this.prover.tensors)) refuse('no fault');
    this.convict('fault');
  }

  private convict(by: 'expiry' | 'fault'): void {
    this.convictedBy = by;
    this.dispute = observe(this.dispute, { type: 'convicted' });
  }
}

function faultKey(fault: Fault): string {
  return `${fault.position}:${fault.element}`;
}
