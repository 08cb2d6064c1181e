import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { setupDevelopment } from '../../circuits/setup.ts';
import { execute, outputsOf } from '../../core/execute.ts';
import { fromHex, keccak256, toHash } from '../../core/keccak.ts';
import { inputForms, joinTensors, splitTensors } from '../../core/tensor-list.ts';
import { decodeProof, encodeProof } from '../../core/zk-encoding.ts';
import { errorSchema, type JobView, jobSchema } from '../../prover/http/schemas.ts';
import { embeddedQueue } from '../../prover/queue/embedded.ts';
import type { Prove } from '../../prover/work/answer.ts';
import { offChainContext, reconcileJobs } from '../../prover/work/proof-jobs.ts';
import { createProving } from '../../prover/work/proving.ts';
import { openStateDirectory } from '../../runtime/state-directory.ts';
import { apiKey, CHAIN_ID, type HttpNode, type HttpNodeOptions, keysOf, OWNER, REQUESTS, startHttpNode } from '../support/http-node.ts';

const root = path.join(import.meta.dirname, '../..');
const nodes: HttpNode[] = [];

async function start(options: HttpNodeOptions): Promise<HttpNode> {
  const node = await startHttpNode(options);
  nodes.push(node);
  return node;
}
afterEach(async () => {
  for (const node of nodes.splice(0)) await node.close();
});

async function job(response: Response, status = 200): Promise<JobView> {
  const body: unknown = await response.json();
  expect([response.status, body]).toEqual([status, body]);
  return jobSchema.parse(body);
}

async function refusal(response: Response): Promise<[number, string]> {
  return [response.status, errorSchema.parse(await response.json()).error.code];
}

const ask = (node: HttpNode, headers: Record<string, string> = {}, query = ''): Promise<Response> =>
  node.send('POST', `/v1/infer?modelId=${node.modelId}&tier=zk${query}`, node.input(1), headers);

interface Event {
  readonly id: string;
  readonly event: string;
  readonly job: JobView;
}

/** Reads a stream of events to its end. */
async function eventsOf(response: Response): Promise<{ events: Event[]; comments: number }> {
  expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/event-stream']);
  const blocks = (await response.text()).split('\n\n').filter((block) => block !== '');
  const fields = blocks
    .filter((block) => block.startsWith('id:'))
    .map((block) => Object.fromEntries(block.split('\n').map((line) => line.split(/: (.*)/s).slice(0, 2))));
  const events = fields.map((field) => ({ id: field.id, event: field.event, job: jobSchema.parse(JSON.parse(field.data)) }));
  return { events, comments: blocks.filter((block) => block.startsWith(':')).length };
}

/** A worker that waits to be told. */
function puppet() {
  const calls: { progress(done: number): void; finish(): void; fail(): void; aborted: boolean }[] = [];
  const prove: Prove = (model, input, _context, signal, onProgress) =>
    new Promise((resolve, reject) => {
      const call = {
        progress: (done: number) => onProgress?.(done),
        finish: () => {
          const output = joinTensors(outputsOf(model.program, execute(model.program, splitTensors(inputForms(model.program), input))));
          resolve({ key: new Uint8Array(32), proof: new Uint8Array(256).fill(1), output });
        },
        fail: () => reject(new Error('no')),
        aborted: false,
      };
      calls.push(call);
      signal.addEventListener('abort', () => {
        call.aborted = true;
        reject(new Error('aborted'));
      });
    });
  return { prove, calls };
}

