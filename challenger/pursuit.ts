import { randomBytes } from 'node:crypto';
import type { Hex } from 'viem';
import type { Clocks } from '../core/dispute/clocks.ts';
import { type Challenge, decide, type Move } from '../core/dispute/decide.ts';
import { inputsFromAnswers } from '../core/dispute/observed.ts';
import type { Fault } from '../core/dispute/openings.ts';
import { unitKey } from '../core/dispute/units.ts';
import { runOperations } from '../core/program/cost.ts';
import type { Trace } from '../core/trace.ts';
import type { Log } from '../runtime/log.ts';
import type { ChallengerChain } from './chain.ts';
import { type CheckedModel, type Material, runTrace } from './material.ts';
import type { ChallengerState, WatchedClaim } from './state.ts';

export interface Head {
  readonly number: bigint;
  readonly timestamp: bigint;
}

export interface PursuitParts {
  readonly state: ChallengerState;
  readonly chain: ChallengerChain;
  readonly material: Material;
  readonly clocks: Clocks;
  /** Work of the largest run that is done here, multiply-adds. */
  readonly mostOperations: number;
  readonly log: Log;
}

/** Heads to let pass before asking again for a program that nobody handed out. */
const PATIENCE = 4;

/**
 * Takes one claim forward by one move: gets what is needed, asks the pure decision, acts. Everything it must not forget is in
 * the state before it acts, so a restart goes on where it stopped.
 */
export class Pursuit {
  private readonly parts: PursuitParts;
  private readonly traces = new Map<string, Trace>();
  private readonly busy = new Map<string, Promise<void>>();
  private readonly waitUntil = new Map<string, bigint>();
  /** Units that nodes were asked for, by claim and unit; undefined where none had them. */
  private readonly fetched = new Map<string, Uint8Array | undefined>();

  constructor(parts: PursuitParts) {
    this.parts = parts;
  }

  /** Called at every new block; does not wait for the moves it starts. */
  wake(head: Head): void {
    for (const claim of this.parts.state.claims('drawn', 'wrong')) {
      if (this.busy.has(claim.claimId) || (this.waitUntil.get(claim.claimId) ?? 0n) > head.number) continue;
      const step = this.step(claim, head)
        .catch((error) => {
          this.waitUntil.set(claim.claimId, head.number + 1n);
          this.parts.log.warn({ claim: claim.claimId, error }, 'a move failed; the next block tries again');
        })
        .finally(() => this.busy.delete(claim.claimId));
      this.busy.set(claim.claimId, step);
    }
  }

  async idle(): Promise<void> {
    await Promise.all(this.busy.values());
  }

  private async step(claim: WatchedClaim, head: Head): Promise<void> {
    const { state, chain, material, log } = this.parts;
    const onChain = await chain.claim(claim.claimId);
    const model = await material.model(claim.modelId);
    if (model === undefined) {
      if (!onChain.open) return this.finish(claim, 'ended');
      this.waitUntil.set(claim.claimId, head.number + BigInt(PATIENCE));
      log.warn({ claim: claim.claimId, model: claim.modelId }, 'nobody hands out the program of a claim');
      return;
    }
    const operations = runOperations(model.trees.program);
    if (operations > this.parts.mostOperations) {
      // Anybody may register a program that takes days: meanwhile every other claim would go unwatched.
      log.warn({ claim: claim.claimId, model: claim.modelId, operations }, 'a claim on a program too large to run here is left to others');
      return this.finish(claim, 'unavailable');
    }
    const own = await this.ownTrace(claim, model);
    let move = decide(this.challenge(claim, model, head), own, state.dispute(claim.claimId));
    while (move.type === 'fetch') {
      this.fetched.set(`${claim.claimId}/${unitKey(move.unit)}`, await material.unit(claim.claimId, move.unit));
      move = decide(this.challenge(claim, model, head), own, state.dispute(claim.claimId));
    }
    const block = await this.act(claim, move);
    // Its event has not been read before that block has: until then the same move would come out again.
    if (block !== undefined) this.waitUntil.set(claim.claimId, block);
  }

