import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { AssayError } from '../../core/errors.ts';
import { followApiKeys } from '../../prover/http/key-file.ts';
import { ApiKeys, readApiKeys } from '../../prover/http/keys.ts';
import { createMetrics } from '../../prover/metrics.ts';
import { createLog, type Log } from '../../runtime/log.ts';
import { startHttpNode } from '../support/http-node.ts';

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
    ['no list of keys', {}],
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

describe('a file of API keys that changes', () => {
  const log = createLog({ name: 'test', level: 'silent' });
  const entry = (text: string) => ({ id: text, sha256: sha256(text) });
  const content = (...texts: string[]): string => JSON.stringify({ keys: texts.map(entry) });
  let count = 0;

  function followed(first: string) {
    const file = path.join(folder, `followed-${count++}.json`);
    writeFileSync(file, first);
    const metrics = createMetrics();
    const { keys, close } = followApiKeys(file, { log, metrics, every: 5 });
    const known = () => ['first', 'second', 'third'].filter((text) => keys.find(text) !== undefined);
    const becomes = (expected: readonly string[]) => vi.waitFor(() => expect(known()).toEqual(expected), { timeout: 10_000, interval: 5 });
    const alarms = async () => Number(/^assay_alarms_total\{reason="keys"\} (\d+)/m.exec(await metrics.text())?.[1] ?? 0);
    return { file, keys, close, known, becomes, alarms };
  }

  it('counts at once: keys come, are revoked, and all of them may be', async () => {
    const { file, becomes, close } = followed(content('first', 'second'));
    await becomes(['first', 'second']);
    writeFileSync(file, content('second', 'third'));
    await becomes(['second', 'third']);
    writeFileSync(file, content());
    await becomes([]);
    writeFileSync(file, content('first'));
    await becomes(['first']);
    close();
  });

  it('is noticed when another file takes its place, also behind a link', async () => {
    const { file, becomes, close } = followed(content('first'));
    writeFileSync(`${file}.new`, content('third'));
    renameSync(`${file}.new`, file);
    await becomes(['third']);
    close();
    // As secrets are mounted: a link to a folder of the day.
    const at = path.join(folder, 'mounted');
    for (const [day, text] of [
      ['monday', 'first'],
      ['tuesday', 'second'],
    ] as const) {
      mkdirSync(path.join(at, day), { recursive: true });
      writeFileSync(path.join(at, day, 'keys.json'), content(text));
    }
    symlinkSync('monday', path.join(at, 'now'));
    const linked = followApiKeys(path.join(at, 'now/keys.json'), { log, every: 5 });
    symlinkSync('tuesday', path.join(at, 'next'));
    renameSync(path.join(at, 'next'), path.join(at, 'now'));
    await vi.waitFor(() => expect(linked.keys.find('second')).toBeDefined(), { timeout: 10_000 });
    expect(linked.keys.find('first')).toBeUndefined();
    linked.close();
  });

  it('leaves the keys as they were while it is wrong or gone, and raises one alarm for each change', async () => {
    const { file, known, becomes, alarms, close } = followed(content('first'));
    for (const [wrong, times] of [
      ['{"keys": [', 1],
      ['{"keys": [{"id": "one"}]}', 2],
    ] as const) {
      writeFileSync(file, wrong);
      await vi.waitFor(async () => expect(await alarms()).toBe(times), { timeout: 10_000 });
      expect(known()).toEqual(['first']);
    }
    rmSync(file);
    await vi.waitFor(async () => expect(await alarms()).toBe(3), { timeout: 10_000 });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect([known(), await alarms()]).toEqual([['first'], 3]);
    writeFileSync(file, content('second'));
    await becomes(['second']);
    close();
  });

  it('is not followed any more when it is closed', async () => {
    const { file, known, close } = followed(content('first'));
    close();
    writeFileSync(file, content('second'));
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(known()).toEqual(['first']);
  });

  it('must be right at the start', () => {
    expect(codeOf(() => followApiKeys(path.join(folder, 'missing.json'), { log }))).toBe('FILE_UNUSABLE');
  });

  it('revokes a key of a service that runs, and no key is logged', async () => {
    const { file, keys, becomes, close } = followed(content('first'));
    const lines: unknown[] = [];
    const note = (line: unknown): number => lines.push(line);
    const collecting = { debug: note, info: note, warn: note, error: note, isLevelEnabled: () => true } as unknown as Log;
    const secret = { keys: [{ id: 'one', sha256: sha256('hunter2') }] };
    const node = await startHttpNode({ server: { keys, log: collecting } });
    const ask = async () => {
      const headers = { authorization: 'Bearer hunter2' };
      return (await node.send('POST', `/v1/infer?modelId=${node.modelId}`, node.input(1), headers)).status;
    };
    try {
      expect(await ask()).toBe(401);
      writeFileSync(file, JSON.stringify(secret));
      await becomes([]);
      expect(await ask()).toBe(200);
      writeFileSync(file, content('second'));
      await becomes(['second']);
      expect(await ask()).toBe(401);
    } finally {
      await node.close();
      close();
    }
    expect(lines).toHaveLength(3);
    expect(JSON.stringify(lines)).toContain('key:one');
    expect(JSON.stringify(lines)).not.toContain('hunter2');
  });
});