describe('a proof that is asked for over HTTP', () => {
  let node: HttpNode;
  let done: JobView;
  const proving = createProving(1);

  beforeAll(async () => {
    node = await startHttpNode({ inputForm: 1, prove: proving.prove });
    await setupDevelopment(node.modelDirectory);
    const accepted = await ask(node);
    const location = accepted.headers.get('location') ?? '';
    const queued = await job(accepted, 202);
    expect(location).toBe(`/v1/jobs/${queued.id}`);
    const { events } = await eventsOf(await node.send('GET', `${location}/events`));
    expect(events.at(-1)?.event).toBe('end');
    done = await job(await node.send('GET', location));
    expect(events.at(-1)?.job).toEqual(done);
  });
  afterAll(async () => {
    proving.close();
    await node?.close();
  });

  it('is one that `assay verify` accepts, with the context of no request', () => {
    const { proof, publicSignals, output } = done.result!;
    const inputs = splitTensors(inputForms(node.program), node.input(1));
    expect(output).toBe(`0x${Buffer.from(joinTensors(outputsOf(node.program, execute(node.program, inputs)))).toString('hex')}`);
    const file = path.join(node.directory, 'proof.json');
    writeFileSync(file, JSON.stringify(proof));
    writeFileSync(path.join(node.directory, 'proof.public.json'), JSON.stringify(publicSignals));
    const context = offChainContext(CHAIN_ID, REQUESTS, OWNER, node.modelId);
    const verify = (value: bigint) =>
      spawnSync(process.execPath, ['cli/assay.mjs', 'verify', file, '--model', node.modelDirectory, '--context', String(value), '--json'], {
        cwd: root,
        encoding: 'utf8',
      });
    const verdict = verify(context);
    expect([verdict.status, JSON.parse(verdict.stdout)]).toEqual([0, expect.objectContaining({ valid: true, context: String(context) })]);
    expect(verify(context + 1n).status).toBe(1);
  });

  it('binds chain, contract, prover and model, and has the hash that the contract would build', () => {
    const word = (value: string | bigint): string => BigInt(value).toString(16).padStart(64, '0');
    const encoded = [BigInt(CHAIN_ID), REQUESTS, 0n, OWNER, node.modelId].map((value) => word(value as string)).join('');
    const expected = BigInt(toHash(keccak256(fromHex(`0x${encoded}`)))) >> 8n;
    expect(offChainContext(CHAIN_ID, REQUESTS, OWNER, node.modelId)).toBe(expected);
    expect(done.context).toBe(String(expected));
    const others = [
      offChainContext(1, REQUESTS, OWNER, node.modelId),
      offChainContext(CHAIN_ID, OWNER, OWNER, node.modelId),
      offChainContext(CHAIN_ID, REQUESTS, REQUESTS, node.modelId),
      offChainContext(CHAIN_ID, REQUESTS, OWNER, `0x${'00'.repeat(32)}`),
    ];
    expect(new Set([expected, ...others]).size).toBe(5);
  });

  it('keeps its proof through both encodings', () => {
    expect(decodeProof(encodeProof(done.result!.proof))).toEqual(done.result!.proof);
    expect(() => decodeProof(new Uint8Array(255))).toThrow();
    expect(() => decodeProof(new Uint8Array(256).fill(0xff))).toThrow();
  });
});

describe('events', () => {
  it('tell what changes, give signs of life, and go on where they were left', async () => {
    const { prove, calls } = puppet();
    const node = await start({ inputForm: 1, prove });
    const { id } = await job(await ask(node), 202);
    await expect.poll(() => calls.length).toBe(1);
    const stream = node.send('GET', `/v1/jobs/${id}/events`);
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    calls[0]!.progress(0.5);
    await expect.poll(async () => (await job(await node.send('GET', `/v1/jobs/${id}`))).progress).toBe(0.5);
    await new Promise((resolve) => setTimeout(resolve, 200));
    calls[0]!.finish();
    const { events, comments } = await eventsOf(await stream);
    expect(events.map(({ event, job: { state, progress } }) => [event, state, progress])).toEqual([
      ['progress', 'running', 0],
      ['progress', 'running', 0.5],
      ['end', 'done', 1],
    ]);
    expect(comments).toBeGreaterThan(0);
    const resumed = await eventsOf(await node.send('GET', `/v1/jobs/${id}/events`, undefined, { 'last-event-id': events[1]!.id }));
    expect(resumed.events).toEqual([events[2]]);
    const over = await node.send('GET', `/v1/jobs/${id}/events`, undefined, { 'last-event-id': events[2]!.id });
    expect(over.status).toBe(204);
  });

  it('are bounded in number, and free again when a client has gone', async () => {
    const node = await start({ inputForm: 1, server: { eventStreams: 2 } });
    const { id } = await job(await ask(node), 202);
    const leave = new AbortController();
    const open = (signal?: AbortSignal): Promise<Response> =>
      fetch(`${node.url}/v1/jobs/${id}/events`, signal === undefined ? {} : { signal });
    const streams = await Promise.all([open(leave.signal), open(leave.signal)]);
    expect(streams.map(({ status }) => status)).toEqual([200, 200]);
    expect(await refusal(await open())).toEqual([503, 'NODE_BUSY']);
    leave.abort();
    await expect
      .poll(async () => {
        const response = await open();
        await response.body?.cancel();
        return response.status;
      })
      .toBe(200);
  });

  it('end when the node stops', async () => {
    const node = await start({ inputForm: 1 });
    const { id } = await job(await ask(node), 202);
    const response = await node.send('GET', `/v1/jobs/${id}/events`);
    const text = response.text();
    await node.close();
    expect(await text).toContain('event: progress');
  });
});

