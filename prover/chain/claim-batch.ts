import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '../../runtime/log.ts';
import type { NodeChain, PreparedClaim } from './chain.ts';

/** Milliseconds in which claims that become ready are gathered: little beside a block. */
const GATHER = 100;
/** Bounds of one transaction: some million gas, some 60 kB of calldata. */
const MOST_CLAIMS = 32;
const MOST_BYTES = 60_000;

interface Waiting {
  readonly claim: PreparedClaim;
  resolve(): void;
  reject(error: unknown): void;
}

/** Sends claims that become ready together in one transaction. Where that would revert, each goes alone: one must not hold up others. */
export class ClaimBatch {
  private readonly chain: Pick<NodeChain, 'claim' | 'claimBatch'>;
  private readonly log: Log;
  private waiting: Waiting[] = [];
  private gathering: Promise<void> | undefined;

  constructor(chain: Pick<NodeChain, 'claim' | 'claimBatch'>, log: Log) {
    this.chain = chain;
    this.log = log;
  }

  /** Resolves when the claim's transaction is mined. Whether this claim was part of it, only the chain says: others may be faster. */
  send(claim: PreparedClaim): Promise<void> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ claim, resolve, reject });
      this.gathering ??= delay(GATHER).then(() => {
        this.gathering = undefined;
        const ready = this.waiting;
        this.waiting = [];
        for (const group of groups(ready)) void this.sendGroup(group);
      });
    });
  }

  private async sendGroup(group: readonly Waiting[]): Promise<void> {
    if (group.length > 1) {
      try {
        await this.chain.claimBatch(group.map(({ claim }) => claim));
        for (const { resolve } of group) resolve();
        return;
      } catch (error) {
        this.log.warn({ claims: group.length, error }, 'claims cannot go together; each is sent alone');
      }
    }
    await Promise.all(group.map(({ claim, resolve, reject }) => this.chain.claim(claim).then(resolve, reject)));
  }
}

function groups(all: readonly Waiting[]): Waiting[][] {
  const made: Waiting[][] = [];
  let bytes = 0;
  for (const one of all) {
    const last = made.at(-1);
    const size = one.claim.output.length / 2;
    if (last === undefined || last.length === MOST_CLAIMS || bytes + size > MOST_BYTES) {
      made.push([one]);
      bytes = size;
    } else {
      last.push(one);
      bytes += size;
    }
  }
  return made;
}
