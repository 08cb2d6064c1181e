import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { AssayError } from '../core/errors.ts';
import { FAULT_KINDS } from './fault.ts';

const wei = z.string().regex(/^[0-9]{1,30}$/, 'must be wei in decimal digits').transform(BigInt);

/** What a node operator decides. Keys are not among it: they come from the environment. */
export const nodeConfigSchema = z.strictObject({
  rpc: z.url().describe('JSON-RPC endpoint of the chain'),
  deployment: z.string().min(1).describe('deployments/<chainId>.json'),
  data: z.string().min(1).describe('state directory, of this node alone'),
  models: z
    .array(z.strictObject({ modelId: z.string().regex(/^0x[0-9a-f]{64}$/), directory: z.string().min(1) }))
    .min(1)
    .max(64)
    .describe('models served: registered id, and the folder that holds its program'),
  host: z.string().default('127.0.0.1'),
  port: z.int().min(0).max(65535).default(8645),
  minimumFee: wei.default(0n).describe('requests below are ignored, wei'),
  mostCoverage: wei.optional().describe('optimistic requests above are ignored, wei'),
  maxFeePerGas: wei.optional().describe('never pays more for a unit of gas, wei'),
  confirmations: z.int().min(0).max(256).default(0),
  pollMilliseconds: z.int().min(50).max(60_000).default(500),
  proofProcesses: z.int().min(1).max(16).default(1),
  logLevel: z.enum(['trace', 'debug', 'info', 'warn', 'error']).default('info'),
  /** Development chains only. */
  fault: z.strictObject({ seed: z.int().min(0).max(0xffffffff), kind: z.enum(FAULT_KINDS).default('tensor') }).optional(),
});

export type NodeConfig = z.output<typeof nodeConfigSchema>;

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
