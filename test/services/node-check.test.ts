// needs: redis-server postgresql
import { Redis } from 'ioredis';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createReport, type Finding } from '../../cli/check/findings.ts';
import { checkPostgres, checkRedis } from '../../cli/check/services.ts';
import { claimStore } from '../../prover/assembly/identity.ts';
import { openRedisQueue } from '../../prover/queue/bullmq.ts';
import { openPostgres } from '../../prover/store/postgres.ts';
import { createLog } from '../../runtime/log.ts';
import { type PostgresServer, startPostgres } from '../support/postgres.ts';
import { type RedisServer, startRedis } from '../support/redis.ts';

let redis: RedisServer;
let postgres: PostgresServer;
let client: Redis;

beforeAll(async () => {
  [redis, postgres] = await Promise.all([startRedis(), startPostgres()]);
  client = new Redis(redis.url);
});
afterAll(async () => {
  client?.disconnect();
  await Promise.all([redis?.stop('SIGKILL'), postgres?.remove()]);
});

async function findings(check: (report: ReturnType<typeof createReport>) => Promise<unknown>): Promise<string[]> {
  const found: Finding[] = [];
  await check(createReport((finding) => found.push(finding)));
  return found.map(({ status, message }) => `${status} ${message}`);
}

async function query(sql: string, url = postgres.url): Promise<void> {
  const session = new Client({ connectionString: url });
  await session.connect();
  await session.query(sql);
  await session.end();
}

describe('assay node check, of a Redis', () => {
  const check = (): Promise<string[]> => findings((report) => checkRedis(report, redis.url));

  it('wants one that keeps jobs', async () => {
    expect(await check()).toEqual([expect.stringMatching(/^ok version \d/), expect.stringMatching(/^warn it keeps no append-only file/)]);
    await client.config('SET', 'appendonly', 'yes');
    expect(await check()).toEqual([expect.stringMatching(/^ok version/)]);
    await client.config('SET', 'maxmemory-policy', 'allkeys-lru');
    expect(await check()).toContainEqual(expect.stringMatching(/^fail its maxmemory-policy is allkeys-lru/));
    await client.config('SET', 'maxmemory-policy', 'noeviction');
  });

  it('wants one that can be written to', async () => {
    await client.replicaof('127.0.0.1', '9');
    expect(await check()).toContainEqual('fail it is a replica that cannot be written to');
    await client.replicaof('NO', 'ONE');
    await client.config('SET', 'maxmemory', '1mb');
    expect(await check()).toContainEqual('fail its memory is full');
    await client.config('SET', 'maxmemory', '0');
  });

  it('wants a database that there is: another would be used in its place', async () => {
    const url = `${redis.url}/99`;
    const host = new URL(url).host;
    expect(await findings((report) => checkRedis(report, url))).toEqual([`fail ${host}: it has no database of that number`]);
    const opening = openRedisQueue({ url, prefix: 'test', log: createLog({ name: 'test', level: 'silent' }), patience: 3_000 });
    await expect(opening).rejects.toMatchObject({ code: 'QUEUE_UNREACHABLE', facts: { reason: 'it has no database of that number' } });
  });

  it('wants the protocol that it speaks', async () => {
    const said = await findings((report) => checkRedis(report, redis.url.replace('redis:', 'rediss:')));
    expect(said).toEqual([expect.stringMatching(/^fail .*the address says TLS \(rediss\): does it speak that\?$/)]);
  });

  it('wants the right password, and repeats none', async () => {
    await client.config('SET', 'requirepass', 'right');
    const said = await findings((report) => checkRedis(report, redis.url.replace('redis://', 'redis://:hunter2@')));
    expect(said).toEqual([expect.stringMatching(/^fail .*: user or password is wrong$/)]);
    expect(await check()).toEqual([expect.stringMatching(/^fail .*: it wants a password$/)]);
    expect(said.join()).not.toContain('hunter2');
  });
});

describe('assay node check, of a PostgreSQL', () => {
  const check = (url = postgres.url): Promise<string[]> => findings((report) => checkPostgres(report, url));

  it('makes no tables, and says who will', async () => {
    expect(await check()).toEqual([expect.stringMatching(/^ok version/), 'ok its tables are made at the first start']);
    expect(await check()).toContain('ok its tables are made at the first start');
  });

  it('knows a user that may not make them', async () => {
    await query('create role guest login; revoke create on database postgres from public');
    const said = await check(postgres.url.replace('assay@', 'guest@'));
    expect(said).toContainEqual(expect.stringMatching(/^fail it has no tables, and this user may not make them/));
  });

  it('knows one that cannot be written to', async () => {
    await query('create role standby login; alter role standby set default_transaction_read_only = on');
    expect(await check(postgres.url.replace('assay@', 'standby@'))).toContainEqual(expect.stringMatching(/^fail it cannot be written to/));
  });

  it('knows tables of another user, and whose node they are', async () => {
    const opened = await openPostgres({ url: postgres.url, log: createLog({ name: 'test', level: 'silent' }) });
    const identity = { chainId: 5, requests: `0x${'1'.repeat(40)}`, owner: `0x${'2'.repeat(40)}` } as const;
    expect(
      await checkPostgres(
        createReport(() => undefined),
        postgres.url,
      ),
    ).toBeUndefined();
    await claimStore(opened.store, identity);
    await opened.close();
    expect(
      await checkPostgres(
        createReport(() => undefined),
        postgres.url,
      ),
    ).toEqual(identity);
    await query('create role reader login; grant usage on schema assay to reader; grant select on all tables in schema assay to reader');
    const said = await check(postgres.url.replace('assay@', 'reader@'));
    expect(said).toContainEqual(expect.stringMatching(/^fail its tables are there, and this user may not write them/));
  });

  it('knows its own tables, and those of a later version', async () => {
    const opened = await openPostgres({ url: postgres.url, log: createLog({ name: 'test', level: 'silent' }) });
    await opened.close();
    expect(await check()).toContain('ok its tables are those of this version');
    await query("insert into assay.kysely_migration (name, timestamp) values ('9999_later', 'now')");
    expect(await check()).toContainEqual(expect.stringMatching(/^fail a later version was there: 9999_later/));
  });

  it('knows a database that is not there', async () => {
    expect(await check(postgres.url.replace(/postgres$/, 'nowhere'))).toEqual([expect.stringMatching(/^fail .*nowhere/)]);
  });
});
