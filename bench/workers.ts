import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import { cleanUp } from '../cli/cleanup.ts';
import { type Child, startChild } from '../cli/supervise.ts';
import { encodeProgram } from '../core/program/codec.ts';
import { type ModelRecord, modelId as modelIdOf, modelRecord } from '../core/program/identity.ts';
import type { Program } from '../core/program/types.ts';
import { joinTensors } from '../core/tensor-list.ts';
import { claimStore, recordDocument } from '../prover/assembly/identity.ts';
import { queuePrefix } from '../prover/assembly/storage.ts';
import { openRedisQueue } from '../prover/queue/bullmq.ts';
import type { Queue } from '../prover/queue/port.ts';
import { COLLECTION, orderedId } from '../prover/records/documents.ts';
import { InputStore } from '../prover/records/inputs.ts';
import type { Store } from '../prover/store/port.ts';
import { openPostgres } from '../prover/store/postgres.ts';
import { enqueue } from '../prover/work/jobs.ts';
import { createLog } from '../runtime/log.ts';
import { convolution, dense, input, program, quantizedLayer, random, randomInputs } from '../test/circuits/build.ts';
import { startPostgres } from '../test/support/postgres.ts';
import { startRedis } from '../test/support/redis.ts';
import { readProcessors, type Shares, sharesBetween } from './processors.ts';

interface Options {
  readonly rounds: string;
  readonly jobs: string;
  readonly layers: string;
  readonly pin: boolean;
  readonly json: boolean;
}

/** One stretch of work. */
interface Stretch {
  readonly perSecond: number;
  /** Processor milliseconds of all workers a job: what others on the machine do not change. */
  readonly cpu: number;
  /** Of all processors: who used them meanwhile. */
  readonly shares: Shares;
}

interface Servers {
  readonly redis: { readonly url: string; readonly pid: number };
  readonly postgres: { readonly url: string; readonly pid: number };
}

const IDENTITY = { chainId: 31_337, requests: `0x${'1'.repeat(40)}`, owner: `0x${'2'.repeat(40)}` } as const;
const FORMS = 0;
/** Milliseconds between two looks at how many are done. */
const LOOK_EVERY = 50;

/**
 * An image of 224×224×3, brought to 56×56×128, and layers of 460 million multiply-adds each, with few weights: bound by the processor,
 * not by memory.
 */
function convolutions(layers: number): Program {
  const next = random(1);
  const image = { height: 224, width: 224, channels: 3, kernel: 4, pad: 0, stride: 4 };
  const shape = { height: 56, width: 56, channels: 128, kernel: 3, pad: 1 };
  const stem = convolution('u8', 0, image, quantizedLayer(shape.channels, image.channels * 16, next), [0, 255]);
  const parts = Array.from({ length: layers }, (_, i) =>
    convolution('u8', 1 + i, shape, quantizedLayer(shape.channels, shape.channels * 9, next), [0, 255]),
  );
  const small = convolution('u8', 1 + layers, { ...shape, stride: 4 }, quantizedLayer(8, shape.channels * 9, next), [0, 255]);
  const last = dense('i32', 2 + layers, quantizedLayer(10, small.length, next, false), [-(2 ** 31), 2 ** 31 - 1]);
  return program('workers', [input('u8', image.height * image.width * image.channels), stem, ...parts, small, last]);
}

class Bench {
  private next = 0;
  private readonly folder: string;
  private readonly config: string;
  private readonly store: Store;
  private readonly queue: Queue;
  private readonly modelId: string;
  private readonly input: string;

  private readonly servers: Servers;

  private constructor(
    parts: { folder: string; config: string; store: Store; queue: Queue; modelId: string; input: string },
    servers: Servers,
  ) {
    this.servers = servers;
    this.folder = parts.folder;
    this.config = parts.config;
    this.store = parts.store;
    this.queue = parts.queue;
    this.modelId = parts.modelId;
    this.input = parts.input;
  }

  /** A model that keeps a core busy, in a store and queue as the chain role leaves them. */
  static async open(servers: Servers, layers: number): Promise<Bench> {
    const [redis, database] = [servers.redis.url, servers.postgres.url];
    const folder = mkdtempSync(path.join(tmpdir(), 'assay-workers-'));
    const made = convolutions(layers);
    const record: ModelRecord = modelRecord(made, { creator: IDENTITY.owner, royalty: 0 });
    const modelId = modelIdOf(record);
    writeFileSync(path.join(folder, 'program.assay'), encodeProgram(made));
    const log = createLog({ name: 'bench', level: 'silent' });
    const { store, artifacts } = await openPostgres({ url: database, log });
    await claimStore(store, IDENTITY);
    await store.put('node-models', modelId, recordDocument(record));
    const inputs = new InputStore(artifacts, store);
    const bytes = joinTensors(randomInputs(made, random(2)));
    const { inputRoot } = await inputs.accept({ program: made, inputForm: FORMS }, bytes);
    const queue = await openRedisQueue({ url: redis, prefix: queuePrefix(IDENTITY), log });
    const config = path.join(folder, 'worker.json');
    const models = [{ modelId, directory: folder }];
    writeFileSync(config, JSON.stringify({ role: 'worker', redis, database, models, port: 0, sessionThreads: 1, runConcurrency: 4 }));
    return new Bench({ folder, config, store, queue, modelId, input: inputRoot }, servers);
  }

