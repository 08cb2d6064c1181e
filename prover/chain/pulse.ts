import type { Log } from '../../runtime/log.ts';
import type { NodeMetrics } from '../metrics.ts';
import type { NodeChain } from './chain.ts';

export interface PulseParts {
  /** Seconds without a new block after which the chain stands still. */
  readonly patience: number;
  readonly log: Log;
  readonly metrics?: Pick<NodeMetrics, 'alarms'> | undefined;
}

/** Whether the chain goes on, as far as its endpoints tell and its events are handled: without new blocks no demand is seen. */
export class HeadPulse {
  private readonly parts: PulseParts;
  private newest: bigint | undefined;
  /** Milliseconds of a clock that only goes forward. */
  private at = performance.now();
  private isTold = false;

  constructor(parts: PulseParts) {
    this.parts = parts;
  }

  /** A poll of the chain ended. @param block the last one handled; undefined where the poll failed */
  beat(block: bigint | undefined): void {
    if (block !== undefined && block !== this.newest) {
      this.newest = block;
      this.at = performance.now();
      if (this.isTold) this.parts.log.info({ block: String(block) }, 'the chain goes on');
      this.isTold = false;
    } else if (!this.isTold && this.seconds() > this.parts.patience) {
      this.isTold = true;
      this.parts.metrics?.alarms.inc({ reason: 'rpc' });
      this.parts.log.error({ seconds: this.seconds() }, 'the chain stands still: no demand is seen before it goes on');
    }
  }

  /** Why no work should be taken now, one sentence; undefined while the chain goes on. */
  reason(): string | undefined {
    const seconds = this.seconds();
    return seconds > this.parts.patience ? `No new block of the chain was handled for ${seconds} seconds` : undefined;
  }

  private seconds(): number {
    return Math.floor((performance.now() - this.at) / 1000);
  }
}

const SAMPLE = 100n;
const BLOCKS = 20;
const LEAST_PATIENCE = 120;
const MOST_PATIENCE = 3_600;

/** Twenty times as long as a block takes on this chain, of late; from two minutes to an hour. */
export async function patienceFor(client: NodeChain['client']): Promise<number> {
  const head = await client.getBlock();
  const depth = head.number < SAMPLE ? head.number : SAMPLE;
  if (depth === 0n) return LEAST_PATIENCE;
  const before = await client.getBlock({ blockNumber: head.number - depth });
  const seconds = Number(head.timestamp - before.timestamp) / Number(depth);
  return Math.min(MOST_PATIENCE, Math.max(LEAST_PATIENCE, Math.round(BLOCKS * seconds)));
}
