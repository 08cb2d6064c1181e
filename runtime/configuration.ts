import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { AssayError } from '../core/errors.ts';
import { fromEnvironment, memberAt, readSecretFiles, variableOf, withEnvironment } from './configuration-environment.ts';

/** Anvil's id: the one chain on which well-known keys and fault injection are allowed. */
export const DEVELOPMENT_CHAIN = 31_337;

/** One thing that is wrong with a configuration. */
export interface ConfigProblem {
  /** Member, such as `models.0.directory`; empty for the whole. */
  readonly path: string;
  readonly message: string;
  readonly fix: string;
}

/** All that is wrong with a configuration, told at once: who corrects one mistake should not have to start again to meet the next. */
export class ConfigError extends AssayError {
  readonly problems: readonly ConfigProblem[];

  constructor(file: string | undefined, problems: readonly ConfigProblem[]) {
    const [only] = problems;
    const told = problems.map(({ path, message, fix }, i) => `(${i + 1}) ${path || 'top'}: ${message}; ${fix}`);
    const isOne = problems.length === 1 && only !== undefined;
    super(
      isOne
        ? `The configuration is wrong at ${only.path || 'its top'}: ${only.message}`
        : `The configuration is wrong in ${problems.length} places: ${told.join('. ')}.`,
      {
        code: 'CONFIG_INVALID',
        facts: { file: file ?? 'none: command line and environment' },
        fix: isOne ? only.fix : 'correct these; docs/operating.md lists all members',
      },
    );
    this.problems = problems;
  }
}

export interface ConfigSources {
  /** JSON file. */
  readonly file: string | undefined;
  /** What the command line says: goes before the environment, which goes before the file. */
  readonly overrides: Readonly<Record<string, unknown>>;
  /** Variables that may override members; none unless told. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** What they begin with; those of a node unless told. */
  readonly prefix?: string;
  /** What a schema cannot say: members that contradict each other, files that cannot be read. Sees values that may be malformed. */
  readonly check?: (given: Readonly<Record<string, unknown>>) => readonly ConfigProblem[];
}

/**
 * Reads a configuration.
 * @throws ConfigError (CONFIG_INVALID) naming every member that is wrong, and how to correct it
 */
export function loadConfig<Schema extends z.ZodObject>(schema: Schema, sources: ConfigSources): z.output<Schema> {
  const { file, overrides, check } = sources;
  const fromFile = file === undefined ? {} : readJson(file);
  const members = z.toJSONSchema(schema, { io: 'input' });
  const { environment, problems: secretProblems } = readSecretFiles(members, sources.environment ?? {});
  const variables = fromEnvironment(members, environment, sources.prefix);
  const given = { ...withEnvironment(fromFile, variables), ...withoutUndefined(overrides) };
  const parsed = schema.safeParse(given);
  const problems: ConfigProblem[] = [...secretProblems];
  for (const issue of parsed.error?.issues ?? []) problems.push(...problemsOf(issue, members, given));
  const known = new Set(problems.map(({ path }) => path));
  problems.push(...(check?.(given) ?? []).filter(({ path }) => !known.has(path)));
  if (parsed.success && problems.length === 0) return parsed.data;
  const sourced = problems.map((problem) => {
    const member = problem.path.split('.')[0] ?? '';
    const variable = overrides[member] === undefined ? variableOf(variables, problem.path) : undefined;
    return variable === undefined ? problem : { ...problem, message: `${problem.message} (from ${variable})` };
  });
  throw new ConfigError(file, sourced);
}

/** A schema's complaint in words: what is wrong, and what the member is for. */
function problemsOf(issue: z.core.$ZodIssue, members: z.core.JSONSchema.BaseSchema, given: unknown): ConfigProblem[] {
  const path = issue.path.map(String);
  if (issue.code === 'unrecognized_keys') {
    const names = Object.keys(memberAt(members, path)?.properties ?? {});
    return issue.keys.map((key) => {
      const near = nearest(key, names);
      return {
        path: [...path, key].join('.'),
        message: 'there is no such member',
        fix: near === undefined ? 'leave it out; docs/operating.md lists all members' : `leave it out, or did you mean ${near}?`,
      };
    });
  }
  const value = valueAt(given, path);
  const member = memberAt(members, path);
  const about = member?.description;
  return [
    {
      path: path.join('.'),
      message: value === undefined ? 'is missing' : `${spoken(issue)}${shown(value, isSecret(members, path))}`,
      fix: about === undefined ? 'correct it; docs/operating.md lists all members' : `it is: ${about}`,
    },
  ];
}

const KIND_WORDS: Readonly<Record<string, string>> = {
  string: 'text',
  int: 'a whole number',
  number: 'a number',
  array: 'a list',
  object: 'an object',
  boolean: 'true or false',
};