describe('a job', () => {
  it('is given up on demand, wherever it runs, and stays so', async () => {
    const { prove, calls } = puppet();
    const node = await start({ inputForm: 1, prove });
    const { id } = await job(await ask(node), 202);
    await expect.poll(() => calls.length).toBe(1);
    expect((await job(await node.send('DELETE', `/v1/jobs/${id}`))).state).toBe('cancelled');
    await expect.poll(() => calls[0]!.aborted, { timeout: 10_000 }).toBe(true);
    expect(await job(await node.send('DELETE', `/v1/jobs/${id}`))).toMatchObject({ state: 'cancelled', error: { code: 'CANCELLED' } });
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(calls).toHaveLength(1);
  });

  it('that is done cannot be given up', async () => {
    const { prove, calls } = puppet();
    const node = await start({ inputForm: 1, prove });
    const { id } = await job(await ask(node), 202);
    await expect.poll(() => calls.length).toBe(1);
    calls[0]!.finish();
    await expect.poll(async () => (await job(await node.send('GET', `/v1/jobs/${id}`))).state).toBe('done');
    expect((await job(await node.send('DELETE', `/v1/jobs/${id}`))).state).toBe('done');
  });

  it('ends at its deadline', async () => {
    const { prove, calls } = puppet();
    const node = await start({ inputForm: 1, prove });
    const { id } = await job(await ask(node, {}, '&seconds=1'), 202);
    await expect
      .poll(async () => (await job(await node.send('GET', `/v1/jobs/${id}`))).error?.code, { timeout: 15_000 })
      .toBe('DEADLINE_PASSED');
    expect(calls[0]?.aborted).toBe(true);
  });

  it('is one for one idempotency key, also after a restart, and is found again there', async () => {
    let node = await start({ inputForm: 1 });
    const ids = await Promise.all(Array.from({ length: 5 }, async () => (await job(await ask(node, { 'idempotency-key': 'k' }), 202)).id));
    expect(new Set(ids).size).toBe(1);
    expect((await node.queue.counts('prove')).waiting).toBe(1);
    node = await node.restart();
    nodes.push(node);
    expect((await job(await ask(node, { 'idempotency-key': 'k' }), 202)).id).toBe(ids[0]);
    expect(await refusal(await ask(node, { 'idempotency-key': 'k' }, '&seconds=5'))).toEqual([422, 'IDEMPOTENCY_CONFLICT']);
    expect((await node.queue.counts('prove')).waiting).toBe(1);
  });

  it('comes back into a queue that lost it', async () => {
    const node = await start({ inputForm: 1 });
    const { id } = await job(await ask(node), 202);
    // As after an emptied Redis: the documents are there, the jobs are not.
    const folder = path.join(node.directory, 'emptied');
    const state = openStateDirectory(folder, 'node');
    const queue = embeddedQueue(state);
    const { store } = node;
    await reconcileJobs(store, queue);
    await reconcileJobs(store, queue);
    expect((await queue.counts('prove')).waiting).toBe(1);
    await node.send('DELETE', `/v1/jobs/${id}`);
    await reconcileJobs(store, queue);
    expect(await store.list('jobs-open')).toEqual([]);
    await queue.close();
    await state.close();
  });

  it('is its owner’s alone', async () => {
    const keys = keysOf(apiKey('one', { id: 'one' }), apiKey('two', { id: 'two' }));
    const node = await start({ inputForm: 1, server: { keys } });
    const { id } = await job(await ask(node, { authorization: 'Bearer one' }), 202);
    for (const [method, route] of [
      ['GET', ''],
      ['GET', '/events'],
      ['DELETE', ''],
    ] as const) {
      for (const headers of [{ authorization: 'Bearer two' }, { authorization: 'Bearer none' }, {}])
        expect(await refusal(await node.send(method, `/v1/jobs/${id}${route}`, undefined, headers))).toEqual([404, 'HTTP_NOT_FOUND']);
    }
    expect((await job(await node.send('GET', `/v1/jobs/${id}`, undefined, { authorization: 'Bearer one' }))).state).toBe('queued');
  });

  it('is refused when too many wait', async () => {
    const node = await start({ inputForm: 1, service: { mostWaitingProofs: 2 } });
    await job(await ask(node), 202);
    await job(await ask(node), 202);
    expect(await refusal(await ask(node))).toEqual([503, 'NODE_BUSY']);
  });
});
