import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { answerSchema } from '../../prover/http/schemas.ts';
import { Idempotency } from '../../prover/service/idempotency.ts';
import { random } from '../circuits/build.ts';
import { startHttpNode } from '../support/http-node.ts';

const root = path.join(import.meta.dirname, '../..');
const folder = mkdtempSync(path.join(tmpdir(), 'assay-kill-'));
const children = new Set<ChildProcess>();
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

/** The HTTP side of a node in a process of its own, on one directory. */
async function serve(): Promise<{ child: ChildProcess; url: string; modelId: string }> {
  const module = JSON.stringify(pathToFileURL(path.join(root, 'test/support/http-node.ts')).href);
  const script = `
    const { startHttpNode } = await import(${module});
    const node = await startHttpNode({ directory: process.argv[1] });
    console.log(JSON.stringify({ url: node.url, modelId: node.modelId }));`;
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', script, folder], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.add(child);
  const line = await new Promise<string>((resolve, reject) => {
    child.stdout!.once('data', (chunk: Buffer) => resolve(chunk.toString('utf8')));
    child.once('exit', () => reject(new Error('the process ended early')));
  });
  return { child, ...(JSON.parse(line) as { url: string; modelId: string }) };
}

describe('a node that is killed again and again', () => {
  it('loses no answer that was given, and gives no key two', async () => {
    const KEYS = 300;
    const next = random(5);
    const answers = new Map<number, string>();
    let node = await serve();
    let restarting: Promise<void> | undefined;
    let kills = 0;
    let refused = 0;
    const killAndRestart = async (): Promise<void> => {
      kills++;
      const ended = new Promise((resolve) => node.child.once('exit', resolve));
      node.child.kill('SIGKILL');
      await ended;
      node = await serve();
    };
    const ask = async (key: number): Promise<string | undefined> => {
      const input = Buffer.alloc(24, key % 7);
      const headers = { 'content-type': 'application/octet-stream', 'idempotency-key': `key-${key}` };
      try {
        const response = await fetch(`${node.url}/v1/infer?modelId=${node.modelId}`, { method: 'POST', headers, body: input });
        expect(response.status).toBe(200);
        return JSON.stringify(answerSchema.parse(await response.json()));
      } catch (error) {
        if (!(error instanceof TypeError)) throw error;
        refused++;
        return undefined;
      }
    };
    const lane = async (lane: number): Promise<void> => {
      for (let i = lane; i < KEYS; i += 8) {
        // Every question is asked until it was answered twice.
        for (let given = 0; given < 2; ) {
          await restarting;
          const text = await ask(i);
          if (text === undefined) continue;
          given++;
          const known = answers.get(i);
          if (known === undefined) answers.set(i, text);
          else expect(text).toBe(known);
          if (kills < 3 && next() < 0.012) restarting ??= killAndRestart().finally(() => (restarting = undefined));
        }
      }
    };
    await Promise.all(Array.from({ length: 8 }, (_, i) => lane(i)));
    await restarting;
    expect(kills).toBe(3);
    expect(answers.size).toBe(KEYS);
    expect(refused).toBeGreaterThan(0);
    for (const text of answers.values()) {
      const answer = answerSchema.parse(JSON.parse(text));
      expect(await (await fetch(`${node.url}/v1/receipts/${answer.id}`)).json()).toEqual(answer);
    }
    node.child.kill('SIGKILL');
  });
});

describe('two processes on one store', () => {
  it('give one answer to one key, asked at once', async () => {
    const node = await startHttpNode();
    const [left, right] = [new Idempotency(node.store), new Idempotency(node.store)];
    let made = 0;
    const text = (key: string) => ({ caller: 'key:a', key, terms: ['t'], input: Uint8Array.of(1) });
    for (let i = 0; i < 50; i++) {
      const make = async (): Promise<string> => {
        await new Promise((resolve) => setTimeout(resolve, i % 3));
        return `answer-${made++}`;
      };
      const [one, other] = await Promise.all([left.answer(text(`k${i}`), make), right.answer(text(`k${i}`), make)]);
      expect(one).toBe(other);
      expect(await left.answer(text(`k${i}`), make)).toBe(one);
    }
    await expect(left.answer({ ...text('k0'), terms: ['u'] }, async () => 'x')).rejects.toMatchObject({ code: 'IDEMPOTENCY_CONFLICT' });
    // A failure is no answer: the next attempt makes one.
    await expect(left.answer(text('new'), () => Promise.reject(new Error('down')))).rejects.toThrow('down');
    expect(await left.answer(text('new'), async () => 'made')).toBe('made');
    await node.close();
  });
});

describe('memory', () => {
  it('is not filled by many large bodies at once, and is free again when clients leave in the middle of one', async () => {
    const node = await startHttpNode({ server: { bodyBudget: 100_000, requestTimeout: 60_000 } });
    const { hostname, port } = new URL(node.url);
    const half = `POST /v1/infer?modelId=${node.modelId} HTTP/1.1\r\nhost: a\r\ncontent-type: application/octet-stream\r\ncontent-length: 60000\r\n\r\nhalf`;
    const sockets = [connect(Number(port), hostname), connect(Number(port), hostname)];
    const answers = sockets.map((socket) => new Promise<string>((resolve) => socket.once('data', (data) => resolve(data.toString()))));
    sockets[0]!.write(half);
    await expect.poll(async () => (await (await node.send('GET', '/metrics')).text()).match(/^assay_http_active (\d+)/m)?.[1]).toBe('2');
    sockets[1]!.write(half);
    expect(await answers[1]).toMatch(/^HTTP\/1\.1 503[\s\S]*NODE_BUSY/);
    const small = (): Promise<Response> => node.send('POST', `/v1/infer?modelId=${node.modelId}`, node.input(1));
    expect((await small()).status).toBe(200);
    for (const socket of sockets) socket.destroy();
    await expect.poll(async () => (await (await node.send('GET', '/metrics')).text()).match(/^assay_http_active (\d+)/m)?.[1]).toBe('1');
    const third = connect(Number(port), hostname);
    third.write(half.replace('half', 'x'.repeat(60_000)));
    const answer = await new Promise<string>((resolve) => third.once('data', (data) => resolve(data.toString())));
    expect(answer).toContain('TENSOR_SIZE');
    third.destroy();
    await node.close();
  });
});
