import { readFileSync } from 'node:fs';
import type { z } from 'zod';
import { AssayError } from '../core/errors.ts';

/** Anvil's id: the one chain on which well-known keys and fault injection are allowed. */
export const DEVELOPMENT_CHAIN = 31_337;

/**
 * Reads a configuration file and applies what the command line overrides.
 * @throws AssayError CONFIG_INVALID naming the first member that is wrong
 */
export function loadConfig<Schema extends z.ZodType>(
  schema: Schema,
  file: string | undefined,
  overrides: Readonly<Record<string, unknown>>,
): z.output<Schema> {
  const given = { ...(file === undefined ? {} : readJson(file)), ...withoutUndefined(overrides) };
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new AssayError(`The configuration is wrong at ${issue?.path.join('.') || 'its top'}: ${issue?.message ?? 'wrong form'}`, {
    code: 'CONFIG_INVALID',
    facts: { file: file ?? 'command line', problems: parsed.error.issues.length },
    fix: 'correct that member; docs/operating.md lists them all',
  });
}

function readJson(file: string): Record<string, unknown> {
  const text = readFileSync(file, 'utf8');
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // Told below.
  }
  throw new AssayError('The configuration is not a JSON object', { code: 'CONFIG_INVALID', facts: { file }, fix: 'correct the file' });
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
