import { Redis } from 'ioredis';
import { Client } from 'pg';
import { identityFrom, type NodeIdentity } from '../../prover/assembly/identity.ts';
import { redisReason } from '../../prover/queue/redis-reason.ts';
import { MIGRATION_NAMES } from '../../prover/store/migrations.ts';
import type { Report } from './findings.ts';

const PATIENCE = 5_000;
const SKEW_SECONDS = 5;
const OLDEST_REDIS = [6, 2] as const;
const OLDEST_POSTGRES = 120_000;

/** The Redis of the queue: there, new enough, and not one that forgets. */
export async function checkRedis(report: Report, url: string): Promise<void> {
  const what = 'redis';
  const client = new Redis(url, { lazyConnect: true, retryStrategy: () => null, maxRetriesPerRequest: 0, connectTimeout: PATIENCE });
  // Says why; the calls below know only that the connection is closed.
  let reason: string | undefined;
  client.on('error', (error) => {
    reason ??= error.message;
  });
  await report.look(what, async () => {
    try {
      await client.connect();
      const info = await client.info();
      const of = (name: string): string => new RegExp(`^${name}:(.*)$`, 'm').exec(info)?.[1]?.trim() ?? '';
      const [major = 0, minor = 0] = of('redis_version').split('.').map(Number);
      if (major < OLDEST_REDIS[0] || (major === OLDEST_REDIS[0] && minor < OLDEST_REDIS[1])) {
        report.fail(what, `its version is ${of('redis_version')}`, `run Redis ${OLDEST_REDIS.join('.')} or later`);
      } else if (reason === undefined) report.ok(what, `version ${of('redis_version')} at ${new URL(url).host}`);
      // Connected, and yet refused, such as the number of a database: ioredis goes on with another one.
      if (reason !== undefined) throw new Error(reason);
      if (of('role') !== 'master') report.fail(what, 'it is a replica that cannot be written to', 'name the address of its master');
      const most = Number(of('maxmemory'));
      if (most > 0 && Number(of('used_memory')) >= most) report.fail(what, 'its memory is full', 'raise its maxmemory');
      const policy = of('maxmemory_policy');
      if (policy !== 'noeviction') {
        report.fail(what, `its maxmemory-policy is ${policy}: it may throw jobs away`, 'set maxmemory-policy to noeviction');
      }
      if (of('aof_enabled') !== '1') {
        report.warn(
          what,
          'it keeps no append-only file: after a crash of it, work is delayed until it is queued again',
          'set appendonly to yes',
        );
      }
    } catch (error) {
      report.fail(
        what,
        `${new URL(url).host}: ${redisReason(url, reason ?? (error instanceof Error ? error.message : String(error)))}`,
        'check its address, user and password, and that it runs',
      );
    } finally {
      client.disconnect();
    }
  });
}

/**
 * The PostgreSQL of store and inputs: there, new enough, writable, at this version's tables.
 * @returns whose it is; undefined where nobody's yet, or that is not known
 */
export async function checkPostgres(report: Report, url: string): Promise<NodeIdentity | undefined> {
  const what = 'postgresql';
  let identity: NodeIdentity | undefined;
  const client = new Client({ connectionString: url, connectionTimeoutMillis: PATIENCE, query_timeout: PATIENCE });
  client.on('error', () => undefined);
  await report.look(what, async () => {
    try {
      await client.connect();
      const before = Date.now();
      const { rows } = await client.query<{ version: string; number: number; now: Date }>(
        "select current_setting('server_version') as version, current_setting('server_version_num')::int as number, clock_timestamp() as now",
      );
      const skew = Math.abs((rows[0]!.now.getTime() - (before + Date.now()) / 2) / 1000);
      if (rows[0]!.number < OLDEST_POSTGRES) report.fail(what, `its version is ${rows[0]!.version}`, 'run PostgreSQL 12 or later');
      else report.ok(what, `version ${rows[0]!.version} at ${new URL(url).host}`);
      if (skew > SKEW_SECONDS)
        report.warn('clock', `this machine and the database differ by ${Math.round(skew)} s`, 'run a time service (NTP) on both');
      if (await mayWrite(report, client)) identity = await checkTables(report, client);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      report.fail(what, `${new URL(url).host}: ${reason}`, 'check its address, user, password and database, and that it runs');
    } finally {
      await client.end().catch(() => undefined);
    }
  });
  return identity;
}

async function mayWrite(report: Report, client: Client): Promise<boolean> {
  const { rows } = await client.query<{ readonly: boolean }>("select current_setting('transaction_read_only') = 'on' as readonly");
  if (rows[0]?.readonly !== true) return true;
  const fix = 'name the address of the primary server, or unset default_transaction_read_only';
  report.fail('postgresql', 'it cannot be written to: it is a standby, or its database is set to read only', fix);
  return false;
}

/** Reads only: tables are made and changed by a node at its start. */
async function checkTables(report: Report, client: Client): Promise<NodeIdentity | undefined> {
  const what = 'postgresql';
  const { rows } = await client.query<{ present: boolean; creates: boolean }>(
    "select to_regclass('assay.kysely_migration') is not null as present, has_database_privilege(current_database(), 'CREATE') as creates",
  );
  if (rows[0]?.present !== true) {
    if (rows[0]?.creates === true) report.ok(what, 'its tables are made at the first start');
    else report.fail(what, 'it has no tables, and this user may not make them', 'grant the user CREATE on the database');
    return undefined;
  }
  const mine = await client.query<{ mine: boolean }>(RIGHTS);
  if (mine.rows[0]?.mine !== true) {
    report.fail(
      what,
      'its tables are there, and this user may not write them',
      'connect as the user that made them, or grant it their rights',
    );
    return undefined;
  }
  const done = await client.query<{ name: string }>('select name from assay.kysely_migration order by name');
  const names = done.rows.map(({ name }) => name);
  const later = names.find((name) => !MIGRATION_NAMES.includes(name));
  const missing = MIGRATION_NAMES.filter((name) => !names.includes(name));
  if (later !== undefined) report.fail(what, `a later version was there: ${later}`, 'run the version that the other processes run');
  else
    report.ok(
      what,
      missing.length === 0
        ? 'its tables are those of this version'
        : `its tables are brought to this version at the next start: ${missing.join(', ')}`,
    );
  const held = await client.query<{ document: unknown }>(
    "select document from assay.documents where collection = 'node' and id = 'identity'",
  );
  return identityFrom(held.rows[0]?.document);
}

const RIGHTS = `select bool_and(has_table_privilege(format('assay.%I', name), wanted)) as mine
  from unnest(array['documents', 'artifacts', 'kysely_migration']) as name, unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE']) as wanted`;
