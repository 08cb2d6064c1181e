import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { AssayError } from '../../core/errors.ts';
import type { ApiKeys } from '../../prover/http/keys.ts';
import { errorSchema, type JobView } from '../../prover/http/schemas.ts';
import { type RunningServer, type ServerOptions, startServer } from '../../prover/http/server.ts';
import type { Caller } from '../../prover/http/service.ts';
import { createLog } from '../../runtime/log.ts';
import { apiKey, type HttpNode, keysOf, startHttpNode } from '../support/http-node.ts';

const log = createLog({ name: 'test', level: 'silent' });
const JOB = `job-${'5'.repeat(32)}`;

let node: HttpNode | undefined;
let server: RunningServer | undefined;
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await server?.close();
  await node?.close();
  server = undefined;
  node = undefined;
});

function view(change: Partial<JobView> = {}): JobView {
  const times = { createdAt: 1, deadline: 2 };
  return {
    id: JOB,
    modelId: `0x${'1'.repeat(64)}`,
    input: `0x${'2'.repeat(64)}`,
    context: '3',
    state: 'running',
    progress: 0,
    ...times,
    ...change,
  };
}

/** A service whose one job is what the test says. */
async function serve(job: (caller: Caller) => Promise<JobView | undefined>, options: Partial<ServerOptions> = {}): Promise<string> {
  node = await startHttpNode({ inputForm: 1 });
  server = await startServer(
    { ...node.service, job: (_id, caller) => job(caller) },
    {
      ...{ host: '127.0.0.1', port: 0, log, requestsPerMinute: 10_000_000, closeMilliseconds: 5_000 },
      ...{ eventMilliseconds: 10, heartbeatMilliseconds: 20, ...options },
    },
  );
  return `${server.url}/v1/jobs/${JOB}/events`;
}

const as = (key: string): { headers: Record<string, string> } => ({ headers: { authorization: `Bearer ${key}` } });

/** The last event of a stream that has ended: its name, and the code of the error it tells of. */
async function lastOf(response: Response): Promise<[string, string]> {
  const last = (await response.text()).trimEnd().split('\n\n').at(-1) ?? '';
  const [, name = '', data = ''] = /^event: (.*)\ndata: (.*)$/m.exec(last) ?? [];
  return [name, errorSchema.parse(JSON.parse(data)).error.code];
}

async function refusal(response: Response): Promise<[number, string]> {
  return [response.status, errorSchema.parse(await response.json()).error.code];
}

/** Asks, and never reads a byte of the answer. */
function deaf(url: string, key?: string): Socket {
  const { hostname, port, pathname } = new URL(url);
  const authorization = key === undefined ? '' : `authorization: Bearer ${key}\r\n`;
  const socket = connect(Number(port), hostname, () => socket.write(`GET ${pathname} HTTP/1.1\r\nhost: a\r\n${authorization}\r\n`));
  socket.pause();
  sockets.push(socket);
  return socket.on('error', () => undefined);
}

