import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { hexToBytes } from 'viem';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { execute, outputsOf } from '../../core/execute.ts';
import { fromHex } from '../../core/keccak.ts';
import { inputForms, joinTensors, splitTensors } from '../../core/tensor-list.ts';
import { Gate } from '../../prover/concurrency/gate.ts';
import { networkOf } from '../../prover/http/addresses.ts';
import { HTTP_STATUS } from '../../prover/http/errors.ts';
import { namesEntity, readRange } from '../../prover/http/ranges.ts';
import { answerSchema, errorSchema, healthSchema, modelsSchema, namesSchema, readySchema } from '../../prover/http/schemas.ts';
import { COLLECTION, orderedId } from '../../prover/records/documents.ts';
import { apiKey, type HttpNode, keysOf, startHttpNode } from '../support/http-node.ts';

let node: HttpNode;
beforeAll(async () => {
  node = await startHttpNode();
});
afterAll(() => node?.close());

async function json<Schema extends z.ZodType>(response: Response, schema: Schema, status = 200): Promise<z.output<Schema>> {
  const body: unknown = await response.json();
  expect([response.status, body]).toEqual([status, body]);
  return schema.parse(body);
}

async function refusal(response: Response): Promise<[number, string]> {
  const { error } = errorSchema.parse(await response.json());
  return [response.status, error.code];
}

describe('the table of errors', () => {
  const page = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8');
  const documented = [...page.matchAll(/^\| `([A-Z0-9_]+)` \|/gm)].map((match) => match[1]!);
  const statuses = [...(page.split('## Over HTTP')[1] ?? '').matchAll(/^\| (\d{3}) \| (.*) \|$/gm)];

  it('has a row in docs/errors.md for every code that is answered with', () => {
    expect(Object.keys(HTTP_STATUS).filter((code) => !documented.includes(code))).toEqual([]);
  });

  it('gives each the status that docs/errors.md gives it, and no other is there', () => {
    const told = statuses.flatMap(([, status, codes]) => [...codes!.matchAll(/`([A-Z_]+)`/g)].map((match) => [match[1]!, Number(status)]));
    expect(Object.fromEntries(told)).toEqual(HTTP_STATUS);
    expect(told.length).toBe(Object.keys(HTTP_STATUS).length);
  });
});

describe('answers over HTTP', () => {
  it('have the forms that their schemas say', async () => {
    expect((await json(await node.send('GET', '/healthz'), healthSchema)).models).toBe(1);
    expect(await json(await node.send('GET', '/readyz'), readySchema)).toEqual({ ready: true, reasons: [] });
    const { models } = await json(await node.send('GET', '/v1/models'), modelsSchema);
    expect(models[0]).toMatchObject({ modelId: node.modelId, tiers: ['optimistic'], inputBytes: 24 });
    const names = await json(await node.send('PUT', `/v1/models/${node.modelId}/inputs`, node.input(1)), namesSchema);
    const bytes = await (await node.send('GET', `/v1/inputs/${names.inputRoot}`)).arrayBuffer();
    expect(new Uint8Array(bytes)).toEqual(node.input(1));
  });

  it('are the same for bytes, for integers and for values', async () => {
    const input = node.input(2);
    const expected = joinTensors(outputsOf(node.program, execute(node.program, splitTensors(inputForms(node.program), input))));
    const raw = await json(await node.send('POST', `/v1/infer?modelId=${node.modelId}`, input), answerSchema);
    expect(hexToBytes(raw.output as `0x${string}`)).toEqual(expected);
    expect(raw).toMatchObject({ backing: 'unsecured', receipt: { channel: `0x${'0'.repeat(64)}` } });
    expect(raw.outputs).toBeUndefined();
    // Scale 1 and zero point 0: real values are the integers.
    for (const member of ['integers', 'inputs']) {
      const body = { modelId: node.modelId, [member]: { t0: [...input] } };
      const told = await json(await node.send('POST', '/v1/infer', body), answerSchema);
      expect(told.output).toBe(raw.output);
      expect(told.receipt.inputRoot).toBe(raw.receipt.inputRoot);
      expect(told.outputs?.[0]).toMatchObject({ dims: [3], values: told.outputs?.[0]?.integers });
    }
  });

  it('are kept, and found by the name of their receipt', async () => {
    const answer = await json(await node.send('POST', `/v1/infer?modelId=${node.modelId}`, node.input(3)), answerSchema);
    expect(await json(await node.send('GET', `/v1/receipts/${answer.id}`), answerSchema)).toEqual(answer);
  });

  it('carry headers that keep browsers from guessing and framing, and none for other origins', async () => {
    const { headers } = await node.send('GET', '/v1/models', undefined, { origin: 'https://example.com' });
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('x-frame-options')).toBe('DENY');
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('access-control-allow-origin')).toBeNull();
  });

  it('are counted', async () => {
    const text = await (await node.send('GET', '/metrics')).text();
    expect(text).toMatch(/^assay_receipts_total\{backing="unsecured"\} [1-9]/m);
    expect(text).toMatch(/^assay_queue_depth\{kind="prove",state="waiting"\} 0/m);
    expect(text).toMatch(/^assay_http_seconds_count\{route="\/v1\/infer",status="200"\} [1-9]/m);
    expect(text).not.toContain(node.modelId);
  });
});

