import { accessSync, constants, statSync } from 'node:fs';
import path from 'node:path';
import type { ConfigProblem } from '../../runtime/configuration.ts';
import { nodeConfigSchema } from './config.ts';

type Given = Readonly<Record<string, unknown>>;
type Environment = Readonly<Record<string, string | undefined>>;

/**
 * What the schema of a node's configuration cannot say: members that contradict each other, and files that are not there. Members may
 * be malformed here, which the schema tells by itself.
 */
export function nodeConfigProblems(given: Given, environment: Environment): ConfigProblem[] {
  return [...partsMissing(given), ...contradictions(given, environment), ...unreadable(given), ...dataUnwritable(given)];
}

function partsMissing(given: Given): ConfigProblem[] {
  const role = given.role ?? 'all';
  const problems: ConfigProblem[] = [];
  const missing = (member: string, message: string, fix: string): void => {
    if (given[member] === undefined) problems.push({ path: member, message, fix });
  };
  if (role === 'api' || role === 'worker' || role === 'chain') {
    const apart = `is missing, and the role ${role} shares its work with other processes`;
    missing('redis', apart, 'give the address of a Redis (REDIS_URL), or run everything in one process with the role all');
    missing('database', apart, 'give the address of a PostgreSQL (DATABASE_URL), or run everything in one process with the role all');
  } else if (given.redis === undefined || given.database === undefined) {
    missing('data', 'is missing', 'name a directory for the state of this node alone, or give both redis and database');
  }
  if (role !== 'worker') missing('rpc', 'is missing', 'give the JSON-RPC address of the chain');
  return problems;
}

function contradictions(given: Given, environment: Environment): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const ids = (Array.isArray(given.models) ? given.models : []).map((model: unknown) => memberOf(model, 'modelId'));
  ids.forEach((id, i) => {
    if (id === undefined || ids.indexOf(id) === i) return;
    problems.push({
      path: `models.${i}.modelId`,
      message: `is that of models.${ids.indexOf(id)} too`,
      fix: 'leave one of the two out',
    });
  });
  const [least, most] = [given.minimumFee, given.mostFee];
  if (isDigits(least) && isDigits(most) && BigInt(least) > BigInt(most)) {
    problems.push({
      path: 'mostFee',
      message: 'is below minimumFee: every request would be refused',
      fix: 'raise it, or lower minimumFee',
    });
  }
  const { answerDays, idempotencyDays } = nodeConfigSchema.shape;
  const [kept, named] = [answerDays.safeParse(given.answerDays).data, idempotencyDays.safeParse(given.idempotencyDays).data];
  if (kept !== undefined && named !== undefined && named > kept) {
    problems.push({
      path: given.idempotencyDays === undefined ? 'answerDays' : 'idempotencyDays',
      message: `would let idempotency keys (${named} days) outlive the answers that they stand for (${kept} days)`,
      fix: 'keep idempotencyDays at or below answerDays',
    });
  }
  if (given.keystore !== undefined && isSet(environment.ASSAY_NODE_KEY)) {
    problems.push({
      path: 'keystore',
      message: 'is given, and so is ASSAY_NODE_KEY: which key is meant is not clear',
      fix: 'leave one of the two out',
    });
  }
  if (isSet(environment.ASSAY_KEYSTORE_PASSWORD) && memberOf(given.keystore, 'passwordFile') !== undefined) {
    problems.push({
      path: 'keystore.passwordFile',
      message: 'is given, and so is ASSAY_KEYSTORE_PASSWORD',
      fix: 'leave one of the two out',
    });
  }
  return problems;
}

function unreadable(given: Given): ConfigProblem[] {
  const models = Array.isArray(given.models) ? given.models : [];
  const files: [path: string, file: unknown, fix: string][] = [
    ['deployment', given.deployment, 'name the file that `assay deploy` wrote'],
    ['apiKeys', given.apiKeys, 'name a file of hashed API keys, or leave it out'],
    ['keystore.file', memberOf(given.keystore, 'file'), 'name an encrypted key file that this user may read'],
    ['keystore.passwordFile', memberOf(given.keystore, 'passwordFile'), 'name a file that this user may read'],
  ];
  models.forEach((model: unknown, i) => {
    const directory = memberOf(model, 'directory');
    const file = typeof directory === 'string' ? path.join(directory, 'program.assay') : undefined;
    files.push([`models.${i}.directory`, file, 'name a folder that `assay compile` wrote']);
  });
  return files.flatMap(([member, file, fix]) => {
    const reason = typeof file === 'string' ? unreadableReason(file) : undefined;
    return reason === undefined ? [] : [{ path: member, message: `${String(file)} ${reason}`, fix }];
  });
}

function unreadableReason(file: string): string | undefined {
  try {
    if (!statSync(file).isFile()) return 'is no file';
    accessSync(file, constants.R_OK);
    return undefined;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' || code === 'ENOTDIR' ? 'does not exist' : `cannot be read (${code})`;
  }
}

/** A directory that is not there yet is made at start: the nearest one above must take it. */
function dataUnwritable(given: Given): ConfigProblem[] {
  if (typeof given.data !== 'string' || given.data === '') return [];
  const problem = (message: string): ConfigProblem[] => [
    { path: 'data', message, fix: 'name a directory that this user may write to, and correct its owner' },
  ];
  let at = path.resolve(given.data);
  for (;;) {
    try {
      if (!statSync(at).isDirectory()) return problem(`${at} is no directory`);
      accessSync(at, constants.W_OK | constants.X_OK);
      return [];
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOTDIR') at = path.dirname(at);
      else if (code !== 'ENOENT') return problem(`${at} cannot be written to (${code})`);
      else if (at === path.dirname(at)) return problem(`${at} does not exist`);
      else at = path.dirname(at);
    }
  }
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

function isDigits(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9]{1,30}$/.test(value);
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && value !== '';
}
