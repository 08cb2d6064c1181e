import path from 'node:path';
import type { ConfigProblem } from '../../runtime/configuration.ts';
import {
  dataUnwritable,
  type Environment,
  filesOfChain,
  type Given,
  keyGivenTwice,
  memberOf,
  type NamedFile,
  unreadableFiles,
} from '../../runtime/configuration-checks.ts';
import { nodeConfigSchema } from './config.ts';

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
  problems.push(...keyGivenTwice(given, environment, 'ASSAY_NODE_KEY'));
  return problems;
}

function unreadable(given: Given): ConfigProblem[] {
  const models = Array.isArray(given.models) ? given.models : [];
  const folders = models.map((model: unknown, i): NamedFile => {
    const directory = memberOf(model, 'directory');
    const file = typeof directory === 'string' ? path.join(directory, 'program.assay') : undefined;
    return [`models.${i}.directory`, file, 'name a folder that `assay compile` wrote'];
  });
  const keys: NamedFile = ['apiKeys', given.apiKeys, 'name a file of hashed API keys, or leave it out'];
  return unreadableFiles([...filesOfChain(given), keys, ...folders]);
}

function isDigits(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9]{1,30}$/.test(value);
}
