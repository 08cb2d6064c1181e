import type { Hash } from '../core/brand.ts';
import type { Unit } from '../core/dispute/units.ts';
import type { Log } from '../runtime/log.ts';
import { COLLECTION, type DemandDocument, demandKey, orderedId } from './documents.ts';
import type { Queue } from './queue/port.ts';
import type { Store } from './store/port.ts';

/** Units answered in one transaction: some 50 kB of calldata, some million gas. */
const BATCH = 24;
const PRIORITY = 100;

/** What defending needs of the chain and of the node's traces. */
export interface Defence {
  /** Whether the demand still waits for its answer. */
  isOpen(claimId: string, unit: Unit): Promise<boolean>;
  /** Answer bytes of a unit, or undefined for a unit that the claim does not have. */
  dataOf(claimId: string, unit: Unit): Promise<Uint8Array | undefined>;
  rootsOf(claimId: string): Promise<readonly Hash[]>;
  postRoots(claimId: string, roots: readonly Hash[]): Promise<void>;
  postAnswers(answers: readonly { readonly claimId: string; readonly unit: Unit; readonly data: Uint8Array }[]): Promise<void>;
}

/**
 * Answers the demands on our claims, before everything else: an unanswered demand loses the lock. Demands are stored when
 * they are seen and forgotten when the chain says that they are answered.
 */
export class Defender {
  private readonly store: Store;
  private readonly queue: Queue;
  private readonly defence: Defence;
  private readonly log: Log;

  constructor(store: Store, queue: Queue, defence: Defence, log: Log) {
    this.store = store;
    this.queue = queue;
    this.defence = defence;
    this.log = log;
  }

  start(): void {
    this.queue.work('defend', 2, async (job) => {
      const { claimId } = job.data as { claimId: string };
      try {
        await this.answerClaim(claimId);
      } catch (error) {
        this.log.error({ claim: claimId, attempt: job.attempts, error }, 'demands could not be answered; trying again');
        throw error;
      }
    });
  }

  async demanded(demand: DemandDocument): Promise<void> {
    await this.store.putIfAbsent(COLLECTION.demands, demandKey(demand.claimId, demand.unit), demand);
    await this.enqueue(demand.claimId);
  }

  async answered(claimId: string, unit: Unit): Promise<void> {
    await this.store.remove(COLLECTION.demands, demandKey(claimId, unit));
  }

  /** Called at every new block: nothing may wait because a job ended just as a demand came in. */
  async wake(now: number): Promise<void> {
    const claims = new Set<string>();
    for (const [key, demand] of await this.store.list<DemandDocument>(COLLECTION.demands)) {
      if (demand.deadline < now) {
        this.log.error({ claim: demand.claimId, unit: demand.unit }, 'a demand was not answered in time');
        await this.store.remove(COLLECTION.demands, key);
      } else claims.add(demand.claimId);
    }
    for (const claimId of claims) await this.enqueue(claimId);
  }

  private async enqueue(claimId: string): Promise<void> {
    const id = `defend/${claimId}`;
    const isNew = await this.queue.add({ id, kind: 'defend', data: { claimId }, priority: PRIORITY, attempts: 1_000 });
    // However often it failed: as long as a demand is open there is a lock to save.
    if (!isNew) await this.queue.replay(id);
  }

  private async pending(claimId: string): Promise<DemandDocument[]> {
    const prefix = `${orderedId(claimId)}/`;
    const listed = await this.store.list<DemandDocument>(COLLECTION.demands, { after: prefix });
    return listed
      .filter(([key]) => key.startsWith(prefix))
      .map(([, demand]) => demand)
      .sort((a, b) => a.deadline - b.deadline);
  }

  private async answerClaim(claimId: string): Promise<void> {
    const open: DemandDocument[] = [];
    for (const demand of await this.pending(claimId)) {
      if (await this.defence.isOpen(claimId, demand.unit)) open.push(demand);
      else await this.answered(claimId, demand.unit);
    }
    const roots = open.find(({ unit }) => unit.kind === 'tensorRoots');
    if (roots !== undefined) {
      await this.defence.postRoots(claimId, await this.defence.rootsOf(claimId));
      await this.answered(claimId, roots.unit);
    }
    const others = open.filter(({ unit }) => unit.kind !== 'tensorRoots');
    for (let from = 0; from < others.length; from += BATCH) await this.answerBatch(claimId, others.slice(from, from + BATCH));
    if (open.length > 0) this.log.info({ claim: claimId, answered: open.length }, 'answered demands');
  }

  private async answerBatch(claimId: string, demands: readonly DemandDocument[]): Promise<void> {
    const answers: { claimId: string; unit: Unit; data: Uint8Array }[] = [];
    for (const { unit } of demands) {
      const data = await this.defence.dataOf(claimId, unit);
      if (data === undefined) this.log.error({ claim: claimId, unit }, 'a demanded unit does not exist');
      else answers.push({ claimId, unit, data });
    }
    if (answers.length > 0) await this.defence.postAnswers(answers);
    for (const { unit } of demands) await this.answered(claimId, unit);
  }
}
