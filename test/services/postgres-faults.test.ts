// needs: postgresql
import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { AssayError } from '../../core/errors.ts';
import { openPostgres, type Postgres, type PostgresOptions } from '../../prover/store/postgres.ts';
import { createLog } from '../../runtime/log.ts';
import { freePort } from '../support/port.ts';
import { type PostgresServer, startPostgres } from '../support/postgres.ts';

const log = createLog({ name: 'test', level: 'silent' });
const opened: Postgres[] = [];
let server: PostgresServer;

beforeAll(async () => {
  server = await startPostgres();
});

afterEach(async () => {
  for (const held of opened.splice(0)) await held.close();
});

afterAll(() => server.remove());

async function open(options: Partial<PostgresOptions> = {}): Promise<Postgres> {
  const held = await openPostgres({ url: server.url, log, patience: 3_000, ...options });
  opened.push(held);
  return held;
}

async function sql(text: string): Promise<void> {
  const client = new Client(server.url);
  await client.connect();
  await client.query(text);
  await client.end();
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

interface Counter {
  readonly count: number;
}
const increment = (before: Counter | undefined): Counter => ({ count: (before?.count ?? 0) + 1 });

describe('opening a PostgreSQL', () => {
  it('says what is wrong, and never the password', async () => {
    const nobody = `postgres://assay:hunter2@127.0.0.1:${await freePort()}/postgres`;
    const wrong: [string, string][] = [
      [nobody, 'STORE_UNREACHABLE'],
      [server.url.replace('/postgres', '/nowhere').replace('postgres://assay', 'postgres://assay:hunter2'), 'STORE_FAILED'],
      [server.url.replace('assay@', 'stranger:hunter2@'), 'STORE_FAILED'],
    ];
    for (const [url, code] of wrong) {
      const error = await open({ url, patience: 500 }).then(
        () => undefined,
        (reason: AssayError) => reason,
      );
      expect(error).toMatchObject({ code });
      expect(`${error?.explain()} ${JSON.stringify(error)}`).not.toContain('hunter2');
    }
  });

  it('brings an empty database to this version once, however many start at the same time', async () => {
    const all = await Promise.all(Array.from({ length: 5 }, () => open({ schema: 'together' })));
    await all[0]!.store.put('a', 'b', 1);
    expect(await all[4]!.store.get('a', 'b')).toBe(1);
  });

  it('refuses a database that a later version brought on', async () => {
    await open({ schema: 'later' });
    await sql(`insert into later.kysely_migration (name, timestamp) values ('9999_later', 'now')`);
    await expect(open({ schema: 'later' })).rejects.toMatchObject({ code: 'STORE_NEWER', facts: { step: '9999_later' } });
  });
});

describe('documents shared by two processes', () => {
  it('are changed as one step', async () => {
    const [a, b] = [await open(), await open()];
    const seen = await Promise.all(
      Array.from({ length: 60 }, (_, i) => (i % 2 === 0 ? a : b).store.update<Counter>('shared', 'one', increment)),
    );
    expect(new Set(seen.map((document) => document?.count)).size).toBe(60);
    expect(await a.store.get('shared', 'one')).toEqual({ count: 60 });
  });

  it('have one first writer', async () => {
    const [a, b] = [await open(), await open()];
    for (let i = 0; i < 20; i++) {
      const both = await Promise.all([a, b].map(({ store }, writer) => store.putIfAbsent('first', String(i), { writer })));
      expect(both.filter(Boolean)).toHaveLength(1);
      expect(await a.store.get('first', String(i))).toEqual({ writer: both.indexOf(true) });
    }
  });
});

describe('a PostgreSQL that fails', () => {
  it('loses nothing acknowledged when it is killed, and work goes on when it is back', async () => {
    const { store } = await open({ patience: 30_000 });
    const acknowledged: string[] = [];
    let counted = 0;
    const writing = (async () => {
      for (let i = 0; i < 400; i++) {
        const id = String(i).padStart(4, '0');
        expect(await store.putIfAbsent('kept', id, { i })).toBe(true);
        acknowledged.push(id);
        const { count } = (await store.update<Counter>('kept-count', 'one', increment))!;
        expect(count).toBeGreaterThan(counted);
        counted = count;
      }
    })();
    await expect.poll(() => acknowledged.length, { timeout: 30_000 }).toBeGreaterThan(50);
    for (let round = 0; round < 2; round++) {
      await server.restart();
      await pause(200);
    }
    await writing;
    expect((await store.list('kept')).map(([id]) => id)).toEqual(acknowledged);
    expect(acknowledged).toHaveLength(400);
  });

  it('is told in time when it stays away or does not answer, and waited for when it comes back', async () => {
    const { store } = await open({ patience: 1_000 });
    await store.put('away', 'a', { a: 1 });
    process.kill(server.pid, 'SIGSTOP');
    // The server's children answer on: a new connection is what waits.
    const other = openPostgres({ url: server.url, log, patience: 1_000 });
    await expect(other).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
    process.kill(server.pid, 'SIGCONT');
    await server.stop();
    for (const attempt of [() => store.get('away', 'a'), () => store.put('away', 'b', {}), () => store.update('away', 'a', () => ({}))]) {
      await expect(attempt()).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
    }
    await server.restart();
    expect(await store.get('away', 'a')).toEqual({ a: 1 });
  });

  it('refuses in words when it may not write', async () => {
    const { store } = await open();
    await sql('create role reader login; grant usage on schema assay to reader; grant select on all tables in schema assay to reader');
    const reader = await open({ url: server.url.replace('assay@', 'reader@') });
    await store.put('read', 'a', 1);
    expect(await reader.store.get('read', 'a')).toBe(1);
    await expect(reader.store.put('read', 'a', 2)).rejects.toMatchObject({ code: 'STORE_FAILED', facts: { sqlstate: '42501' } });
  });
});

describe('a name held alone', () => {
  it('goes to one, and on to the next one when it is let go', async () => {
    const [a, b] = [await open(), await open()];
    const lost: string[] = [];
    const held = await a.hold('stake', () => lost.push('a'));
    await b.hold('another stake', () => lost.push('b'));
    await expect(b.hold('stake', () => lost.push('b'))).rejects.toMatchObject({ code: 'LOCK_HELD', facts: { lock: 'assay/stake' } });
    const waiting = b.hold('stake', () => lost.push('b'));
    await pause(500);
    await held.release();
    await (await waiting).release();
    expect(lost).toEqual([]);
  });

  it('is lost with its connection, and that is said', async () => {
    const held = await open();
    let lost: AssayError | undefined;
    await held.hold('stake', (error) => {
      lost = error;
    });
    await server.restart();
    await expect.poll(() => lost?.code, { timeout: 10_000 }).toBe('STORE_UNREACHABLE');
    await (await held.hold('stake', () => undefined)).release();
  });
});