  private challenge(claim: WatchedClaim, model: CheckedModel, head: Head): Challenge {
    const { chain, clocks } = this.parts;
    return {
      trees: model.trees,
      claim: { outputRoot: claim.outputRoot, claimedAt: claim.claimedAt },
      greatestDepth: model.greatestDepth,
      clocks,
      now: Number(head.timestamp),
      block: Number(head.number),
      self: chain.sender.address,
      // Reading from a node's server saves a demand; what it says is checked against the posted roots.
      fetched: (unit) => this.fetched.get(`${claim.claimId}/${unitKey(unit)}`),
      mayFetch: (unit) => !this.fetched.has(`${claim.claimId}/${unitKey(unit)}`),
      ...(claim.commitment === undefined ? {} : { committed: claim.commitment }),
    };
  }

  /** A run on the claim's input; undefined while neither servers nor the board have handed out the input. */
  private async ownTrace(claim: WatchedClaim, model: CheckedModel): Promise<Trace | undefined> {
    const { state, material, log } = this.parts;
    const known = this.traces.get(claim.claimId);
    if (known !== undefined) return known;
    const request = state.request(claim.claimId);
    if (request === undefined) return undefined;
    const inputs = (await material.input(model, request)) ?? inputsFromAnswers(model.trees.program, state.dispute(claim.claimId));
    if (inputs === undefined) return undefined;
    const started = performance.now();
    const trace = runTrace(model, inputs);
    log.info({ claim: claim.claimId, milliseconds: Math.round(performance.now() - started) }, 're-executed');
    this.traces.set(claim.claimId, trace);
    return trace;
  }

  /** @returns number of the block that holds the transaction, where there was one */
  private async act(claim: WatchedClaim, move: Move): Promise<bigint | undefined> {
    const { state, chain, log } = this.parts;
    const { claimId, modelId } = claim;
    if (move.type !== 'done' && claim.state === 'drawn') await state.saveClaim({ ...claim, state: 'wrong' });
    switch (move.type) {
      case 'done':
        log.info({ claim: claimId, why: move.why }, 'nothing more to do');
        await this.finish(claim, move.why === 'right' ? 'right' : 'ended');
        return undefined;
      case 'wait':
      case 'fetch':
        return undefined;
      case 'demand':
        log.info({ claim: claimId, units: move.units.map(({ kind }) => kind) }, 'demanding');
        return chain.demand(claimId, modelId, move.units);
      case 'demandNode':
        log.info({ claim: claimId, unit: move.unit }, 'demanding');
        return chain.demandNode(claimId, modelId, move.unit, move.proof);
      case 'expire':
        log.info({ claim: claimId, unit: move.unit }, 'a demand went unanswered');
        return chain.expire(claimId, move.unit);
      case 'commit':
        return this.commit(claim, move.fault);
      case 'prove':
        log.info({ claim: claimId, position: move.fault.position, element: move.fault.element }, 'proving the fault');
        return chain.prove(claimId, move.fault, claim.commitment!.salt as Hex);
    }
  }

  private async commit(claim: WatchedClaim, fault: Fault): Promise<bigint> {
    const { state, chain, log } = this.parts;
    const salt: Hex = `0x${randomBytes(32).toString('hex')}`;
    const block = await chain.commit(claim.claimId, fault, salt);
    const { position, element } = fault;
    await state.saveClaim({ ...claim, state: 'wrong', commitment: { position, element, block: Number(block), salt } });
    log.info({ claim: claim.claimId, position, element }, 'committed to a fault');
    return block;
  }

  private async finish(claim: WatchedClaim, ended: 'right' | 'ended' | 'unavailable'): Promise<void> {
    this.traces.delete(claim.claimId);
    this.waitUntil.delete(claim.claimId);
    for (const key of [...this.fetched.keys()]) if (key.startsWith(`${claim.claimId}/`)) this.fetched.delete(key);
    await this.parts.state.saveClaim({ ...claim, state: ended });
  }
}
