import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { createPublicClient } from 'viem';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Endpoints } from '../../contracts/client/rpc/endpoints.ts';
import { AssayError } from '../../core/errors.ts';
import { type AnswerView, answerSchema, errorSchema } from '../../prover/http/schemas.ts';
import { COLLECTION } from '../../prover/records/documents.ts';
import { type CoverageDocument, HTTP_COLLECTION } from '../../prover/records/http-documents.ts';
import { drawn, MARGIN_SECONDS, nonceFloor } from '../../prover/service/coverage.ts';
import { apiKey, type HttpNode, keysOf, startHttpNode } from '../support/http-node.ts';

const CUSTOMER = `0x${'c0'.repeat(20)}`;
const CHANNEL = `0x${'11'.repeat(32)}`;
const root = path.join(import.meta.dirname, '../..');

async function answer(response: Response): Promise<AnswerView> {
  const body: unknown = await response.json();
  expect([response.status, body]).toEqual([200, body]);
  return answerSchema.parse(body);
}

async function refusal(response: Response): Promise<[number, string]> {
  return [response.status, errorSchema.parse(await response.json()).error.code];
}

describe('an idempotency key', () => {
  let node: HttpNode;
  beforeAll(async () => {
    node = await startHttpNode({ server: { keys: keysOf(apiKey('one', { id: 'one' }), apiKey('two', { id: 'two' })) } });
  });
  afterAll(() => node?.close());
  const ask = (key: string, seed: number, who = 'one', query = ''): Promise<Response> =>
    node.send('POST', `/v1/infer?modelId=${node.modelId}${query}`, node.input(seed), {
      'idempotency-key': key,
      authorization: `Bearer ${who}`,
    });

  it('gets one answer, however often and at whatever time it is sent, also after a restart', async () => {
    const all = await Promise.all(Array.from({ length: 20 }, () => ask('a', 1)));
    const answers = await Promise.all(all.map(answer));
    const first = answers[0]!;
    for (const one of answers) expect(one).toEqual(first);
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    expect(await answer(await ask('a', 1))).toEqual(first);
    node = await node.restart();
    expect(await answer(await ask('a', 1))).toEqual(first);
    // Without a key the clock has moved on, and the receipt is another one.
    const body = node.input(1);
    const fresh = await answer(await node.send('POST', `/v1/infer?modelId=${node.modelId}`, body, { authorization: 'Bearer one' }));
    expect(fresh.id).not.toBe(first.id);
  });

  it('stands for one question', async () => {
    const first = await answer(await ask('b', 1));
    expect(await refusal(await ask('b', 2))).toEqual([422, 'IDEMPOTENCY_CONFLICT']);
    expect(await refusal(await ask('b', 1, 'one', `&coverage=5`))).toEqual([422, 'IDEMPOTENCY_CONFLICT']);
    expect((await answer(await ask('b', 1))).id).toBe(first.id);
  });

  it('is refused to the second of two questions at once', async () => {
    const [left, right] = await Promise.all([ask('c', 1), ask('c', 2)]);
    expect([left.status, right.status].sort()).toEqual([200, 422]);
  });

  it('belongs to who sent it', async () => {
    const one = await answer(await ask('d', 1));
    const two = await answer(await ask('d', 2, 'two'));
    expect(two.id).not.toBe(one.id);
  });

  it.each(['', 'with space', 'x'.repeat(201), 'é'])('is refused as %j', async (key) => {
    const sent = await ask(key, 1).catch(() => undefined);
    // Some are no header at all, which fetch refuses by itself.
    if (sent !== undefined && key !== '') expect(await refusal(sent)).toEqual([400, 'HTTP_MALFORMED']);
    if (sent !== undefined && key === '') expect([200, 400]).toContain(sent.status);
  });
});