describe('a stream of events', () => {
  const entry = (text: string, change: object = {}) => apiKey(text, { id: text, ...change });

  it.each<[what: string, change: (keys: ApiKeys) => void]>([
    ['is revoked', (keys) => keys.replace([entry('two')])],
    ['gets another text', (keys) => keys.replace([apiKey('other', { id: 'one' }), entry('two')])],
    ['gets another name', (keys) => keys.replace([entry('one', { id: 'three' }), entry('two')])],
    ['is revoked with all others', (keys) => keys.replace([])],
  ])('ends, and says so, when the key that opened it %s', async (_, change) => {
    const keys = keysOf(entry('one'), entry('two'));
    const url = await serve(async () => view(), { keys });
    const [one, two] = await Promise.all([fetch(url, as('one')), fetch(url, as('two'))]);
    // What leaves a key as it was ends nothing.
    keys.replace([entry('two'), entry('one', { requestsPerMinute: 7 })]);
    const over = { one: false, two: false };
    const ended = lastOf(one).finally(() => {
      over.one = true;
    });
    const other = two.text().finally(() => {
      over.two = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(over).toEqual({ one: false, two: false });
    change(keys);
    expect(await ended).toEqual(['closed', 'HTTP_UNAUTHORIZED']);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(over.two).toBe(keys.find('two') === undefined);
    keys.replace([]);
    await other;
  });

  it('does not outlive its key where nobody reads it', async () => {
    const keys = keysOf(entry('one'));
    let looks = 0;
    const url = await serve(async () => view({ progress: (looks++ % 1000) / 1000, context: '3'.repeat(1 << 20) }), { keys });
    const socket = deaf(url, 'one');
    const closed = new Promise((resolve) => socket.once('close', resolve));
    await expect.poll(() => looks).toBeGreaterThan(3);
    keys.replace([]);
    // Cut off, though what the kernel holds of it has to be taken before its end is seen.
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    const seen = looks;
    socket.resume();
    await closed;
    expect(looks).toBe(seen);
  });

  it('is as old as it may become, then goes on where it was left', async () => {
    let progress = 0.25;
    const url = await serve(async () => view({ progress }), { eventStreamMilliseconds: 150 });
    const first = await fetch(url);
    const text = await first.clone().text();
    expect(await lastOf(first)).toEqual(['closed', 'STREAM_AGE']);
    const id = /^id: (.*)$/m.exec(text)?.[1] ?? '';
    progress = 0.5;
    const again = await (await fetch(url, { headers: { 'last-event-id': id } })).text();
    expect([...again.matchAll(/"progress":([0-9.]+)/g)].map(([, told]) => told)).toEqual(['0.5']);
  });

  it('is one of a bounded number of its key, and of a bounded number in all', async () => {
    const keys = keysOf(entry('one'), entry('two'), entry('three'));
    const url = await serve(async () => view(), { keys, eventStreams: 5, eventStreamsPerCaller: 2 });
    const leave = new AbortController();
    const open = (key: string): Promise<Response> => fetch(url, { ...as(key), signal: leave.signal });
    for (const key of ['one', 'one', 'two', 'two']) expect((await open(key)).status).toBe(200);
    for (const key of ['one', 'two']) expect(await refusal(await open(key))).toEqual([503, 'NODE_BUSY']);
    expect((await open('three')).status).toBe(200);
    expect(await refusal(await open('three'))).toEqual([503, 'NODE_BUSY']);
    leave.abort();
    for (const key of ['one', 'two', 'three']) {
      await expect
        .poll(async () => {
          const response = await fetch(url, as(key));
          await response.body?.cancel();
          return response.status;
        })
        .toBe(200);
    }
  });

  it('that nobody reads keeps one event, and looks no further', async () => {
    let looks = 0;
    const url = await serve(async () => view({ progress: (looks++ % 1000) / 1000, context: '3'.repeat(1 << 20) }), {
      eventMilliseconds: 1,
    });
    deaf(url);
    // The kernel's buffers take some MiB, then nothing moves.
    let before = -1;
    await expect
      .poll(
        () => {
          const still = looks === before;
          before = looks;
          return still && looks > 1;
        },
        { interval: 500, timeout: 20_000 },
      )
      .toBe(true);
    expect(looks).toBeLessThan(40);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(looks).toBe(before);
  });

  it('says what broke when the job cannot be read any more', async () => {
    let broken = false;
    const url = await serve(async () => {
      if (broken) throw new AssayError('The store is away', { code: 'STORE_UNREACHABLE', fix: 'wait' });
      return view();
    });
    const response = await fetch(url);
    broken = true;
    expect(await lastOf(response)).toEqual(['closed', 'STORE_UNREACHABLE']);
  });

  it('says that the node stops', async () => {
    const url = await serve(async () => view());
    const response = await fetch(url);
    server?.drain();
    expect(await lastOf(response)).toEqual(['closed', 'NODE_STOPPING']);
  });
});
