import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { AssayError } from '../../core/errors.ts';
import type { Log } from '../../runtime/log.ts';
import { checked } from '../documents.ts';
import type { Store } from '../store/port.ts';

const COLLECTION = 'leases';

const leaseSchema = z.object({
  /** Random name of the process that holds it; null when it was given back. */
  holder: z.string().nullable(),
  /** Where that process runs: for people. */
  place: z.string(),
  /** Counts up while the holder lives. Others judge by its standing still, never by a clock that might be another machine's. */
  beat: z.int().min(0),
});
type LeaseDocument = z.output<typeof leaseSchema>;

export interface LeaseOptions {
  /** Milliseconds between two beats (3,000). */
  readonly every?: number;
  /** Milliseconds without a beat after which the holder counts as dead (15,000). */
  readonly patience?: number;
  readonly log: Log;
  /** Another process took the lease: this one must stop at once. */
  onLost(error: AssayError): void;
}

export interface Lease {
  /** Stops beating and gives the lease back, so that the next process need not wait. */
  release(): Promise<void>;
}

/**
 * Holds something that one process at a time may have, wherever it runs: the chain side of a stake. One that was killed is replaced
 * when it has not been heard of for `patience`.
 * @throws AssayError STAKE_IN_USE when another process lives
 */
export async function holdLease(store: Store, name: string, options: LeaseOptions): Promise<Lease> {
  const { every = 3_000, patience = 15_000, log } = options;
  const holder = randomUUID();
  const place = `${hostname()} (process ${process.pid})`;
  await take(store, name, { holder, place, beat: 0 }, { patience, every, log });
  const abort = new AbortController();
  const beating = beat(store, name, holder, {
    every,
    signal: abort.signal,
    log,
    onLost: (lost) => options.onLost(inUse(name, lost.place)),
  });
  return {
    release: async () => {
      abort.abort();
      await beating;
      await store.update<LeaseDocument>(COLLECTION, name, (held) => (held?.holder === holder ? { ...held, holder: null } : undefined));
    },
  };
}

async function take(
  store: Store,
  name: string,
  ours: LeaseDocument,
  { patience, every, log }: { readonly patience: number; readonly every: number; readonly log: Log },
): Promise<void> {
  let seen = await read(store, name);
  let seenAt = performance.now();
  for (let told = false; ; ) {
    const isFree = seen === undefined || seen.holder === null || performance.now() - seenAt >= patience;
    if (isFree) {
      const before = seen;
      const now = await store.update<LeaseDocument>(COLLECTION, name, (held) => (sameBeat(held, before) ? ours : undefined));
      if (now?.holder === ours.holder) return;
    } else if (!told) {
      told = true;
      log.info({ holder: seen?.place }, 'another process holds the chain side of this stake; waiting whether it lives');
    }
    await sleep(Math.min(every, patience) / 4);
    const next = await read(store, name);
    if (sameBeat(next, seen)) continue;
    // It moved while we looked: its holder lives, or has just given it back.
    if (next !== undefined && next.holder !== null && next.holder === seen?.holder) throw inUse(name, next.place);
    seen = next;
    seenAt = performance.now();
  }
}

async function beat(
  store: Store,
  name: string,
  holder: string,
  options: { readonly every: number; readonly signal: AbortSignal; readonly log: Log; onLost(to: LeaseDocument): void },
): Promise<void> {
  while (!options.signal.aborted) {
    await sleep(options.every, undefined, { signal: options.signal }).catch(() => undefined);
    if (options.signal.aborted) return;
    try {
      const held = await store.update<LeaseDocument>(COLLECTION, name, (before) =>
        before?.holder === holder ? { ...before, beat: before.beat + 1 } : undefined,
      );
      if (held !== undefined && held.holder === holder) continue;
      return options.onLost(held ?? { holder: null, place: 'nobody', beat: 0 });
    } catch (error) {
      // Nobody can take it from us through a store that does not answer; if it answers others, the next beat tells.
      options.log.warn({ error }, 'the lease of the stake could not be renewed; trying again');
    }
  }
}

async function read(store: Store, name: string): Promise<LeaseDocument | undefined> {
  const found = await store.get<unknown>(COLLECTION, name);
  return found === undefined ? undefined : checked(leaseSchema, COLLECTION, name, found);
}

function sameBeat(a: LeaseDocument | undefined, b: LeaseDocument | undefined): boolean {
  return a?.holder === b?.holder && a?.beat === b?.beat;
}

function inUse(name: string, place: string): AssayError {
  return new AssayError('Another process runs the chain side of this stake', {
    code: 'STAKE_IN_USE',
    facts: { stake: name, process: place },
    fix: 'run one process of the role chain or all for a stake; stop that one, or wait until it has ended',
  });
}
