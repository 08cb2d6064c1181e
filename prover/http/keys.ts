import { createHash, timingSafeEqual } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { z } from 'zod';
import { AssayError } from '../../core/errors.ts';

export const SCOPES = ['infer', 'prove'] as const;
export type Scope = (typeof SCOPES)[number];

const MOST_BYTES = 16 << 20;

export const apiKeySchema = z.strictObject({
  id: z
    .string()
    .regex(/^[A-Za-z0-9_.-]{1,64}$/)
    .describe('name of the key, for logs and limits'),
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .describe('SHA-256 of the key; keys are random, so no slower hash is needed'),
  customer: z
    .string()
    .regex(/^0x[0-9a-fA-F]{40}$/)
    .transform((address) => address.toLowerCase())
    .optional()
    .describe('whose coverage channels it may draw on'),
  scopes: z.array(z.enum(SCOPES)).default([...SCOPES]),
  requestsPerMinute: z.int().min(1).max(100_000_000).optional().describe("instead of the node's own limit"),
});
export type ApiKey = z.output<typeof apiKeySchema>;
const fileSchema = z.strictObject({ keys: z.array(apiKeySchema).max(100_000) });

/** The keys that may ask; their text is known to nobody here. */
export class ApiKeys {
  private byHash: ReadonlyMap<string, ApiKey> = new Map();
  private readonly listeners: (() => void)[] = [];

  constructor(keys: readonly ApiKey[]) {
    this.replace(keys);
  }

  /** From the next request on these may ask, and no others. */
  replace(keys: readonly ApiKey[]): void {
    this.byHash = new Map(keys.map((key) => [key.sha256, key]));
    for (const listener of this.listeners) listener();
  }

  /** Calls the listener whenever other keys may ask. */
  onChange(listener: () => void): void {
    this.listeners.push(listener);
  }

  /** Whether a key of before still stands for the same customer: neither revoked nor under another name. */
  holds({ sha256, id }: Pick<ApiKey, 'sha256' | 'id'>): boolean {
    return this.byHash.get(sha256)?.id === id;
  }

  /** The key of this text. Times tell at most of the hash of what was sent, which helps nobody to find a text. */
  find(text: string): ApiKey | undefined {
    const hash = createHash('sha256').update(text).digest();
    const found = this.byHash.get(hash.toString('hex'));
    return found !== undefined && timingSafeEqual(Buffer.from(found.sha256, 'hex'), hash) ? found : undefined;
  }
}

/** @throws AssayError FILE_UNUSABLE, CONFIG_INVALID */
export function readApiKeys(file: string): ApiKey[] {
  const invalid = (reason: string): AssayError =>
    new AssayError('The file of API keys does not have the right form', {
      code: 'CONFIG_INVALID',
      facts: { file, problem: reason },
      fix: 'see docs/http.md, "API keys"',
    });
  let text: string;
  try {
    if (statSync(file).size > MOST_BYTES) throw invalid(`it is larger than ${MOST_BYTES} bytes`);
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    if (cause instanceof AssayError) throw cause;
    throw new AssayError('The file of API keys cannot be read', {
      code: 'FILE_UNUSABLE',
      facts: { file, reason: (cause as NodeJS.ErrnoException).code ?? String(cause) },
      fix: 'check the path and its permissions',
      cause,
    });
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw invalid('it is not JSON');
  }
  const parsed = fileSchema.safeParse(json);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw invalid(`${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`);
  }
  const { keys } = parsed.data;
  for (const member of ['id', 'sha256'] as const) {
    const seen = new Set<string>();
    for (const key of keys) {
      if (seen.has(key[member])) throw invalid(`two keys share one ${member}: ${key.id}`);
      seen.add(key[member]);
    }
  }
  return keys;
}
