import { type ChildProcess, execFileSync, fork } from 'node:child_process';
import os from 'node:os';
import path from 'node:path';
import { Command } from 'commander';
import { joinTensors } from '../core/tensor-list.ts';
import { LADDER, random, randomInputs } from '../test/circuits/build.ts';
import { type Delays, watchDelays } from './delays.ts';
import type { ChildRequest, Overhead, Usage, Watched } from './serve-child.ts';
import { Load, requestBytes } from './serve-load.ts';

interface Options {
  readonly model: string;
  readonly rounds: string;
  readonly seconds: string;
  readonly connections: string;
  readonly stored: string;
  readonly requests: string;
  readonly json: boolean;
}

/** Connections at half load, as a multiple of those at full load. */
const PACED_CONNECTIONS = 4;

/** Figures of one stretch at full load. */
interface Rate {
  readonly perSecond: number;
  /** Processor milliseconds of the serving process an answer: what does not change when others use the machine. */
  readonly serverCpu: number;
  readonly generatorCpu: number;
}

class Server {
  private readonly child: ChildProcess;
  readonly url: string;
  readonly modelId: string;

  private constructor(child: ChildProcess, { url, modelId }: { url: string; modelId: string }) {
    this.child = child;
    this.url = url;
    this.modelId = modelId;
  }

  static async start(model: string): Promise<Server> {
    const child = fork(path.join(import.meta.dirname, 'serve-child.ts'), [model], { execArgv: ['--import', 'tsx'] });
    return new Server(child, await answerOf(child));
  }

  ask<Answer>(request: ChildRequest): Promise<Answer> {
    const answer = answerOf<Answer>(this.child);
    this.child.send(request);
    return answer;
  }

  stop(): Promise<void> {
    const ended = new Promise<void>((resolve) => this.child.once('exit', () => resolve()));
    this.child.disconnect();
    return ended;
  }
}

function answerOf<Answer>(child: ChildProcess): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const ended = (code: number | null): void => reject(new Error(`the serving process ended with ${code}`));
    child.once('exit', ended);
    child.once('message', (message) => {
      child.off('exit', ended);
      resolve(message as Answer);
    });
  });
}

const ownCpu = (): number => process.cpuUsage().user / 1000 + process.cpuUsage().system / 1000;

async function fullLoad(server: Server, load: Load, requests: readonly Buffer[], milliseconds: number): Promise<Rate> {
  const before = await server.ask<Usage>({ ask: 'usage' });
  const own = ownCpu();
  const { answers, seconds, refused } = await load.closed(requests, milliseconds);
  if (refused > 0) throw new Error(`${refused} of ${answers} requests were refused`);
  const generatorCpu = (ownCpu() - own) / answers;
  const after = await server.ask<Usage>({ ask: 'usage' });
  return { perSecond: answers / seconds, serverCpu: (after.cpu - before.cpu) / answers, generatorCpu };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)]!;
}

async function rounds(count: number, measure: () => Promise<Rate>): Promise<Rate> {
  const all: Rate[] = [];
  for (let i = 0; i < count; i++) all.push(await measure());
  return medianOf(all);
}

/** Of each figure on its own. */
function medianOf<Figures extends object>(all: readonly Figures[]): Figures {
  const names = Object.keys(all[0]!) as (keyof Figures)[];
  return Object.fromEntries(names.map((name) => [name, median(all.map((one) => Number(one[name])))])) as Figures;
}

/** One stretch at half load: milliseconds until answered, and what held up the serving process and the generator. */
interface HalfLoad extends Watched {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly most: number;
  readonly generatorP99: Delays['loopP99'];
  readonly generatorMost: Delays['loopMost'];
}

async function halfLoad(
  server: Server,
  load: Load,
  questions: readonly Buffer[],
  perSecond: number,
  milliseconds: number,
): Promise<HalfLoad> {
  await server.ask<Usage>({ ask: 'watch' });
  const own = watchDelays();
  const { latencies, answers, seconds } = await load.paced(questions, perSecond, milliseconds);
  const { loopP99: generatorP99, loopMost: generatorMost } = own();
  const watched = await server.ask<Watched>({ ask: 'watched' });
  const of = (share: number): number => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? 0;
  return { perSecond: answers / seconds, p50: of(0.5), p99: of(0.99), most: of(1), ...watched, generatorP99, generatorMost };
}