describe('a share of a channel', () => {
  const channel = { channel: CHANNEL, customer: CUSTOMER, lock: '100', disputed: '0', expiry: 5_000 };
  const none: CoverageDocument = { nonce: '0', drawn: [] };
  const draw = { channel, coverage: 40n, expiry: 1_000, wall: 500, chain: 500, floor: 500_000n };

  it('fits into what the lock has left, and not one wei more', () => {
    expect(drawn(none, { ...draw, coverage: 100n })?.backing.outstanding).toBe(100n);
    expect(drawn(none, { ...draw, coverage: 101n })).toBeUndefined();
    expect(drawn(none, { ...draw, coverage: 60n, channel: { ...channel, disputed: '40' } })?.backing.outstanding).toBe(60n);
    expect(drawn(none, { ...draw, coverage: 61n, channel: { ...channel, disputed: '40' } })).toBeUndefined();
    const one = drawn(none, draw)!.document;
    expect(drawn(one, { ...draw, coverage: 60n })?.backing.outstanding).toBe(100n);
    expect(drawn(one, { ...draw, coverage: 61n })).toBeUndefined();
  });

  it('comes free when both clocks say that it expired some minutes ago, and not a second before', () => {
    const one = drawn(none, draw)!.document;
    const outstanding = (wall: number, chain: number) => drawn(one, { ...draw, wall, chain, expiry: 2_000 })?.backing.outstanding;
    const [held, free] = [1_000 + MARGIN_SECONDS, 1_001 + MARGIN_SECONDS];
    expect(outstanding(free, free)).toBe(40n);
    expect([outstanding(held, free), outstanding(free, held), outstanding(free, 0)]).toEqual([80n, 80n, 80n]);
  });

  it('never has a nonce twice and never more outstanding than unexpired receipts and lock allow', () => {
    const step = fc.record({ coverage: fc.bigInt({ min: 1n, max: 60n }), pass: fc.integer({ min: 0, max: 400 }), lag: fc.nat(30) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        let document = none;
        let [wall, chain] = [1_000, 0];
        const given: { expiry: number; coverage: bigint; nonce: bigint }[] = [];
        for (const { coverage, pass, lag } of steps) {
          wall += pass;
          chain = Math.max(chain, wall - lag);
          const expiry = wall + 300;
          const next = drawn(document, { channel, coverage, expiry, wall, chain, floor: nonceFloor(1_000 * wall) });
          const live = given.filter((one) => one.expiry + MARGIN_SECONDS >= chain).reduce((sum, one) => sum + one.coverage, 0n);
          expect(next === undefined).toBe(live + coverage > 100n);
          if (next === undefined) continue;
          expect(next.backing.outstanding).toBe(live + coverage);
          given.push({ expiry, coverage, nonce: next.backing.nonce });
          document = next.document;
        }
        expect(new Set(given.map(({ nonce }) => nonce)).size).toBe(given.length);
      }),
      { seed: 7, numRuns: 200 },
    );
  });

  it('has another nonce also where the store came back from an old copy, or the clock went back', () => {
    const before = drawn(none, { ...draw, floor: nonceFloor(900_000) })!;
    const restored = drawn(none, { ...draw, floor: nonceFloor(900_001) })!;
    expect(restored.backing.nonce).toBeGreaterThan(before.backing.nonce);
    const earlier = drawn(before.document, { ...draw, floor: nonceFloor(100_000) })!;
    expect(earlier.backing.nonce).toBe(before.backing.nonce + 1n);
  });

  it('has another nonce on each of two machines that hold one key and know nothing of each other, in the same millisecond', () => {
    const now = Date.now();
    const nonces = Array.from({ length: 20 }, () => drawn(none, { ...draw, floor: nonceFloor(now) })!.backing.nonce);
    expect(new Set(nonces).size).toBeGreaterThan(18);
    expect(nonces.every((nonce) => nonce < 2n ** 64n)).toBe(true);
  });
});

