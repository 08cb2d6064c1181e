import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { errorSchema, inferBody } from '../../prover/http/schemas.ts';
import { UploadBudget } from '../../prover/http/uploads.ts';
import { apiKey, type HttpNode, keysOf, startHttpNode } from '../support/http-node.ts';

let node: HttpNode;
afterEach(() => node?.close());

/** Sends bytes, some of them late; resolves with all that comes back until the node ends the connection. */
function raw(...parts: readonly (string | Buffer | number)[]): Promise<string> {
  const { hostname, port } = new URL(node.url);
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname);
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(text));
    void (async () => {
      for (const part of parts) {
        if (typeof part === 'number') await new Promise((done) => setTimeout(done, part));
        else if (!socket.destroyed) socket.write(part);
      }
    })();
  });
}

const statusOf = (text: string): number => Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1] ?? 0);
const codeOf = (text: string): string => errorSchema.parse(JSON.parse(text.slice(text.indexOf('{')))).error.code;
const head = (line: string, ...headers: string[]): string =>
  `${[`${line} HTTP/1.1`, 'host: a', 'connection: close', ...headers].join('\r\n')}\r\n\r\n`;

describe('a method that a route does not have', () => {
  it('is refused with those that it has, whatever the body is said to be', async () => {
    node = await startHttpNode();
    for (const [method, route, allow] of [
      ['PATCH', '/v1/models', 'GET, HEAD'],
      ['TRACE', '/healthz', 'GET, HEAD'],
      ['QUERY', '/v1/receipts/1', 'GET, HEAD'],
      ['GET', '/v1/infer', 'POST'],
      ['POST', '/v1/jobs/1', 'DELETE, GET, HEAD'],
    ] as const) {
      const answer = await raw(head(`${method} ${route}`, 'content-type: text/nonsense', 'content-length: 0'));
      expect([method, statusOf(answer), /^allow: (.*)\r$/m.exec(answer)?.[1]]).toEqual([method, 405, allow]);
      expect(codeOf(answer)).toBe('HTTP_METHOD');
    }
    expect(statusOf(await raw(head('PATCH /v1/none')))).toBe(404);
  });
});