  /**
   * Lets some workers do some jobs, and measures them in between: nothing is asked any more, and there is more to do than is waited for. What the
   * chain role does for a request happens before.
   */
  async stretch(count: number, jobs: number, isPinned: boolean): Promise<Stretch> {
    const workers = await Promise.all(Array.from({ length: count }, () => this.worker()));
    if (isPinned) workers.forEach(pin);
    const begun = await this.done();
    await this.ask(2 * jobs + 8 * count);
    await this.until(begun + 4 * count);
    const read = () =>
      readProcessors({
        workers: workers.map(({ pid }) => pid),
        redis: [this.servers.redis.pid],
        postgres: [this.servers.postgres.pid],
        bench: [process.pid],
      });
    const [first, before, started] = [await this.done(), read(), performance.now()];
    const answers = (await this.until(first + jobs)) - first;
    const seconds = (performance.now() - started) / 1_000;
    const after = read();
    // What is left warms the next ones up.
    await Promise.all(workers.map((each) => each.stop()));
    const cpu = after.groups.workers! - before.groups.workers!;
    return { perSecond: answers / seconds, cpu: (1_000 * cpu) / answers, shares: sharesBetween(before, after) };
  }

  async close(): Promise<void> {
    await this.queue.close();
    await this.store.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  private worker(): Promise<Child> {
    const options = { name: `worker-${this.next++}`, log: path.join(this.folder, 'log'), startTimeout: 180_000 };
    return startChild({ ...options, arguments: ['node', '--config', this.config] });
  }

  /** Asks for answers as the chain role does. */
  private async ask(jobs: number): Promise<void> {
    const ids = Array.from({ length: jobs }, (_, i) => String(this.next + i));
    this.next += jobs;
    const request = { modelId: this.modelId, tier: 1, input: this.input, fee: '0', coverage: '0', callbackGas: 0, deadline: 2 ** 40 };
    const put = (requestId: string) =>
      this.store.put(COLLECTION.requests, orderedId(requestId), { ...request, requestId, state: 'queued' });
    await Promise.all(ids.map(put));
    await Promise.all(ids.map((requestId) => enqueue(this.queue, 'run', { requestId })));
  }

  /** Answers that wait to be claimed: nobody claims them here. */
  private async done(): Promise<number> {
    return (await this.queue.counts('claim')).waiting;
  }

  private async until(wanted: number): Promise<number> {
    for (;;) {
      const done = await this.done();
      if (done >= wanted) return done;
      await sleep(LOOK_EVERY);
    }
  }
}

/** A process with a thread for its model has others for the rest: on one processor they share it. */
function pin({ pid }: Child, processor: number): void {
  execFileSync('taskset', ['-a', '-c', '-p', String(processor), String(pid)], { stdio: 'ignore' });
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

/** What the processors did, in the round of the median. */
function typical(of: readonly Stretch[]): Stretch {
  const middle = median(of.map(({ perSecond }) => perSecond));
  return of.find(({ perSecond }) => perSecond === middle)!;
}

function line(name: string, { perSecond, cpu, shares }: Stretch): string {
  const percent = (share: number): string => `${Math.round(share * 100)} %`;
  const groups = Object.entries({ ...shares.groups, others: shares.others, idle: shares.idle });
  const used = groups.map(([group, share]) => `${group} ${percent(share)}`).join(', ');
  return `${name}: ${perSecond.toFixed(1)} answers/s, ${cpu.toFixed(1)} ms of processor each; processors: ${used}`;
}

async function main({ rounds, jobs, layers, pin: isPinned, json }: Options): Promise<void> {
  const [redis, postgres] = await Promise.all([startRedis(), startPostgres()]);
  const bench = await Bench.open({ redis, postgres }, Number(layers));
  try {
    const one: Stretch[] = [];
    const two: Stretch[] = [];
    for (let round = 0; round < Number(rounds); round++) {
      one.push(await bench.stretch(1, Number(jobs), isPinned));
      two.push(await bench.stretch(2, 2 * Number(jobs), isPinned));
    }
    const ratio = median(one.map(({ perSecond }, i) => two[i]!.perSecond / perSecond));
    const figures = { one: typical(one), two: typical(two), ratio, rounds: one.map((each, i) => ({ one: each, two: two[i] })) };
    if (json) console.log(JSON.stringify(figures));
    else {
      console.log(line('one worker', figures.one));
      console.log(line('two workers', figures.two));
      console.log(`ratio, median of ${rounds} rounds: ${ratio.toFixed(2)}`);
    }
  } finally {
    await bench.close();
    await cleanUp();
    await Promise.all([redis.stop('SIGKILL'), postgres.remove()]);
  }
}

await new Command('workers')
  .description('What a second worker process adds on a model that keeps a core busy. Needs redis-server and postgresql, and two free cores')
  .option('--rounds <n>', 'times that one worker and then two are measured', '3')
  .option('--jobs <n>', 'jobs of one worker in a round', '40')
  .option('--layers <n>', 'size of the model: 26 have 12 thousand million multiply-adds, about those of ResNet-152', '26')
  .option('--pin', 'each worker on one processor, with all of its threads', false)
  .option('--json', 'one JSON object', false)
  .action(main)
  .parseAsync();
process.exit();