describe('a receipt on a coverage channel', () => {
  let node: HttpNode;
  const seconds = Math.floor(Date.now() / 1000);
  const channel = { channel: CHANNEL, customer: CUSTOMER, lock: '100000', disputed: '0', expiry: seconds + 50_000 };
  const ask = (query: string, who = 'customer', key?: string): Promise<Response> =>
    node.send('POST', `/v1/infer?modelId=${node.modelId}${query}`, node.input(1), {
      authorization: `Bearer ${who}`,
      ...(key === undefined ? {} : { 'idempotency-key': key }),
    });
  beforeAll(async () => {
    const keys = keysOf(
      apiKey('customer', { id: 'customer', customer: CUSTOMER.toUpperCase().replace('0X', '0x') }),
      apiKey('other', { id: 'other', customer: `0x${'dd'.repeat(20)}` }),
      apiKey('nobody', { id: 'nobody' }),
    );
    node = await startHttpNode({ server: { keys }, service: { receiptSeconds: 3_600 } });
    await node.store.put(COLLECTION.channels, CHANNEL, channel);
  });
  afterAll(() => node?.close());

  it('says what answers for it, and its input is kept', async () => {
    const { receipt, backing } = await answer(await ask(`&channel=${CHANNEL}`));
    expect(backing).toBe('channel');
    // Twice the minimum unless told.
    expect(receipt).toMatchObject({ channel: CHANNEL, coverage: '2000', outstanding: '2000' });
    const life = Number(receipt.expiry) - Number(receipt.issuedAt);
    expect(life).toBeGreaterThanOrEqual(3_600);
    expect(life).toBeLessThanOrEqual(3_600 + 3_600 / 32 + 1);
    expect(new Uint8Array(await (await node.send('GET', `/v1/inputs/${receipt.inputRoot}`)).arrayBuffer())).toEqual(node.input(1));
  });

  it('has its own nonce among many at once, and the sum runs', async () => {
    const all = await Promise.all(
      Array.from({ length: 20 }, async () => (await answer(await ask(`&channel=${CHANNEL}&coverage=1000`))).receipt),
    );
    expect(new Set(all.map(({ nonce }) => nonce)).size).toBe(20);
    const sums = all.map(({ outstanding }) => Number(outstanding)).sort((a, b) => a - b);
    expect(sums).toEqual(Array.from({ length: 20 }, (_, i) => 3_000 + 1_000 * i));
  });

  it('is one receipt for one idempotency key', async () => {
    const first = await answer(await ask(`&channel=${CHANNEL}&coverage=1000`, 'customer', 'k'));
    expect(await answer(await ask(`&channel=${CHANNEL}&coverage=1000`, 'customer', 'k'))).toEqual(first);
    const next = await answer(await ask(`&channel=${CHANNEL}&coverage=1000`));
    expect(BigInt(next.receipt.outstanding) - BigInt(first.receipt.outstanding)).toBe(1_000n);
  });

  it.each([
    ['with the key of another customer', 'other', `&channel=${CHANNEL}`, 403, 'CHANNEL_REFUSED'],
    ['with a key of no customer', 'nobody', `&channel=${CHANNEL}`, 403, 'CHANNEL_REFUSED'],
    ['on a channel that is none', 'customer', `&channel=0x${'22'.repeat(32)}`, 403, 'CHANNEL_REFUSED'],
    ['below the minimum', 'customer', `&channel=${CHANNEL}&coverage=999`, 422, 'COVERAGE_REFUSED'],
    ['above the lock', 'customer', `&channel=${CHANNEL}&coverage=100000`, 409, 'CHANNEL_EXHAUSTED'],
    ['of an amount that is none', 'customer', `&channel=${CHANNEL}&coverage=-1`, 400, 'HTTP_MALFORMED'],
  ])('is refused %s', async (_, who, query, status, code) => {
    expect(await refusal(await ask(query, who))).toEqual([status, code]);
  });

  it('is refused when the channel expires before it could help, and ends with the channel otherwise', async () => {
    const short = `0x${'33'.repeat(32)}`;
    const now = Math.floor(Date.now() / 1000);
    await node.store.put(COLLECTION.channels, short, { ...channel, channel: short, expiry: now + 30 });
    expect(await refusal(await ask(`&channel=${short}`))).toEqual([409, 'CHANNEL_EXHAUSTED']);
    await node.store.put(COLLECTION.channels, short, { ...channel, channel: short, expiry: now + 600 });
    expect((await answer(await ask(`&channel=${short}`))).receipt.expiry).toBe(String(now + 600));
  });
});