describe('what lies about itself', () => {
  it('is refused: lengths that contradict, smuggled requests, bodies that are cut off', async () => {
    node = await startHttpNode({ server: { requestTimeout: 1_500 } });
    const infer = `POST /v1/infer?modelId=${node.modelId}`;
    const bytes = 'content-type: application/octet-stream';
    for (const headers of [
      ['content-length: 24', 'content-length: 25'],
      ['content-length: 24', 'transfer-encoding: chunked'],
      ['content-length: -1'],
      ['content-length: 1e3'],
      ['transfer-encoding: chunked, identity'],
    ]) {
      const answer = await raw(head(infer, bytes, ...headers), `${'x'.repeat(24)}GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n`);
      expect([headers, statusOf(answer)]).toEqual([headers, 400]);
      // One answer, and none to what was smuggled.
      expect(answer.match(/HTTP\/1\.1/g)).toHaveLength(1);
    }
    // Less than was promised: given up on in time.
    expect(statusOf(await raw(head(infer, bytes, 'content-length: 24'), 'x'))).toBe(408);
    // More than was promised: what is over belongs to no question.
    const more = await raw(
      `${infer} HTTP/1.1\r\nhost: a\r\n${bytes}\r\ncontent-length: 24\r\n\r\n`,
      Buffer.from(node.input(1)),
      'garbage\r\n\r\n',
    );
    expect([200, 400]).toContain(statusOf(more));
    expect(statusOf(more.slice(more.lastIndexOf('HTTP/1.1')))).toBe(400);
    expect((await node.send('GET', '/healthz')).status).toBe(200);
  });

  it('is refused where text is no UTF-8, or names lead out of a folder', async () => {
    node = await startHttpNode();
    const json = Buffer.concat([Buffer.from('{"modelId":"'), Buffer.from([0xc3, 0x28, 0xff, 0xfe]), Buffer.from('"}')]);
    const answer = await raw(head('POST /v1/infer', 'content-type: application/json', `content-length: ${json.length}`), json);
    expect([statusOf(answer), codeOf(answer)]).toEqual([400, 'HTTP_MALFORMED']);
    for (const name of ['..%2f..%2f..%2fetc%2fpasswd', '%2e%2e%2f%2e%2e', '..\\..\\etc', '%00', '%c3%28', '....//....//etc/passwd']) {
      for (const route of ['/v1/receipts/', '/v1/jobs/', '/v1/claims/', '/v1/inputs/', '/v1/models/']) {
        const suffix = route === '/v1/models/' ? '/program' : '';
        const status = statusOf(await raw(head(`GET ${route}${name}${suffix}`)));
        expect([400, 404], `${route}${name}`).toContain(status);
      }
    }
  });

  it('is answered in part, or whole, where ranges are abused', async () => {
    node = await startHttpNode();
    const route = `/v1/models/${node.modelId}/program`;
    const whole = Buffer.from(await (await node.send('GET', route)).arrayBuffer());
    for (const range of [
      `bytes=${Array.from({ length: 500 }, (_, i) => `${i}-${i}`).join(',')}`,
      'bytes=0-0,0-0',
      'bytes=5-1',
      'bytes=-',
      'bytes=0x0-1',
      'lines=0-1',
      'bytes=99999999999999999999-',
    ]) {
      const answer = await node.send('GET', route, undefined, { range });
      expect([range.slice(0, 20), answer.status, (await answer.arrayBuffer()).byteLength]).toEqual([range.slice(0, 20), 200, whole.length]);
    }
    const tail = await node.send('GET', route, undefined, { range: 'bytes=-999999999' });
    expect([tail.status, Buffer.from(await tail.arrayBuffer()).equals(whole)]).toEqual([206, true]);
    expect((await node.send('GET', route, undefined, { range: `bytes=${whole.length}-` })).status).toBe(416);
  });
});