describe('the documents', () => {
  it('are OpenAPI 3.1 of every route, made of the schemas', async () => {
    const document = (await (await node.send('GET', '/openapi.json')).json()) as {
      openapi: string;
      paths: Record<string, Record<string, { responses: object; requestBody?: { content: Record<string, { schema: object }> } }>>;
    };
    expect(document.openapi).toBe('3.1.0');
    const routes = Object.entries(document.paths).flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method} ${path}`));
    expect(routes.sort()).toEqual([
      'delete /v1/jobs/{id}',
      'get /healthz',
      'get /metrics',
      'get /readyz',
      'get /v1/claims/{claimId}',
      'get /v1/claims/{claimId}/roots',
      'get /v1/claims/{claimId}/tensors/{tensor}/{height}/{index}',
      'get /v1/inputs/{hash}',
      'get /v1/jobs/{id}',
      'get /v1/jobs/{id}/events',
      'get /v1/models',
      'get /v1/models/{modelId}/program',
      'get /v1/receipts/{id}',
      'post /v1/infer',
      'put /v1/models/{modelId}/inputs',
    ]);
    const unit = document.paths['/v1/claims/{claimId}/tensors/{tensor}/{height}/{index}']!.get as {
      parameters?: { name: string; schema: object }[];
    };
    const index = unit.parameters?.find(({ name }) => name === 'index')?.schema;
    expect(index).toEqual({ type: 'integer', minimum: 0, maximum: 0xffffffff });
    const infer = document.paths['/v1/infer']!.post!;
    expect(Object.keys(infer.requestBody!.content).sort()).toEqual(['application/json', 'application/octet-stream']);
    expect(infer.requestBody!.content['application/json']!.schema).toMatchObject({ required: ['modelId'], additionalProperties: false });
    expect(Object.keys(infer.responses)).toEqual(expect.arrayContaining(['200', '202', '400', '401', '409', '413', '422', '429', '503']));
  });

  it('can be read in a browser', async () => {
    const page = await node.send('GET', '/docs/');
    expect([page.status, page.headers.get('content-type')]).toEqual([200, expect.stringContaining('text/html')]);
    expect(page.headers.get('content-security-policy')).toContain("default-src 'self'");
  });
});

describe('a program', () => {
  const get = (headers: Readonly<Record<string, string>>): Promise<Response> =>
    node.send('GET', `/v1/models/${node.modelId}/program`, undefined, headers);
  let whole: Uint8Array;
  let tag: string;
  beforeAll(async () => {
    const response = await get({});
    whole = new Uint8Array(await response.arrayBuffer());
    tag = response.headers.get('etag') ?? '';
    expect(whole).toEqual(new Uint8Array(readFileSync(`${node.modelDirectory}/program.assay`)));
  });

  it.each([
    ['bytes=0-9', 0, 10],
    ['bytes=10-10', 10, 11],
    ['bytes=100-', 100, Number.POSITIVE_INFINITY],
    ['bytes=-7', -7, Number.POSITIVE_INFINITY],
    ['bytes=5-999999999', 5, Number.POSITIVE_INFINITY],
  ])('is given in part: %s', async (range, start, end) => {
    const response = await get({ range });
    const part = new Uint8Array(await response.arrayBuffer());
    expect(response.status).toBe(206);
    expect(part).toEqual(whole.slice(start, end));
    expect(response.headers.get('content-range')).toMatch(new RegExp(`^bytes \\d+-\\d+/${whole.length}$`));
  });

  it('says where it ends', async () => {
    const response = await get({ range: `bytes=${whole.length}-` });
    expect(response.headers.get('content-range')).toBe(`bytes */${whole.length}`);
    expect(await refusal(response)).toEqual([416, 'HTTP_RANGE']);
  });

  it('is not sent again to who has it, and whole to who has another', async () => {
    expect((await get({ 'if-none-match': tag })).status).toBe(304);
    expect((await get({ 'if-none-match': '"0x00"' })).status).toBe(200);
    expect((await get({ range: 'bytes=0-9', 'if-range': tag })).status).toBe(206);
    expect((await get({ range: 'bytes=0-9', 'if-range': '"0x00"' })).status).toBe(200);
  });

  it.each([
    ['bytes=0-0', 5, { start: 0, end: 0 }],
    ['bytes=4-', 5, { start: 4, end: 4 }],
    ['bytes=5-', 5, 'unsatisfiable'],
    ['bytes=-0', 5, 'unsatisfiable'],
    ['bytes=-9', 5, { start: 0, end: 4 }],
    ['bytes=3-1', 5, undefined],
    ['bytes=0-1,3-4', 5, undefined],
    ['bytes=-', 5, undefined],
    ['lines=0-1', 5, undefined],
    ['bytes=0-0', 0, 'unsatisfiable'],
  ] as const)('range %s of %i bytes', (header, bytes, expected) => expect(readRange(header, bytes)).toEqual(expected));

  it('compares names as wholes', () => {
    expect([namesEntity('"a"', '"a"'), namesEntity('"b", "a"', '"a"'), namesEntity('*', '"a"')]).toEqual([true, true, true]);
    expect([namesEntity('W/"a"', '"a"'), namesEntity('"ab"', '"a"'), namesEntity(undefined, '"a"')]).toEqual([false, false, false]);
  });
});

describe('API keys', () => {
  let guarded: HttpNode;
  const bearer = (text: string): Record<string, string> => ({ authorization: `Bearer ${text}` });
  beforeAll(async () => {
    const keys = keysOf(
      apiKey('alpha-secret', { id: 'alpha' }),
      apiKey('beta-secret', { id: 'beta', scopes: ['prove'], requestsPerMinute: 3 }),
    );
    guarded = await startHttpNode({ server: { keys, requestsPerMinute: 50 } });
  });
  afterAll(() => guarded?.close());
  const ask = (headers: Record<string, string>, query = ''): Promise<Response> =>
    guarded.send('POST', `/v1/infer?modelId=${guarded.modelId}${query}`, guarded.input(1), headers);

  it('are wanted for questions, and for nothing that checks answers', async () => {
    const response = await ask({});
    expect(response.headers.get('www-authenticate')).toBe('Bearer');
    expect(await refusal(response)).toEqual([401, 'HTTP_UNAUTHORIZED']);
    expect((await ask(bearer('alpha-secret'))).status).toBe(200);
    expect((await ask({ 'x-api-key': 'alpha-secret' })).status).toBe(200);
    expect((await guarded.send('GET', `/v1/models/${guarded.modelId}/program`)).status).toBe(200);
  });

  it.each(['alpha-secre', 'alpha-secret2', 'ALPHA-SECRET', 'alpha', ''])('do not hold as %j', async (text) => {
    expect(await refusal(await ask(bearer(text)))).toEqual([401, 'HTTP_UNAUTHORIZED']);
  });

  it('allow what their scopes say, so many times a minute', async () => {
    expect(await refusal(await ask(bearer('alpha-secret'), '&tier=zk'))).toEqual([409, 'TIER_MISSING']);
    expect(await refusal(await ask(bearer('beta-secret')))).toEqual([403, 'HTTP_FORBIDDEN']);
    expect(await refusal(await ask(bearer('beta-secret'), '&tier=zk'))).toEqual([409, 'TIER_MISSING']);
    expect((await ask(bearer('beta-secret'))).status).toBe(403);
    const late = await ask(bearer('beta-secret'));
    expect(Number(late.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await refusal(late)).toEqual([429, 'HTTP_RATE_LIMITED']);
    expect((await ask(bearer('alpha-secret'))).status).toBe(200);
  });

  it('own their receipts', async () => {
    const { id } = await json(await ask(bearer('alpha-secret')), answerSchema);
    expect((await guarded.send('GET', `/v1/receipts/${id}`, undefined, bearer('alpha-secret'))).status).toBe(200);
    expect(await refusal(await guarded.send('GET', `/v1/receipts/${id}`))).toEqual([404, 'HTTP_NOT_FOUND']);
  });

  it('count by network where there are none', async () => {
    const codes: number[] = [];
    for (let i = 0; i < 60; i++) codes.push((await guarded.send('GET', '/v1/models')).status);
    expect(codes.at(-1)).toBe(429);
    expect((await guarded.send('GET', '/healthz')).status).toBe(200);
    expect((await ask(bearer('alpha-secret'))).status).toBe(200);
  });

  it.each([
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::9', '2001:db8:1:2::/64'],
    ['2001:0db8::1', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ])('%s belongs to %s', (address, network) => expect(networkOf(address)).toBe(network));
});

describe('a gate', () => {
  it('lets so many in, so many wait, and sends the rest away', async () => {
    const gate = new Gate('tests', 2, 3);
    let running = 0;
    let most = 0;
    const ends: (() => void)[] = [];
    const work = async (): Promise<void> => {
      most = Math.max(most, ++running);
      await new Promise<void>((resolve) => ends.push(resolve));
      running--;
    };
    const all = Array.from({ length: 6 }, () => gate.run(work));
    await expect(all[5]).rejects.toMatchObject({ code: 'NODE_BUSY' });
    for (let ended = 0; ended < 5; ended++) {
      await expect.poll(() => ends.length).toBeGreaterThan(0);
      ends.shift()!();
    }
    await Promise.all(all.slice(0, 5));
    expect([most, running]).toEqual([2, 0]);
    await expect(gate.run(() => Promise.reject(new Error('failed')))).rejects.toThrow('failed');
    await expect(gate.run(async () => 'free again')).resolves.toBe('free again');
  });
});

describe('traces', () => {
  it('are computed a few at a time, and the node answers questions meanwhile', async () => {
    let running = 0;
    let most = 0;
    const ends: (() => void)[] = [];
    const busy = await startHttpNode({
      server: { traceWaiting: 3 },
      service: {
        dataOf: async () => {
          most = Math.max(most, ++running);
          await new Promise<void>((resolve) => ends.push(resolve));
          running--;
          return Uint8Array.of(7);
        },
      },
    });
    const claim = { claimId: '5', modelId: busy.modelId, input: busy.modelId, output: '0x', fault: null, state: 'open', claimedAt: 1 };
    await busy.store.put(COLLECTION.claims, orderedId('5'), claim);
    const asked = Array.from({ length: 6 }, () => busy.send('GET', '/v1/claims/5/tensors/1/0/0'));
    const refused = await Promise.race(asked);
    expect(refused.headers.get('retry-after')).toBe('5');
    expect(await refusal(refused)).toEqual([503, 'NODE_BUSY']);
    expect((await busy.send('POST', `/v1/infer?modelId=${busy.modelId}`, busy.input(1))).status).toBe(200);
    for (let ended = 0; ended < 4; ended++) {
      await expect.poll(() => ends.length).toBeGreaterThan(0);
      ends.shift()!();
    }
    const statuses = (await Promise.all(asked)).map(({ status }) => status).sort();
    expect([most, statuses]).toEqual([1, [200, 200, 200, 200, 503, 503]]);
    await busy.close();
  });
});

describe('pages of other origins', () => {
  it('may ask where the node says so, and only then', async () => {
    const open = await startHttpNode({ server: { corsOrigins: ['https://one.example'] } });
    const allowed = async (origin: string): Promise<string | null> =>
      (await open.send('GET', '/v1/models', undefined, { origin })).headers.get('access-control-allow-origin');
    expect(await allowed('https://one.example')).toBe('https://one.example');
    expect([await allowed('https://two.example'), await allowed('https://one.example.evil')]).toEqual([null, null]);
    const preflight = await fetch(`${open.url}/v1/infer`, {
      method: 'OPTIONS',
      headers: {
        origin: 'https://one.example',
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization',
      },
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get('access-control-allow-headers')).toContain('authorization');
    await open.close();
  });
});

describe('a client that is slow or wrong below HTTP', () => {
  const raw = (text: string, url = node.url): Promise<string> =>
    new Promise((resolve) => {
      const { hostname, port } = new URL(url);
      const socket = connect(Number(port), hostname, () => socket.write(text));
      let answer = '';
      socket.on('data', (chunk) => {
        answer += chunk.toString();
      });
      socket.on('error', () => undefined);
      socket.on('close', () => resolve(answer));
    });

  it('is told what is wrong, in the form of every error', async () => {
    const answer = await raw('not http at all\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1\.1 400/);
    expect(errorSchema.parse(JSON.parse(answer.split('\r\n\r\n')[1]!)).error.code).toBe('HTTP_MALFORMED');
    const long = await raw(`GET /healthz HTTP/1.1\r\nhost: a\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`);
    expect(long).toMatch(/^HTTP\/1\.1 431/);
    expect(long).toContain('HTTP_HEADERS_TOO_LARGE');
  });

  it('does not hold a connection for ever', async () => {
    const impatient = await startHttpNode({ server: { requestTimeout: 300 } });
    try {
      const head = `POST /v1/infer?modelId=${impatient.modelId} HTTP/1.1\r\nhost: a\r\ncontent-type: application/octet-stream\r\n`;
      expect(await raw(`${head}content-length: 24\r\n\r\nhalf`, impatient.url)).toContain('HTTP_TIMEOUT');
      expect(await raw('GET /healthz HTTP/1.1\r\nhost', impatient.url)).toContain('HTTP_TIMEOUT');
    } finally {
      await impatient.close();
    }
  });
});

describe('a node that stops', () => {
  it('ends what it began', async () => {
    const stopping = await startHttpNode();
    const input = stopping.input(1);
    const asked = Array.from({ length: 20 }, () => stopping.send('POST', `/v1/infer?modelId=${stopping.modelId}`, input));
    const all = Promise.allSettled(asked);
    await asked[0];
    await stopping.close();
    const ended = await all;
    for (const one of ended) {
      if (one.status === 'rejected') continue;
      expect([200, 503]).toContain(one.value.status);
      if (one.value.status === 200) expect(fromHex(answerSchema.parse(await one.value.json()).output)).toHaveLength(12);
    }
  });
});
