import { connect } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HTTP_STATUS } from '../../prover/http/errors.ts';
import { errorSchema } from '../../prover/http/schemas.ts';
import { type HttpNode, startHttpNode } from '../support/http-node.ts';

interface Operation {
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, unknown>> };
  readonly responses: Readonly<Record<string, unknown>>;
}

interface Target {
  readonly method: string;
  readonly path: string;
  readonly operation: Operation;
}

let node: HttpNode;
let targets: Target[];
const SEED = { seed: 20_261_121 };

beforeAll(async () => {
  node = await startHttpNode({ inputForm: 1, server: { requestTimeout: 5_000 } });
  const { paths } = (await (await node.send('GET', '/openapi.json')).json()) as { paths: Record<string, Record<string, Operation>> };
  targets = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      // A stream of events ends with its job, which nobody works on here.
      .filter(() => !path.endsWith('/events'))
      .map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  );
  expect(targets.length).toBeGreaterThan(10);
});
afterAll(() => node?.close());

/** Sends bytes as they are; resolves with status and body of the answer. */
function raw(bytes: Buffer): Promise<{ status: number; body: string }> {
  return new Promise((resolve) => {
    const { hostname, port } = new URL(node.url);
    const socket = connect(Number(port), hostname, () => socket.write(bytes));
    const chunks: Buffer[] = [];
    const done = (): void => {
      const text = Buffer.concat(chunks)
        .toString('latin1')
        .replace(/^HTTP\/1\.1 100 Continue\r\n\r\n/, '');
      const [head = '', ...rest] = text.split('\r\n\r\n');
      // As every client reads it: what comes after the stated length is no part of the answer.
      const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? Number.MAX_SAFE_INTEGER);
      resolve({ status: Number(head.slice(9, 12)), body: rest.join('\r\n\r\n').slice(0, length) });
    };
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('error', () => undefined);
    socket.on('close', done);
    // Whatever the node still waits for will not come.
    socket.setTimeout(8_000, () => socket.destroy());
  });
}

/** Whatever was sent: an answer that the documents know, an error with a code of the table, and never a 500. */
function hold({ status, body }: { status: number; body: string }, documented: readonly string[], sent: string): void {
  const context = `${sent.slice(0, 300)} → ${status} ${body.slice(0, 200)}`;
  expect(status, context).not.toBe(500);
  expect(status, context).toBeGreaterThan(0);
  if (status < 400) {
    expect(documented, context).toContain(String(status));
    return;
  }
  const { error } = errorSchema.parse(JSON.parse(body));
  expect(HTTP_STATUS[error.code], context).toBe(status);
  expect(body, context).not.toMatch(/node_modules|\.ts:\d|at Object/);
}

async function alive(): Promise<void> {
  expect((await node.send('GET', '/healthz')).status).toBe(200);
  expect((await node.send('POST', `/v1/infer?modelId=${node.modelId}`, node.input(1))).status).toBe(200);
}

const word = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => `0x${Buffer.from(bytes).toString('hex')}`);
const traversal = fc.constantFrom(
  '..%2f..%2fetc%2fpasswd',
  '%2e%2e',
  '..',
  '%00',
  '%ff',
  '%',
  'a'.repeat(5_000),
  '\\..\\',
  '%252e%252e',
  '​',
);
const part = fc.oneof(word, fc.constant('model'), fc.nat().map(String), fc.string().map(encodeURIComponent), traversal, fc.constant(''));
const value = fc.oneof(part, fc.constantFrom('zk', 'optimistic', '-1', '1e9', '0', '1', 'NaN', 'null', '[]', 'true'));

/** Fills the path and query of an operation with anything. */
const route = ({ path, operation }: Target): fc.Arbitrary<string> => {
  const names = (operation.parameters ?? []).filter((parameter) => parameter.in === 'query').map(({ name }) => name);
  const query = fc.array(fc.tuple(fc.constantFrom(...names, 'modelId', 'x'), value), { maxLength: 4 });
  const holes = path.match(/\{\w+\}/g) ?? [];
  return fc.tuple(fc.array(part, { minLength: holes.length, maxLength: holes.length }), query).map(([parts, pairs]) => {
    let filled = path;
    holes.forEach((hole, i) => {
      filled = filled.replace(hole, () => (parts[i] === 'model' ? node.modelId : parts[i]!));
    });
    const text = pairs.map(([name, given]) => `${name}=${given === 'model' ? node.modelId : given}`).join('&');
    // Only what can be a request line at all.
    return `${filled}${text === '' ? '' : `?${text}`}`.replace(/[^\x21-\x7e]/g, '%20');
  });
};

const member = fc.constantFrom(
  'modelId',
  'inputs',
  'integers',
  'tier',
  'channel',
  'coverage',
  'seconds',
  '__proto__',
  'constructor',
  'extra',
);
const wild = fc.oneof(
  fc.jsonValue(),
  fc.constant(null),
  fc.array(fc.oneof(fc.integer(), fc.double(), fc.string()), { maxLength: 40 }).map((t0) => ({ t0 })),
  fc.array(fc.integer({ min: -5, max: 300 }), { minLength: 24, maxLength: 24 }).map((t0) => ({ t0 })),
  fc.constant('MODEL'),
  fc.constantFrom('zk', 'optimistic', '1', '99999999999999999999999999999999'),
);
const object = fc
  .array(fc.tuple(member, wild), { maxLength: 6 })
  .map((pairs) => `{${pairs.map(([name, given]) => `${JSON.stringify(name)}:${JSON.stringify(given) ?? 'null'}`).join(',')}}`);