describe('who is slow', () => {
  it('and opens connections without end takes no place of another address, and gives back what it leaves', async () => {
    node = await startHttpNode({ server: { host: '0.0.0.0', connectionsOfOne: 8 } });
    const { port } = new URL(node.url);
    const open = (): Socket => connect({ port: Number(port), host: '127.0.0.1', localAddress: '127.0.0.2' }).on('error', () => undefined);
    const idle = Array.from({ length: 40 }, open);
    await expect.poll(() => idle.filter(({ destroyed, readyState }) => !destroyed && readyState === 'open').length).toBe(8);
    expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status).toBe(200);
    for (const socket of idle) socket.destroy();
    const areAllHeld = async (): Promise<boolean> => {
      const again = Array.from({ length: 8 }, open);
      await new Promise((resolve) => setTimeout(resolve, 200));
      const held = again.filter(({ readyState }) => readyState === 'open').length;
      for (const socket of again) socket.destroy();
      return held === 8;
    };
    await expect.poll(areAllHeld, { timeout: 10_000, interval: 300 }).toBe(true);
  });

  it('behind a trusted proxy takes the place of nobody who comes through it', async () => {
    node = await startHttpNode({ server: { connectionsOfOne: 2, trustedProxies: ['127.0.0.0/8'] } });
    const { hostname, port } = new URL(node.url);
    const idle = Array.from({ length: 20 }, () => connect(Number(port), hostname).on('error', () => undefined));
    await expect.poll(() => idle.filter(({ readyState }) => readyState === 'open').length).toBe(20);
    expect((await node.send('GET', '/healthz')).status).toBe(200);
    for (const socket of idle) socket.destroy();
  });

  it('with headers or a body is given up on, and others are answered meanwhile', async () => {
    node = await startHttpNode({ server: { requestTimeout: 1_500 } });
    const drip = (start: string): Promise<string> => raw(start, ...Array.from({ length: 20 }, () => [100, 'x']).flat());
    const slow = Promise.all([
      ...Array.from({ length: 100 }, () => drip('GET /healthz HTTP/1.1\r\nhost: a\r\nx-slow: ')),
      ...Array.from({ length: 100 }, () =>
        drip(
          `POST /v1/infer?modelId=${node.modelId} HTTP/1.1\r\nhost: a\r\ncontent-type: application/octet-stream\r\ncontent-length: 24\r\n\r\n`,
        ),
      ),
    ]);
    await new Promise((resolve) => setTimeout(resolve, 300));
    for (let seed = 0; seed < 5; seed++) {
      expect((await node.send('POST', `/v1/infer?modelId=${node.modelId}`, node.input(seed))).status).toBe(200);
    }
    const ended = await slow;
    expect(new Set(ended.map(statusOf))).toEqual(new Set([408]));
  });

  it('to ask anything at all does not keep the node from ending', async () => {
    node = await startHttpNode({ server: { closeMilliseconds: 3_600_000 } });
    const { hostname, port } = new URL(node.url);
    const silent = Array.from({ length: 5 }, () => connect(Number(port), hostname).on('error', () => undefined));
    await Promise.all(silent.map((socket) => new Promise((resolve) => socket.once('connect', resolve))));
    await new Promise((resolve) => setTimeout(resolve, 100));
    await node.close();
    for (const socket of silent) socket.destroy();
  });

  it('to read events, and never does, costs no memory that grows, and leaves its place when it goes', async () => {
    node = await startHttpNode({ inputForm: 1, server: { eventStreams: 60, eventMilliseconds: 5, heartbeatMilliseconds: 5 } });
    const job = (await (await node.send('POST', `/v1/infer?tier=zk&modelId=${node.modelId}`, node.input(1))).json()) as { id: string };
    const { hostname, port } = new URL(node.url);
    const deaf: Socket[] = Array.from({ length: 50 }, () => {
      const socket = connect(Number(port), hostname, () => socket.write(`GET /v1/jobs/${job.id}/events HTTP/1.1\r\nhost: a\r\n\r\n`));
      socket.pause();
      return socket.on('error', () => undefined);
    });
    const memory = (): number => {
      globalThis.gc?.();
      return process.memoryUsage().rss;
    };
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const before = memory();
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    expect(memory() - before).toBeLessThan(64 << 20);
    expect((await node.send('GET', '/v1/models')).status).toBe(200);
    for (const socket of deaf) socket.destroy();
    const again = async (): Promise<number> => {
      const stopping = new AbortController();
      const { status } = await fetch(`${node.url}/v1/jobs/${job.id}/events`, { signal: stopping.signal });
      stopping.abort();
      return status;
    };
    // Their places are free again.
    await expect.poll(again, { timeout: 10_000 }).toBe(200);
    for (let i = 0; i < 15; i++) expect(await again()).toBe(200);
  });
});

describe('an idempotency key', () => {
  const ask = (key: string | undefined, seed: number): Promise<Response> =>
    node.send('POST', `/v1/infer?modelId=${node.modelId}`, node.input(seed), {
      'idempotency-key': 'the-same',
      ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
    });

  it('of one customer says nothing to another: neither the answer, nor that there is one', async () => {
    node = await startHttpNode({ server: { keys: keysOf(apiKey('alice', { id: 'alice' }), apiKey('bob', { id: 'bob' })) } });
    const own = (await (await ask('alice', 1)).json()) as { id: string };
    // The same question, the same key: an answer of its own.
    const other = await ask('bob', 1);
    const { id } = (await other.json()) as { id: string };
    expect([other.status, id === own.id]).toEqual([200, false]);
    // Another question under a key that is used elsewhere is no conflict.
    expect((await ask('bob', 2)).status).toBe(422);
    expect(((await (await ask('alice', 1)).json()) as { id: string }).id).toBe(own.id);
    for (const [key, status] of [
      ['alice', 200],
      ['bob', 404],
    ] as const) {
      expect((await node.send('GET', `/v1/receipts/${own.id}`, undefined, { authorization: `Bearer ${key}` })).status).toBe(status);
    }
    // Not even to who claims to be another by the name of its key.
    const forged = await node.send('GET', `/v1/receipts/${own.id}`, undefined, { 'x-forwarded-for': 'key:alice' });
    expect(forged.status).toBe(404);
  });
});

