import type { Hash } from '../../core/brand.ts';
import type { Unit } from '../../core/dispute/units.ts';
import { type Log, revertOf } from '../../runtime/log.ts';
import { Gate } from '../concurrency/gate.ts';
import type { DemandDocument } from '../records/documents.ts';

/** Bounds of one transaction: some million gas, some 60 kB of calldata. */
const MOST_UNITS = 24;
const MOST_BYTES = 50_000;
/** Demands of a claim that are looked at in one go, and at the same time. */
const SLICE = 96;
const LOOKS = 16;
/** Claims whose answers are computed at once: each may need a whole trace. */
const COMPUTED = 4;
/** Transactions under way at once, of all claims and of one; nodes of the network take some dozens of one key. */
const SENT = 16;
const SENT_OF_ONE = 8;

/** `unknown`: never made, as far as the one who is asked knows; it may lag behind the one that told of it. */
export type DemandState = 'unknown' | 'open' | 'over';

/** What defending needs of the chain and of the node's traces. */
export interface Defence {
  /** Whether the demand still waits for its answer. */
  stateOf(claimId: string, unit: Unit): Promise<DemandState>;
  /** Whether the claim itself is still to be decided. */
  isClaimOpen(claimId: string): Promise<boolean>;
  /** Answer bytes of a unit, or undefined for a unit that the claim does not have. */
  dataOf(claimId: string, unit: Unit): Promise<Uint8Array | undefined>;
  rootsOf(claimId: string): Promise<readonly Hash[]>;
  postRoots(claimId: string, roots: readonly Hash[]): Promise<unknown>;
  postAnswers(answers: readonly UnitAnswer[]): Promise<unknown>;
}

export interface UnitAnswer {
  readonly claimId: string;
  readonly unit: Unit;
  readonly data: Uint8Array;
}

/**
 * Answers demands as fast as the chain takes them: whoever demands pays for each, but may make thousands within one clock. Many transactions
 * are under way at once; of what is computed, no more is held than these take.
 */
export class Answering {
  private readonly defence: Defence;
  private readonly log: Log;
  private readonly computing = new Gate('other answers', COMPUTED, Number.POSITIVE_INFINITY);
  private readonly sending = new Gate('other answers', SENT, Number.POSITIVE_INFINITY);

  constructor(defence: Defence, log: Log) {
    this.defence = defence;
    this.log = log;
  }

  /**
   * Answers demands of one claim, in this order; one that cannot be answered does not keep others from it.
   * @param over called with each demand of which the chain holds an answer
   * @throws the first failure, when everything else is done
   */
  async answer(claimId: string, demands: readonly DemandDocument[], over: (unit: Unit) => Promise<void>): Promise<void> {
    const failures: unknown[] = [];
    const sent = new Set<Promise<void>>();
    let answered = 0;
    const send = async (units: readonly Unit[], post: () => Promise<unknown>): Promise<void> => {
      while (sent.size >= SENT_OF_ONE) await Promise.race(sent);
      const run = this.sending
        .run(post)
        .then(async () => {
          answered += units.length;
          for (const unit of units) await over(unit);
        })
        .catch((error) => void failures.push(error))
        .finally(() => sent.delete(run));
      sent.add(run);
    };
    for (let from = 0; from < demands.length; from += SLICE) {
      const open = await this.openOf(claimId, demands.slice(from, from + SLICE), over, failures);
      const roots = open.find(({ unit }) => unit.kind === 'tensorRoots');
      if (roots !== undefined) await send([roots.unit], () => this.postRoots(claimId));
      for (const group of await this.computing.run(() => this.groupsOf(claimId, open, failures))) {
        const units = group.map(({ unit }) => unit);
        await send(units, () => this.post(group));
      }
    }
    await Promise.all(sent);
    if (answered > 0) this.log.info({ claim: claimId, answered }, 'answered demands');
    if (failures.length > 0) throw failures[0];
  }

  /** Those that the chain says are open, in their order. */
  private async openOf(
    claimId: string,
    demands: readonly DemandDocument[],
    over: (unit: Unit) => Promise<void>,
    failures: unknown[],
  ): Promise<DemandDocument[]> {
    const looking = new Gate('other demands', LOOKS, Number.POSITIVE_INFINITY);
    const states = await Promise.all(
      demands.map(({ unit }) =>
        looking
          .run(() => this.defence.stateOf(claimId, unit))
          .then(async (state) => {
            if (state === 'over') await over(unit);
            return state;
          })
          .catch((error) => void failures.push(error)),
      ),
    );
    // What is unknown is left as it is until it is seen, or its time is over.
    return demands.filter((_, i) => states[i] === 'open');
  }

  private async groupsOf(claimId: string, open: readonly DemandDocument[], failures: unknown[]): Promise<UnitAnswer[][]> {
    const answers: UnitAnswer[] = [];
    for (const { unit } of open) {
      if (unit.kind === 'tensorRoots') continue;
      try {
        const data = await this.defence.dataOf(claimId, unit);
        if (data === undefined) this.log.error({ claim: claimId, unit }, 'a demanded unit does not exist');
        else answers.push({ claimId, unit, data });
      } catch (error) {
        failures.push(error);
      }
    }
    return groups(answers);
  }

  private async postRoots(claimId: string): Promise<void> {
    const roots = await this.computing.run(() => this.defence.rootsOf(claimId));
    await this.defence.postRoots(claimId, roots);
  }

  /** Posts answers together; where the contract refuses, in halves: one bad answer must not take the others with it. */
  private async post(answers: readonly UnitAnswer[]): Promise<void> {
    try {
      await this.defence.postAnswers(answers);
    } catch (error) {
      if (answers.length === 1 || revertOf(error) === undefined) throw error;
      const middle = answers.length >> 1;
      const halves = await Promise.allSettled([this.post(answers.slice(0, middle)), this.post(answers.slice(middle))]);
      const failed = halves.find((half) => half.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
    }
  }
}

function groups(answers: readonly UnitAnswer[]): UnitAnswer[][] {
  const made: UnitAnswer[][] = [];
  let bytes = 0;
  for (const answer of answers) {
    const last = made.at(-1);
    const fits = last !== undefined && last.length < MOST_UNITS && bytes + answer.data.length <= MOST_BYTES;
    if (fits) last.push(answer);
    else made.push([answer]);
    bytes = (fits ? bytes : 0) + answer.data.length;
  }
  return made;
}