function spoken(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `must be ${KIND_WORDS[issue.expected] ?? issue.expected}`;
    case 'too_small':
      return issue.origin === 'array' || issue.origin === 'string' ? 'must not be empty' : `must be at least ${issue.minimum}`;
    case 'too_big':
      return issue.origin === 'array' ? `must have at most ${issue.maximum} entries` : `must be at most ${issue.maximum}`;
    case 'invalid_value':
      return `must be one of ${issue.values.map(String).join(', ')}`;
    case 'invalid_format':
      // A message of our own does not begin as zod's do.
      if (!issue.message.startsWith('Invalid')) return issue.message;
      return issue.format === 'url' ? 'must be a URL with a scheme that is known here' : 'has the wrong form';
    case 'invalid_union': {
      // The branch that takes the value's type says what is wrong with it.
      const issues = issue.errors.flat().sort((a, b) => Number(a.code === 'invalid_type') - Number(b.code === 'invalid_type'));
      return issues[0] === undefined ? 'has the wrong form' : spoken(issues[0]);
    }
    default:
      return issue.message;
  }
}

/** The value that was given, where it is short and no secret. */
function shown(value: unknown, secret: boolean): string {
  if (secret || (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean')) return '';
  const text = JSON.stringify(value);
  return text.length > 80 ? '' : `, not ${text}`;
}

function isSecret(members: z.core.JSONSchema.BaseSchema, path: readonly string[]): boolean {
  return path.some((_, depth) => memberAt(members, path.slice(0, depth + 1))?.writeOnly === true);
}

function valueAt(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (at, name) => (typeof at === 'object' && at !== null ? (at as Record<string, unknown>)[name] : undefined),
    value,
  );
}

/** The name that differs by a letter or two. */
function nearest(name: string, names: readonly string[]): string | undefined {
  const byDistance = names.map((other) => ({ other, distance: distance(name.toLowerCase(), other.toLowerCase()) }));
  return byDistance.sort((a, b) => a.distance - b.distance).find(({ distance: far }) => far <= Math.max(2, name.length / 3))?.other;
}

/** Edits from one word to another (Levenshtein). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    row = next;
  }
  return row[b.length]!;
}

function readJson(file: string): Record<string, unknown> {
  let value: unknown;
  const wrong = (message: string): ConfigError => new ConfigError(file, [{ path: '', message, fix: 'correct the file' }]);
  const text = readText(file);
  try {
    value = JSON.parse(text);
  } catch {
    throw wrong(notJson(text));
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw wrong('it is not a JSON object');
}

function readText(file: string): string {
  try {
    const text = readFileSync(file, 'utf8');
    // Some editors begin a file so.
    return text.startsWith('\ufeff') ? text.slice(1) : text;
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code ?? String(cause);
    if (reason !== 'ENOENT') {
      throw new AssayError(`The configuration file ${reason === 'EISDIR' ? 'is a folder' : 'cannot be read'}`, {
        code: 'FILE_UNUSABLE',
        facts: { file, reason },
        fix: 'check the path and its permissions',
        cause,
      });
    }
    throw new AssayError('The configuration file does not exist', {
      code: 'FILE_MISSING',
      facts: { file },
      fix: 'check the path; deploy/ holds examples, and docs/operating.md lists all members',
      cause,
    });
  }
}

/** What keeps a text from being JSON, and where. A parser's own words would repeat what is around, which may be an address with a password. */
function notJson(text: string): string {
  if (text.includes('\0') || text.includes('\ufffd')) return 'it is not JSON: not even text in UTF-8';
  const position = firstWrong(text);
  const before = text.slice(0, position).split('\n');
  const what = /^\/[/*]/.test(text.slice(position)) ? ': it has no comments' : '';
  return `it is not JSON${what}: line ${before.length}, column ${(before.at(-1) ?? '').length + 1}`;
}

/** Length of the longest beginning that could go on to be JSON; not every parser says where it gave up. Cost: some twenty parses. */
function firstWrong(text: string): number {
  let [fine, wrong] = [0, text.length + 1];
  while (wrong - fine > 1) {
    const middle = (fine + wrong) >> 1;
    if (couldGoOn(text.slice(0, middle))) fine = middle;
    else wrong = middle;
  }
  return fine;
}

function couldGoOn(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch (error) {
    const message = error instanceof Error ? error.message : '';
    const position = /position (\d+)/.exec(message)?.[1];
    return position === undefined ? /end of/.test(message) : Number(position) >= text.length;
  }
}

function withoutUndefined(record: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined));
}

const PRIVATE_KEY = /^0x[0-9a-fA-F]{64}$/;

/**
 * A private key from the environment; never from arguments, which other users of a machine can read.
 * @throws AssayError KEY_MISSING, KEY_INVALID (which do not repeat the value)
 */
export function privateKeyFrom(variable: string): `0x${string}` {
  const value = process.env[variable];
  if (value === undefined || value === '') {
    throw new AssayError('A private key is missing', {
      code: 'KEY_MISSING',
      facts: { variable },
      fix: `set ${variable} to 0x and 64 hex digits`,
    });
  }
  if (!PRIVATE_KEY.test(value)) {
    throw new AssayError('A private key is malformed', { code: 'KEY_INVALID', facts: { variable }, fix: 'give 0x and 64 hex digits' });
  }
  return value as `0x${string}`;
}