async function bench(options: Options, tell: (event: string, figures: object) => void): Promise<void> {
  const make = LADDER[options.model];
  if (make === undefined) throw new Error(`there is no model ${options.model}; there are ${Object.keys(LADDER).join(', ')}`);
  const program = make();
  const [count, milliseconds] = [Number(options.rounds), Number(options.seconds) * 1000];
  const server = await Server.start(options.model);
  const load = await Load.open(server.url, Number(options.connections));
  // Who asks at half load does not wait for others' answers: a request is sent when it is due.
  const many = await Load.open(server.url, PACED_CONNECTIONS * Number(options.connections));
  try {
    const questions = Array.from({ length: 256 }, (_, i) =>
      requestBytes('POST', `/v1/infer?modelId=${server.modelId}`, joinTensors(randomInputs(program, random(i)))),
    );
    const alive = [requestBytes('GET', '/healthz')];
    tell('machine', machine(options));
    await fullLoad(server, load, questions, milliseconds);
    const bare = await rounds(count, () => fullLoad(server, load, alive, milliseconds));
    tell('healthz', bare);
    const receipts = await rounds(count, () => fullLoad(server, load, questions, milliseconds));
    tell('receipts', { ...receipts, ofHealthz: receipts.perSecond / bare.perSecond });
    const half: HalfLoad[] = [];
    for (let i = 0; i < count; i++)
      half.push(await halfLoad(server, load, questions, receipts.perSecond / 2, Math.max(5_000, milliseconds)));
    tell('half load', medianOf(half));
    const { runCpu, receiptCpu, signing } = await server.ask<Overhead>({ ask: 'overhead', count: 4_000 });
    tell('receipt', { runCpu, withReceiptCpu: receiptCpu, receiptAdds: receiptCpu - runCpu, signing });
    await steadiness(server, load, questions, Number(options.requests), tell);
    await growth(server, questions, { ...options, count, milliseconds }, tell);
  } finally {
    load.close();
    many.close();
    await server.stop();
  }
}

/** Resident memory while so many requests are answered. */
async function steadiness(server: Server, load: Load, questions: readonly Buffer[], requests: number, tell: Teller): Promise<void> {
  const seen: Usage[] = [];
  for (let answered = 0; answered < requests; ) {
    answered += (await load.closed(questions, 2_000)).answers;
    seen.push(await server.ask<Usage>({ ask: 'usage' }));
  }
  const tenth = seen[Math.floor(seen.length / 10)];
  const of = (usage: Usage | undefined) => ({ anonymousMiB: usage?.anonymousMiB, rssMiB: usage?.rssMiB });
  const most = Math.max(...seen.map(({ anonymousMiB }) => anonymousMiB));
  tell('memory', { requests, afterFirstTenth: of(tenth), middle: of(seen[Math.floor(seen.length / 2)]), end: of(seen.at(-1)), most });
}

/** What a receipt costs beside few and beside many that are stored. */
async function growth(
  server: Server,
  questions: readonly Buffer[],
  {
    model,
    stored,
    connections,
    count,
    milliseconds,
  }: Pick<Options, 'model' | 'stored' | 'connections'> & { readonly count: number; readonly milliseconds: number },
  tell: Teller,
): Promise<void> {
  const many = Number(stored);
  if (many === 0) return;
  const fresh = await Server.start(model);
  const freshLoad = await Load.open(fresh.url, Number(connections));
  try {
    await fresh.ask({ ask: 'fill', upTo: 1_000 });
    await fullLoad(fresh, freshLoad, questions, milliseconds);
    const few = await rounds(count, () => fullLoad(fresh, freshLoad, questions, milliseconds));
    await server.ask({ ask: 'fill', upTo: many });
    // Filling takes minutes, in which connections that rest are closed.
    const load = await Load.open(server.url, Number(connections));
    await fullLoad(server, load, questions, milliseconds);
    const full = await rounds(count, () => fullLoad(server, load, questions, milliseconds));
    load.close();
    tell('stored', { few: { receipts: 1_000, ...few }, many: { receipts: many, ...full }, cpuRatio: full.serverCpu / few.serverCpu });
  } finally {
    freshLoad.close();
    await fresh.stop();
  }
}

type Teller = (event: string, figures: object) => void;

function machine({ model, connections }: Options): object {
  const git = (...args: string[]): string => execFileSync('git', args, { encoding: 'utf8' }).trim();
  return {
    model,
    connections: Number(connections),
    processor: os.cpus()[0]?.model,
    cores: os.availableParallelism(),
    load: os.loadavg()[0],
    node: process.version,
    commit: git('rev-parse', '--short', 'HEAD'),
    date: new Date().toISOString(),
  };
}

function rounded(value: unknown): unknown {
  if (typeof value === 'number') return Number(value.toPrecision(4));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, rounded(member)]));
}

const command = new Command()
  .description(
    'Measures answers over HTTP: receipts a second, latency at half load, what a receipt adds, memory, growth with what is stored',
  )
  .option('--model <name>', 'a shape of bench zk', 'logreg-30')
  .option('--rounds <n>', 'stretches of load, of which the median counts', '5')
  .option('--seconds <n>', 'length of one stretch', '3')
  .option('--connections <n>', 'connections of the generator', '32')
  .option('--stored <n>', 'receipts stored for the comparison with 1,000; 0 leaves it out', '1000000')
  .option('--requests <n>', 'requests over which memory is watched', '100000')
  .option('--json', 'one JSON object a line', false)
  .parse();
const options = command.opts<Options>();
await bench(options, (event, figures) => {
  const shown = rounded(figures) as object;
  console.log(options.json ? JSON.stringify({ event, ...shown }) : `${event}: ${JSON.stringify(shown)}`);
});