it('who asks for the head of a program, or of a part, does not have it read', async () => {
  node = await startHttpNode();
  const read = vi.spyOn(fs, 'createReadStream');
  syncBuiltinESMExports();
  try {
    const url = `/v1/models/${node.modelId}/program`;
    const whole = await node.send('HEAD', url);
    const part = await node.send('HEAD', url, undefined, { range: 'bytes=1-4' });
    expect([whole.status, part.status, part.headers.get('content-length')]).toEqual([200, 206, '4']);
    expect(read).not.toHaveBeenCalled();
    const content = await (await node.send('GET', url)).arrayBuffer();
    expect(whole.headers.get('content-length')).toBe(String(content.byteLength));
    expect(read).toHaveBeenCalledOnce();
  } finally {
    read.mockRestore();
    syncBuiltinESMExports();
  }
});

describe('inputs that nobody asked for', () => {
  it('are kept up to a number of bytes a day from callers without a key, and from those with one without end', async () => {
    const keys = keysOf(apiKey('customer', { id: 'customer' }));
    node = await startHttpNode({ server: { keys, uploadBudget: 3 * 4_096 } });
    const send = async (seed: number, headers: Record<string, string> = {}): Promise<number> =>
      (await node.send('PUT', `/v1/models/${node.modelId}/inputs`, node.input(seed), headers)).status;
    expect([await send(1), await send(2), await send(3)]).toEqual([200, 200, 200]);
    expect([await send(4), await send(4, { authorization: 'Bearer wrong' })]).toEqual([503, 503]);
    expect(await send(4, { authorization: 'Bearer customer' })).toBe(200);
  });

  it('count for a day', () => {
    const day = 24 * 3_600_000;
    const budget = new UploadBudget(10_000);
    budget.take(10_000, 0);
    expect(() => budget.take(1, day - 1)).toThrow('busy');
    budget.take(10_000 - 4_096, day);
    budget.take(1, day);
    expect(() => budget.take(1, day)).toThrow('busy');
    // A clock that went back does not keep out anybody for as long as it was ahead.
    budget.take(10_000, -day);
  });
});

describe('values that are wrong by the hundred thousand', () => {
  const modelId = `0x${'ab'.repeat(32)}`;
  it.each([
    ['no numbers', { inputs: { x: [1, ...Array<string>(300_000).fill('')] } }, ['inputs', 'x', 1]],
    ['no integers', { integers: { x: [1, 2, ...Array<number>(300_000).fill(0.5)] } }, ['integers', 'x', 2]],
    ['no lists', { inputs: Object.fromEntries(Array.from({ length: 64 }, (_, i) => [`k${i}`, 1])) }, ['inputs', 'k0']],
    ['too many names', { inputs: Object.fromEntries(Array.from({ length: 300_000 }, (_, i) => [`k${i}`, 1])) }, ['inputs']],
  ])('are told of once, not each: %s', (_, given, at) => {
    const { error } = inferBody.safeParse({ modelId, ...given });
    expect(error?.issues.map((issue) => issue.path)).toEqual([at]);
  });

  it('are not taken for wrong where they are right', () => {
    for (const given of [{ inputs: { x: [-0.5, 1e300, 0] } }, { integers: { x: [-1, 2 ** 53 - 1] } }, { integers: { x: [] } }])
      expect(inferBody.safeParse({ modelId, ...given }).success).toBe(true);
    for (const given of [
      { integers: { x: [2 ** 53] } },
      { inputs: { '': [1] } },
      { inputs: { ['n'.repeat(257)]: [1] } },
      { inputs: [[1]] },
    ])
      expect(inferBody.safeParse({ modelId, ...given }).success).toBe(false);
  });
});