describe('a model that this machine computes otherwise than the chain, or that cannot be held to it as the chain is away', () => {
  const differs = new AssayError('not what the chain computes', { code: 'STEP_DIFFERS' });
  // Nobody listens there. As viem wraps it, and as it is thrown.
  const endpoints = new Endpoints({ urls: ['http://127.0.0.1:9'], timeout: 500 });
  const wrapped = createPublicClient({ transport: endpoints.transport() });
  it.each([
    ['STEP_DIFFERS', () => Promise.reject(differs)],
    ['CHAIN_UNREACHABLE', () => wrapped.getBlockNumber()],
    ['CHAIN_UNREACHABLE', () => endpoints.request({ method: 'eth_blockNumber' })],
  ])('gets no receipt that stake answers for, and draws nothing; others are signed: %s', async (code, checked) => {
    const keys = keysOf(apiKey('customer', { id: 'customer', customer: CUSTOMER }));
    const node = await startHttpNode({ server: { keys }, service: { checked } });
    try {
      const seconds = Math.floor(Date.now() / 1000);
      const channel = { channel: CHANNEL, customer: CUSTOMER, lock: '100000', disputed: '0', expiry: seconds + 50_000 };
      await node.store.put(COLLECTION.channels, CHANNEL, channel);
      const ask = (query: string) =>
        node.send('POST', `/v1/infer?modelId=${node.modelId}${query}`, node.input(1), { authorization: 'Bearer customer' });
      const refused = await ask(`&channel=${CHANNEL}`);
      expect(await refused.clone().text()).not.toContain('127.0.0.1');
      expect(await refusal(refused)).toEqual([503, code]);
      expect(await node.store.list(HTTP_COLLECTION.coverage)).toEqual([]);
      expect((await answer(await ask(''))).backing).toBe('unsecured');
    } finally {
      await node.close();
    }
  });
});

describe('nonces of a process that is killed', () => {
  const children: ChildProcess[] = [];
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
  });

  it('are given once, however often it is killed', async () => {
    const url = (file: string): string => JSON.stringify(pathToFileURL(path.join(root, file)).href);
    const folder = mkdtempSync(path.join(tmpdir(), 'assay-nonces-'));
    const script = `
      const { openStateDirectory } = await import(${url('runtime/state-directory.ts')});
      const { embeddedStore } = await import(${url('prover/store/embedded.ts')});
      const { Coverage } = await import(${url('prover/service/coverage.ts')});
      const store = embeddedStore(openStateDirectory(process.argv[1], 'node'));
      const coverage = new Coverage({ store, minimumCoverage: async () => 1n, receiptSeconds: 3600 });
      if ((await store.get('channels', '${CHANNEL}')) === undefined) {
        const expiry = Math.floor(Date.now() / 1000) + 90000;
        await store.put('channels', '${CHANNEL}', { channel: '${CHANNEL}', customer: '${CUSTOMER}', lock: '1000000000000', disputed: '0', expiry });
      }
      const lane = async () => { for (;;) {
        const { nonce, outstanding } = await coverage.draw('${CHANNEL}', '${CUSTOMER}', 'model', '1');
        process.stdout.write(nonce + ' ' + outstanding + '\\n');
      } };
      await Promise.all([lane(), lane(), lane(), lane()]);`;
    const directory = path.join(folder, 'state');
    const given: { nonce: bigint; outstanding: bigint }[] = [];
    for (let round = 0; round < 3; round++) {
      const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', script, directory], {
        cwd: root,
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      children.push(child);
      let text = '';
      const before = given.length;
      await new Promise<void>((resolve, reject) => {
        child.stdout!.on('data', (chunk: Buffer) => {
          text += chunk.toString('utf8');
          if (text.split('\n').length > 60) resolve();
        });
        child.once('exit', () => reject(new Error('the process ended early')));
      });
      child.removeAllListeners('exit');
      const ended = new Promise((resolve) => child.once('close', resolve));
      child.kill('SIGKILL');
      await ended;
      // A last line that was cut off may not be whole.
      for (const line of text.split('\n').slice(0, -1)) {
        const [nonce, outstanding] = line.split(' ');
        given.push({ nonce: BigInt(nonce!), outstanding: BigInt(outstanding!) });
      }
      expect(given.length).toBeGreaterThan(before + 50);
    }
    expect(new Set(given.map(({ nonce }) => nonce)).size).toBe(given.length);
    expect(new Set(given.map(({ outstanding }) => outstanding)).size).toBe(given.length);
    rmSync(folder, { recursive: true, force: true });
  });
});
