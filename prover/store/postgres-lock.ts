import { createHash } from 'node:crypto';
import type { Client } from 'pg';
import { AssayError } from '../../core/errors.ts';

export interface HeldLock {
  release(): Promise<void>;
}

/** Milliseconds between signs of life, and for which a holder that is just ending is waited for. */
const PULSE = 2_000;
const WAIT = 5_000;
const PAUSE = 250;

/**
 * A session-level advisory lock on a connection of its own: the server lets go of it when that connection ends, also by a kill. What
 * lies between is covered by a pulse: no answer means lost.
 */
export async function holdLock(connect: () => Client, name: string, onLost: (error: unknown) => void): Promise<HeldLock> {
  const client = connect();
  let isOver = false;
  let timer: NodeJS.Timeout | undefined;
  const lost = (error: unknown): void => {
    if (isOver) return;
    isOver = true;
    clearTimeout(timer);
    client.end().catch(() => undefined);
    onLost(error);
  };
  // Before the lock is held, an error comes out of the query that asks for it.
  client.on('error', () => undefined);
  try {
    await client.connect();
    // The server forgets within seconds a holder whose machine is gone.
    await client.query('set tcp_keepalives_idle = 5; set tcp_keepalives_interval = 2; set tcp_keepalives_count = 3');
    await acquire(client, name);
  } catch (error) {
    isOver = true;
    await client.end().catch(() => undefined);
    throw error;
  }
  client.on('error', lost);
  client.on('end', () => lost(new Error('Connection terminated')));
  const pulse = (): void => {
    timer = setTimeout(() => {
      client.query('select 1').then(pulse, lost);
    }, PULSE);
  };
  pulse();
  return {
    async release() {
      if (isOver) return;
      isOver = true;
      clearTimeout(timer);
      await client.end().catch(() => undefined);
    },
  };
}

async function acquire(client: Client, name: string): Promise<void> {
  const key = createHash('sha256').update(name).digest().readBigInt64BE().toString();
  for (const end = performance.now() + WAIT; ; await new Promise((resolve) => setTimeout(resolve, PAUSE))) {
    const { rows } = await client.query<{ held: boolean }>('select pg_try_advisory_lock($1::bigint) as held', [key]);
    if (rows[0]?.held === true) return;
    if (performance.now() > end) {
      throw new AssayError('Another process does this already', {
        code: 'LOCK_HELD',
        facts: { lock: name },
        fix: 'run one chain process a stake; stop the other one, or this',
      });
    }
  }
}
