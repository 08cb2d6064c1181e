import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { AssayError } from '../../core/errors.ts';
import { ApiKeys, readApiKeys } from '../../prover/http/keys.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'assay-keys-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const one = { id: 'one', sha256: sha256('first') };

function read(content: unknown): unknown {
  const file = path.join(folder, 'keys.json');
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  return codeOf(() => readApiKeys(file));
}

function codeOf(run: () => unknown): unknown {
  try {
    return run();
  } catch (error) {
    if (error instanceof AssayError) return error.code;
    throw error;
  }
}

describe('a file of API keys', () => {
  it('gives each key its scopes, its customer in lower case, its limit', () => {
    const customer = '0xFB6916095ca1df60bB79Ce92cE3Ea74c37c5d359';
    expect(read({ keys: [one, { id: 'two', sha256: sha256('second'), customer, scopes: [], requestsPerMinute: 5 }] })).toEqual([
      { ...one, scopes: ['infer', 'prove'] },
      { id: 'two', sha256: sha256('second'), customer: customer.toLowerCase(), scopes: [], requestsPerMinute: 5 },
    ]);
  });

  it.each([
    ['no JSON', '{'],
    ['no keys', { keys: [] }],
    ['a member that is none', { keys: [{ ...one, secret: 'first' }] }],
    ['a key instead of its hash', { keys: [{ id: 'one', sha256: 'first' }] }],
    ['a hash in capitals', { keys: [{ id: 'one', sha256: one.sha256.toUpperCase() }] }],
    ['a customer that is no address', { keys: [{ ...one, customer: '0x12' }] }],
    ['a scope that is none', { keys: [{ ...one, scopes: ['admin'] }] }],
    ['two keys of one id', { keys: [one, { ...one, sha256: sha256('second') }] }],
    ['one key twice', { keys: [one, { ...one, id: 'two' }] }],
    ['an id that could break a log', { keys: [{ ...one, id: 'a\nb' }] }],
  ])('is refused with %s', (_, content) => expect(read(content)).toBe('CONFIG_INVALID'));

  it('is refused where it cannot be read, or is far too large', () => {
    expect(codeOf(() => readApiKeys(path.join(folder, 'missing.json')))).toBe('FILE_UNUSABLE');
    expect(codeOf(() => readApiKeys(folder))).toBe('FILE_UNUSABLE');
    expect(read(' '.repeat((16 << 20) + 1))).toBe('CONFIG_INVALID');
  });

  it('knows a key by its text alone', () => {
    const keys = new ApiKeys([{ ...one, scopes: ['infer'] }]);
    expect(keys.find('first')?.id).toBe('one');
    for (const text of ['', 'First', 'first ', one.sha256, `0x${one.sha256}`]) expect(keys.find(text)).toBeUndefined();
  });
});
