import type { ChainEvent } from '../../contracts/client/follow.ts';
import type { Log } from '../../runtime/log.ts';
import type { NodeMetrics } from '../metrics.ts';

export interface DeferredParts {
  handle(event: ChainEvent): Promise<void>;
  readonly log: Log;
  readonly metrics?: Pick<NodeMetrics, 'alarms'> | undefined;
}

interface Late {
  readonly event: ChainEvent;
  attempts: number;
  /** Milliseconds of a clock that only goes forward. */
  until: number;
}

const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 60_000;
/** An hour of tries, after which a request no longer keeps the cursor for the next start behind itself. */
const MOST_FOR_REQUESTS = 64;

/**
 * Events whose handling failed. They are tried again on their own, so that one that cannot be handled (whatever a stranger has put into
 * it) never keeps the demands behind it from being seen. Kept in memory: the cursor for the next start stays before the earliest.
 */
export class DeferredEvents {
  private readonly parts: DeferredParts;
  private readonly late = new Map<string, Late>();

  constructor(parts: DeferredParts) {
    this.parts = parts;
  }

  async handle(event: ChainEvent): Promise<void> {
    const key = nameOf(event);
    try {
      await this.parts.handle(event);
      this.late.delete(key);
    } catch (error) {
      const attempts = (this.late.get(key)?.attempts ?? 0) + 1;
      const pause = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** Math.min(attempts - 1, 10));
      this.late.set(key, { event, attempts, until: performance.now() + pause });
      if (this.isHopeless(event, attempts) && attempts === MOST_FOR_REQUESTS) this.alarm(event, error);
      const line = { event: event.name, block: String(event.blockNumber), transaction: event.transactionHash, attempts, error };
      if ((attempts & (attempts - 1)) !== 0) return this.parts.log.debug(line, 'an event could not be handled; trying again');
      if (attempts >= 8) this.parts.metrics?.alarms.inc({ reason: 'rpc' });
      this.parts.log.warn(line, 'an event could not be handled; what comes after it goes on, and it is tried again');
    }
  }

  /** Tries again what is due. @param now the newest block's time, unix seconds: a request is dropped when its deadline is over */
  async retry(now: number): Promise<void> {
    for (const [key, { event, attempts, until }] of [...this.late]) {
      if (this.isHopeless(event, attempts) && deadlineOf(event) < now) this.late.delete(key);
      else if (until <= performance.now()) await this.handle(event);
    }
  }

  /** After a rewind everything comes again by itself. */
  clear(): void {
    this.late.clear();
  }

  /** The last block before which nothing is left to do, of those handled. */
  safeCursor(handled: bigint): bigint {
    let safe = handled;
    for (const { event, attempts } of this.late.values()) {
      if (event.blockNumber <= safe && !this.isHopeless(event, attempts)) safe = event.blockNumber - 1n;
    }
    return safe;
  }

  private isHopeless({ name }: ChainEvent, attempts: number): boolean {
    return name === 'Requested' && attempts >= MOST_FOR_REQUESTS;
  }

  private alarm({ args, blockNumber, transactionHash }: ChainEvent, error: unknown): void {
    this.parts.metrics?.alarms.inc({ reason: 'request' });
    this.parts.log.error(
      { request: String(args.requestId), block: String(blockNumber), transaction: transactionHash, error },
      'a request could not be handled for an hour; it is tried until its deadline, but not after a restart',
    );
  }
}

/** Unix seconds; 0 where the event names none. */
function deadlineOf({ args }: ChainEvent): number {
  const { deadline } = (args.terms ?? {}) as { readonly deadline?: number };
  return deadline ?? 0;
}

function nameOf({ blockNumber, transactionHash, logIndex }: ChainEvent): string {
  return `${blockNumber}/${transactionHash}/${logIndex}`;
}
