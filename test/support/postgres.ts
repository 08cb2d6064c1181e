import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Client } from 'pg';
import { freePort } from './port.ts';

/** A PostgreSQL of a test's own, empty. */
export interface PostgresServer {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Ends the server: at once when killed, and then `restart` recovers it. */
  stop(signal?: 'SIGINT' | 'SIGKILL'): Promise<void>;
  /** Starts it again on what it had. */
  restart(): Promise<void>;
  /** Ends it for good and removes what it had; safe to call twice. */
  remove(): Promise<void>;
}

const VERSIONS = '/usr/lib/postgresql';

/** Folder of the server's programs: Debian keeps them apart, by version. */
function programs(): string {
  const newest = existsSync(VERSIONS) ? readdirSync(VERSIONS).sort((a, b) => Number(b) - Number(a))[0] : undefined;
  if (newest === undefined) throw new Error(`no PostgreSQL below ${VERSIONS}: apt-get install postgresql`);
  return path.join(VERSIONS, newest, 'bin');
}

/** The server refuses to run as root: there it runs as the user that its package made. */
function user(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith('postgres:'));
  if (line === undefined) throw new Error('there is no user "postgres" to run the server as');
  const [, , uid, gid] = line.split(':');
  return { uid: Number(uid), gid: Number(gid) };
}

/** Starts `postgres` (Debian package postgresql) on 127.0.0.1 and resolves when it answers; about 2 s. It ends with this process. */
export async function startPostgres(): Promise<PostgresServer> {
  const bin = programs();
  const identity = user();
  const port = await freePort();
  const folder = mkdtempSync(path.join(tmpdir(), 'assay-postgres-'));
  if (identity !== undefined) chownSync(folder, identity.uid, identity.gid);
  chmodSync(folder, 0o700);
  const data = path.join(folder, 'data');
  const initial = ['-D', data, '-U', 'assay', '-A', 'trust', '-E', 'UTF8', '--locale', 'C', '--no-sync'];
  execFileSync(path.join(bin, 'initdb'), initial, { cwd: folder, stdio: 'ignore', ...identity });
  const server = { bin, identity, port, folder, data };
  let running = await launch(server);
  return {
    url: `postgres://assay@127.0.0.1:${port}/postgres`,
    port,
    get pid() {
      return running.pid;
    },
    stop: (signal = 'SIGINT') => running.stop(signal),
    async restart() {
      await running.stop('SIGKILL');
      running = await relaunch(server);
    },
    async remove() {
      await running.stop('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

interface ServerFiles {
  readonly bin: string;
  readonly identity: { uid: number; gid: number } | undefined;
  readonly port: number;
  readonly folder: string;
  readonly data: string;
}

/** Children of a killed server hold its memory until they notice: till then a new one refuses to start. */
async function relaunch(server: ServerFiles): ReturnType<typeof launch> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await launch(server);
    } catch (error) {
      if (attempt === 20) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

async function launch(server: ServerFiles): Promise<{ pid: number; stop(signal: NodeJS.Signals): Promise<void> }> {
  const { bin, identity, port, folder, data } = server;
  const settings = ['-c', 'listen_addresses=127.0.0.1', '-c', `unix_socket_directories=${folder}`, '-c', 'max_connections=60'];
  const child = spawn(path.join(bin, 'postgres'), ['-D', data, '-p', String(port), ...settings], {
    cwd: folder,
    stdio: 'ignore',
    ...identity,
  });
  const ended = new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', () => resolve());
  });
  // SIGINT is its fast shutdown; its own children end with it. A killed one leaves a pid file that the next one takes over.
  const endWithOwner = (): void => void child.kill('SIGKILL');
  process.once('exit', endWithOwner);
  const stop = async (signal: NodeJS.Signals): Promise<void> => {
    process.off('exit', endWithOwner);
    child.kill(signal);
    await ended;
  };
  const early = ended.then(() => Promise.reject(new Error(`postgres ended before it answered on port ${port}`)));
  try {
    await Promise.race([answers(port), early]);
  } catch (error) {
    await stop('SIGKILL').catch(() => undefined);
    throw error;
  }
  // From here on an end is expected, by `stop`.
  early.catch(() => undefined);
  return { pid: child.pid ?? 0, stop };
}

async function answers(port: number): Promise<void> {
  for (const end = performance.now() + 60_000; ; ) {
    const client = new Client({ host: '127.0.0.1', port, user: 'assay', database: 'postgres', connectionTimeoutMillis: 2_000 });
    client.on('error', () => undefined);
    try {
      await client.connect();
      await client.query('select 1');
      return;
    } catch (error) {
      if (performance.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    } finally {
      await client.end().catch(() => undefined);
    }
  }
}