const nested = fc.integer({ min: 1, max: 20_000 }).map((depth) => '['.repeat(depth) + ']'.repeat(depth));
const json = fc.oneof(
  object,
  object,
  nested,
  fc.json(),
  fc.string(),
  fc.constantFrom('', '{', '{"modelId":', 'null', '1e999', '{"a":1}{"b":2}', '\u0000'),
);
const bytes = fc.oneof(
  fc.uint8Array({ minLength: 24, maxLength: 24 }),
  fc.uint8Array({ maxLength: 60 }),
  fc.constant(new Uint8Array(70_000)),
);
const type = fc.constantFrom(
  'application/json',
  'application/octet-stream',
  'application/json; charset=utf-16',
  'text/plain',
  'multipart/form-data',
  'nonsense',
  '',
);

const body = fc.oneof(
  json.map((text) => Buffer.from(text.replaceAll('"MODEL"', () => `"${node.modelId}"`))),
  bytes.map((given) => Buffer.from(given)),
);

describe('requests made up from the documents', () => {
  it('get a documented answer or a known error, whatever is in their paths and queries', async () => {
    for (const target of targets) {
      await fc.assert(
        fc.asyncProperty(route(target), async (filled) => {
          const answer = await raw(Buffer.from(`${target.method} ${filled} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n`));
          hold(answer, Object.keys(target.operation.responses), `${target.method} ${filled}`);
        }),
        { ...SEED, numRuns: 40 },
      );
    }
    await alive();
  });

  it('get a documented answer or a known error, whatever is in their bodies', async () => {
    for (const target of targets.filter(({ operation }) => operation.requestBody !== undefined)) {
      await fc.assert(
        fc.asyncProperty(route(target), type, body, fc.boolean(), async (filled, contentType, given, isNamed) => {
          const at = isNamed ? target.path.replace('{modelId}', node.modelId) : filled;
          const head = `${target.method} ${at} HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-type: ${contentType}\r\ncontent-length: ${given.length}\r\n\r\n`;
          const answer = await raw(Buffer.concat([Buffer.from(head), given]));
          hold(answer, Object.keys(target.operation.responses), `${head}${given.toString('latin1')}`);
        }),
        { ...SEED, numRuns: 200 },
      );
    }
    await alive();
  });

  it('get a known error for headers that are wrong, many or huge', async () => {
    const name = fc.constantFrom(
      'authorization',
      'x-api-key',
      'idempotency-key',
      'range',
      'if-none-match',
      'if-range',
      'last-event-id',
      'content-length',
      'transfer-encoding',
      'expect',
      'accept-encoding',
      'x',
    );
    const text = fc.oneof(
      fc.string({ maxLength: 40 }).map((any) => any.replace(/[^\x20-\x7e]/g, '?')),
      fc.constantFrom('bytes=0-', 'bytes=-1', 'bytes=9-1', 'chunked', '-1', '1e9', '999999999999', '*', '"', 'Bearer', '100-continue'),
      fc.nat({ max: 20_000 }).map((length) => 'y'.repeat(length)),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...targets),
        fc.array(fc.tuple(name, text), { minLength: 1, maxLength: 30 }),
        async (target, headers) => {
          const at = target.path.replace('{modelId}', node.modelId).replace(/\{\w+\}/g, '1');
          const head = `${target.method} ${at} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n${headers.map(([key, given]) => `${key}: ${given}\r\n`).join('')}\r\n`;
          const answer = await raw(Buffer.from(head));
          hold(answer, [...Object.keys(target.operation.responses), '204'], head);
        },
      ),
      { ...SEED, numRuns: 300 },
    );
    await alive();
  });

  it('that are no HTTP at all leave it alive', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 200 }), async (garbage) => {
        await raw(Buffer.concat([Buffer.from(garbage), Buffer.from('\r\n\r\n')]));
      }),
      { ...SEED, numRuns: 30 },
    );
    await alive();
  });
});

describe('a fuzzed answer', () => {
  it('would be refused as a 500, without a code, with another status, or with a stack', () => {
    const error = (code: string): string => JSON.stringify({ error: { code, message: 'at its top', facts: {} } });
    expect(() => hold({ status: 400, body: error('HTTP_MALFORMED') }, [], '')).not.toThrow();
    expect(() => hold({ status: 500, body: error('INTERNAL') }, [], '')).toThrow();
    expect(() => hold({ status: 400, body: '{}' }, [], '')).toThrow();
    expect(() => hold({ status: 404, body: error('HTTP_MALFORMED') }, [], '')).toThrow();
    expect(() => hold({ status: 0, body: '' }, [], '')).toThrow();
    expect(() => hold({ status: 200, body: '' }, ['202'], '')).toThrow();
    expect(() => hold({ status: 400, body: error('HTTP_MALFORMED').replace('at its', 'server.ts:12') }, [], '')).toThrow();
  });
});
