import { existsSync, readFileSync, statfsSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { availableParallelism, totalmem } from 'node:os';
import path from 'node:path';
import type { NodeConfig } from '../../prover/configuration/config.ts';
import { readApiKeys } from '../../prover/http/keys.ts';
import { NODE_PREFIX, unknownVariables } from '../../runtime/configuration-environment.ts';
import { selftest } from '../../runtime/selftest.ts';
import { openStateDirectory } from '../../runtime/state-directory.ts';
import { bytes, count } from '../text.ts';
import type { Report } from './findings.ts';

const GIB = 2 ** 30;
const LITTLE_DISK = 5 * GIB;
const NO_DISK = GIB / 4;
/** Of a node's own, beside its sessions and provers. */
const BASE_MEMORY = GIB;

/** Variables with a meaning that is no member of the configuration. */
const OTHER_VARIABLES = ['ASSAY_DEBUG', 'ASSAY_KEYSTORE_PASSWORD', 'ASSAY_NODE_KEY', 'ASSAY_CHALLENGER_KEY', 'ASSAY_DEPLOYER_KEY'];
const OTHERS = [...OTHER_VARIABLES, 'ASSAY_CREATOR_KEY', 'ASSAY_OWNER_KEY', 'ASSAY_REQUESTER_KEY', 'ASSAY_TEST_LOG'];

/** Variables that were meant to say something. @param prefix of those of the process that is looked at */
export function checkVariables(report: Report, members: Parameters<typeof unknownVariables>[0], prefix: string): void {
  for (const name of unknownVariables(members, process.env, OTHERS, prefix)) {
    report.warn(
      'configuration',
      `${name} is set and means nothing`,
      'correct its name, or unset it; docs/operating.md lists all variables',
    );
  }
}

/** What configuration and environment say that is allowed, and hardly meant. */
export function checkSettings(report: Report, config: NodeConfig, members: Parameters<typeof unknownVariables>[0]): void {
  checkVariables(report, members, NODE_PREFIX);
  const isPublic = config.host !== '127.0.0.1' && config.host !== 'localhost' && config.host !== '::1';
  if (isPublic && config.apiKeys === undefined && (config.role === 'all' || config.role === 'api')) {
    report.warn('configuration', `everybody who reaches ${config.host} may ask`, 'name a file of apiKeys, or put a proxy before the node');
  }
  if (config.role !== 'worker' && config.maxFeePerGas === undefined) {
    report.warn('configuration', 'there is no maxFeePerGas: claims are sent at any price of gas', 'set maxFeePerGas');
  }
  checkSecrets(report, config.keystore);
}

/** Files that nobody else should be able to read. */
export function checkSecrets(report: Report, keystore: NodeConfig['keystore']): void {
  for (const file of [keystore?.file, keystore?.passwordFile]) {
    if (file !== undefined && (statSync(file).mode & 0o077) !== 0) {
      report.warn('configuration', `${file} may be read by other users of this machine`, `chmod 600 ${file}`);
    }
  }
}

/** The file of API keys, which a node reads while it runs too. */
export async function checkApiKeys(report: Report, { apiKeys: file, role }: NodeConfig): Promise<void> {
  if (file === undefined || (role !== 'all' && role !== 'api')) return;
  await report.look('api keys', async () => {
    const keys = readApiKeys(file).length;
    if (keys === 0)
      report.warn('api keys', `${file} lists none: nobody may ask`, 'add one (docs/http.md, "API keys"), or leave apiKeys out');
    else report.ok('api keys', `${keys} may ask`);
  });
}

/** Memory, self-test and port. */
export async function checkMachine(report: Report, config: NodeConfig): Promise<void> {
  const works = config.role === 'all' || config.role === 'worker';
  const wanted = BASE_MEMORY + (works ? config.proofProcesses * config.proofMemoryMiB * 2 ** 20 : 0);
  if (wanted > totalmem()) {
    report.warn(
      'memory',
      `${config.proofProcesses} proofs of ${config.proofMemoryMiB} MiB do not fit the ${bytes(totalmem())} of this machine`,
      'lower proofProcesses or proofMemoryMiB',
    );
  } else report.ok('memory', `${bytes(totalmem())}, at most ${bytes(wanted)} wanted; ${availableParallelism()} cores`);
  await checkSelftest(report);
}

/** Whether this machine computes as every other does. */
export async function checkSelftest(report: Report): Promise<void> {
  await report.look('self-test', async () => {
    const { passed, values, milliseconds } = await selftest();
    if (passed) report.ok('self-test', `${count(values)} values compared in ${(milliseconds / 1000).toFixed(1)} s`);
    else
      report.fail(
        'self-test',
        'this machine does not compute integer programs bit for bit',
        'do not run it here; `assay selftest` tells more',
      );
  });
}

/** The state directory of a process, and the space it has. @param kind of process; undefined data: it has none */
export async function checkDirectory(report: Report, kind: string, data: string | undefined): Promise<'running' | 'free'> {
  if (data === undefined) return 'free';
  const isRunning = (await report.look('state directory', () => stateOf(report, kind, data))) === 'running';
  let at = path.resolve(data);
  while (!existsSync(at)) at = path.dirname(at);
  const { bavail, bsize } = statfsSync(at);
  const free = bavail * bsize;
  const text = `${bytes(free)} are free at ${at}`;
  if (free < NO_DISK) report.fail('disk', text, `free some space: a ${kind} that cannot write cannot keep its word`);
  else if (free < LITTLE_DISK)
    report.warn('disk', text, 'give it more: inputs of claims are kept for as long as somebody may ask for them');
  else report.ok('disk', text);
  return isRunning ? 'running' : 'free';
}

async function stateOf(report: Report, kind: string, data: string): Promise<'running' | 'free'> {
  if (!existsSync(path.join(data, 'version'))) {
    report.ok('state directory', `${data} is made at the first start`);
    return 'free';
  }
  const holder = path.join(data, 'process');
  if (existsSync(holder) && isAlive(Number(readFileSync(holder, 'utf8')))) {
    report.ok('state directory', `${data} is held by process ${readFileSync(holder, 'utf8')}: the ${kind} runs`);
    return 'running';
  }
  await openStateDirectory(data, kind).close();
  report.ok('state directory', `${data} can be opened`);
  return 'free';
}

function isAlive(pid: number): boolean {
  try {
    return Number.isInteger(pid) && pid > 0 && process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Whether the HTTP service can listen. @param isRunning the node itself may hold its port */
export async function checkPort(report: Report, { host, port }: NodeConfig, isRunning: boolean): Promise<void> {
  const what = 'port';
  if (port === 0) return report.ok(what, 'a free one is taken at start');
  const code = await new Promise<string | undefined>((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen(port, host, () => server.close(() => resolve(undefined)));
  });
  if (code === undefined) report.ok(what, `${host}:${port} is free`);
  else if (code === 'EADDRINUSE' && isRunning) report.ok(what, `${host}:${port} is in use, by the running node most likely`);
  else if (code === 'EADDRINUSE') report.fail(what, `${host}:${port} is in use by another process`, 'stop that, or set another port');
  else
    report.fail(what, `${host}:${port} cannot be listened on (${code})`, 'name an address of this machine, and a port this user may open');
}
