import { existsSync, readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { keccak256, toHash } from '../core/keccak.ts';
import { joinTensors } from '../core/tensor-list.ts';
import { answerInput } from '../prover/models/run.ts';
import { COLLECTION } from '../prover/records/documents.ts';
import { receiptName } from '../prover/service/receipts.ts';
import { openModel } from '../runtime/session.ts';
import { LADDER, random, randomInputs } from '../test/circuits/build.ts';
import { type HttpNode, startHttpNode } from '../test/support/http-node.ts';
import { type Delays, watchDelays } from './delays.ts';

/** What the benchmark asks of the serving process. */
export type ChildRequest =
  | { readonly ask: 'usage' }
  /** Store receipts like those already there, up to this many. */
  | { readonly ask: 'fill'; readonly upTo: number }
  /** Watch what holds up this process, until asked what it was. */
  | { readonly ask: 'watch' }
  | { readonly ask: 'watched' }
  /** Time of answers with and without receipts, in this process. */
  | { readonly ask: 'overhead'; readonly count: number };

export interface Usage {
  /** Processor milliseconds, user and system, since the process began. */
  readonly cpu: number;
  readonly rssMiB: number;
  /** Of that, what is no mapped file: the embedded store's pages are the kernel's to keep or drop. */
  readonly anonymousMiB: number;
}

/** What held up answers. */
export interface Watched extends Delays {
  /** Milliseconds until a write of its own, each 10 ms, was on the disk. */
  readonly storeP50: number;
  readonly storeP99: number;
  readonly storeMost: number;
}

export interface Overhead {
  /** Processor milliseconds an answer, of runs alone and of runs with a stored receipt, 32 at a time. */
  readonly runCpu: number;
  readonly receiptCpu: number;
  /** Milliseconds that roots and signature of one receipt take. */
  readonly signing: number;
}

const CONCURRENCY = 32;
const cpu = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

/** 0 where the system does not tell. */
function anonymous(): number {
  if (!existsSync('/proc/self/status')) return 0;
  return Number(/^RssAnon:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? 0) / 1024;
}

async function each(count: number, work: (i: number) => Promise<unknown>): Promise<number> {
  const before = cpu();
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let i = next++; i < count; i = next++) await work(i);
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, lane));
  return (cpu() - before) / count;
}

async function overhead(node: HttpNode, count: number): Promise<Overhead> {
  const { modelId, service } = node;
  const session = await openModel(node.program);
  const inputs = Array.from({ length: 64 }, (_, i) => joinTensors(randomInputs(node.program, random(i))));
  const caller = { id: 'address:bench', customer: undefined };
  const input = (i: number): Uint8Array => inputs[i % inputs.length]!;
  const run = (i: number) => answerInput({ program: node.program, session }, input(i), undefined);
  const infer = (i: number) => service.infer({ modelId, input: input(i), caller, asNumbers: false });
  await each(count / 4, run);
  await each(count / 4, infer);
  const runCpu = await each(count, run);
  const before = await signingSum(node);
  const receiptCpu = await each(count, infer);
  const after = await signingSum(node);
  await session.close();
  return { runCpu, receiptCpu, signing: ((after.sum - before.sum) / (after.count - before.count)) * 1000 };
}

async function signingSum({ service }: HttpNode): Promise<{ sum: number; count: number }> {
  const text = await service.metrics.text();
  const value = (name: string): number => Number(new RegExp(`^assay_receipt_seconds_${name} (.*)$`, 'm').exec(text)?.[1]);
  return { sum: value('sum'), count: value('count') };
}

const PROBE_EVERY = 10;
let watch: { readonly timer: NodeJS.Timeout; readonly delays: () => Delays; readonly writes: number[] } | undefined;

function startWatch({ store }: HttpNode): void {
  const writes: number[] = [];
  const probe = (): void => {
    const from = performance.now();
    void store.put('bench-probe', 'probe', { from }).then(() => writes.push(performance.now() - from));
  };
  watch = { timer: setInterval(probe, PROBE_EVERY), delays: watchDelays(), writes };
}

function endWatch(): Watched {
  if (watch === undefined) throw new Error('nothing is watched');
  clearInterval(watch.timer);
  const writes = watch.writes.sort((a, b) => a - b);
  const of = (share: number): number => writes[Math.min(writes.length - 1, Math.floor(writes.length * share))] ?? 0;
  return { ...watch.delays(), storeP50: of(0.5), storeP99: of(0.99), storeMost: of(1) };
}

let stored = 0;
/** Time of the first receipt that is filled in: ten a millisecond. */
const started = Date.now() - 1_000_000;

async function fill(node: HttpNode, upTo: number): Promise<void> {
  const { id } = await node.service.infer({
    modelId: node.modelId,
    input: node.input(1),
    caller: { id: 'address:bench', customer: undefined },
    asNumbers: false,
  });
  const document = await node.store.get<object>(COLLECTION.receipts, id);
  const BATCH = 20_000;
  while (stored < upTo) {
    const batch = Array.from({ length: Math.min(BATCH, upTo - stored) }, (_, i) =>
      receiptName(toHash(keccak256(new TextEncoder().encode(`${stored + i}`))), started + Math.floor((stored + i) / 10)),
    );
    await Promise.all(batch.map((name) => node.store.put(COLLECTION.receipts, name, document)));
    stored += batch.length;
  }
}

const program = LADDER[process.argv[2] ?? '']?.();
if (program === undefined || process.send === undefined) throw new Error('started by bench/serve.ts, with the name of a model');
const node = await startHttpNode({ program });
const usage = (): Usage => ({ cpu: cpu(), rssMiB: process.memoryUsage.rss() / 2 ** 20, anonymousMiB: anonymous() });

async function answer(request: ChildRequest): Promise<Usage | Overhead | Watched> {
  if (request.ask === 'fill') await fill(node, request.upTo);
  if (request.ask === 'watch') startWatch(node);
  if (request.ask === 'watched') return endWatch();
  return request.ask === 'overhead' ? overhead(node, request.count) : usage();
}

process.on('message', async (request: ChildRequest) => process.send?.(await answer(request)));
process.on('disconnect', () => void node.close().then(() => process.exit(0)));
process.send({ url: node.url, modelId: node.modelId, started: performance.timeOrigin });
