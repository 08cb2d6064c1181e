import { setTimeout as delay } from 'node:timers/promises';
import { createTransport, type Hex, hexToBigInt, keccak256, type Transport } from 'viem';
import { AssayError } from '../../../core/errors.ts';
import { Endpoint, EndpointFailed, type RpcCall } from './endpoint.ts';
import { canonical, isDifferent, mergeLogs } from './merge.ts';
import { whyUnanswered } from './why.ts';

/** What operators want to know of endpoints; told as it happens. */
export interface EndpointEvent {
  readonly kind: 'failed' | 'aside' | 'back' | 'disagree';
  /** Place in the configured list. */
  readonly endpoint: number;
  readonly host: string;
  readonly why: string;
}

export interface EndpointsOptions {
  readonly urls: readonly string[];
  /** Milliseconds for one call to one endpoint; 10,000 unless told. */
  readonly timeout?: number;
  /** Milliseconds between two comparisons of the endpoints with each other; 15,000 unless told. */
  readonly compareEvery?: number;
}

/** Rounds over all endpoints until a call is given up. */
const ROUNDS = 3;
/** An endpoint this many blocks behind the furthest is not asked. */
const MOST_BEHIND = 4n;
/** Blocks below the lowest head at which endpoints are compared: reorganisations lie above. */
const COMPARE_DEPTH = 6n;
/** Tries until two endpoints that follow the same chain should have said the same. */
const AGREE_TRIES = 6;
const AGREE_PAUSE = 400;
/** Milliseconds between two alarms about the same disagreement. */
const TELL_EVERY = 60_000;

/**
 * Several JSON-RPC endpoints as one. A read goes to the first that is well, and on to the next where one fails, lags or limits; events
 * are asked of two, and both believed; a transaction goes to all. Endpoints are compared with each other from time to time: one on
 * another chain, or with another block than the others at the same height, is put aside.
 */
export class Endpoints {
  private readonly all: readonly Endpoint[];
  private readonly compareEvery: number;
  private compared = Number.NEGATIVE_INFINITY;
  /** When which disagreement was last told of. */
  private readonly told = new Map<string, number>();
  private comparing: Promise<void> | undefined;
  private listener: (event: EndpointEvent) => void = () => {};

  constructor(options: EndpointsOptions) {
    this.all = options.urls.map((url, index) => new Endpoint(index, url, options.timeout ?? 10_000));
    this.compareEvery = options.compareEvery ?? 15_000;
  }

  /** Hears of failures and alarms from now on, and of what is aside already; one listener. */
  listen(listener: (event: EndpointEvent) => void): void {
    this.listener = listener;
    for (const endpoint of this.all) if (endpoint.aside !== undefined) this.tell('aside', endpoint, endpoint.aside);
  }

  /** @param careful answers that two endpoints give alike, where there are two */
  transport(careful = false): Transport {
    return () => {
      const request = (call: RpcCall) => (careful ? this.agreed(call) : this.request(call));
      return createTransport(
        { key: 'endpoints', name: 'Endpoints', type: 'endpoints', retryCount: 0, request: request as never },
        { endpoints: this },
      );
    };
  }

  /** @throws viem's RpcRequestError where the call itself is refused; AssayError CHAIN_UNREACHABLE when no endpoint answers */
  async request(call: RpcCall): Promise<unknown> {
    await this.compareInTime();
    if (call.method === 'eth_sendRawTransaction') return this.broadcast(call);
    if (call.method === 'eth_getLogs' && this.well().length > 1) return this.logs(call);
    return this.first(call);
  }

  /**
   * An answer that holds against a second endpoint. With one endpoint, or while the others are away, it is that one's word.
   * @throws AssayError ENDPOINTS_DISAGREE when two go on saying different things
   */
  async agreed(call: RpcCall): Promise<unknown> {
    await this.compareInTime();
    for (let left = AGREE_TRIES; ; left--) {
      const [one, other] = this.well();
      if (one === undefined || other === undefined) return this.first(call);
      const answers = await Promise.all([settled(one.ask(call)), settled(other.ask(call))]);
      // Where one fails, the first that answers is all there is; a refusal is an answer.
      if (answers.some((answer) => answer.failed)) return this.first(call);
      const [mine, theirs] = answers as [Settled, Settled];
      if (canonical(mine.value) === canonical(theirs.value) && mine.refused === theirs.refused) return unwrap(mine);
      if (left === 0) {
        this.tell('disagree', other, `${call.method}: not what endpoint ${one.index} says`);
        throw disagree(one, other, call.method);
      }
      // Different heads are no lie: look again when both have moved on.
      await delay(AGREE_PAUSE);
    }
  }

  private well(): Endpoint[] {
    const usable = this.all.filter(({ aside }) => aside === undefined);
    const rested = usable.filter((endpoint) => endpoint.resting() === 0);
    return rested.length > 0 ? rested : usable;
  }

  private async first(call: RpcCall): Promise<unknown> {
    let failure: unknown;
    for (let round = 0; round < ROUNDS; round++) {
      for (const endpoint of this.inOrder()) {
        const wait = endpoint.patience();
        if (wait > 0) await delay(wait);
        try {
          const result = await endpoint.ask(call);
          this.noteHead(endpoint, call, result);
          return result;
        } catch (error) {
          if (!(error instanceof EndpointFailed)) throw error;
          failure = this.failed(error);
        }
      }
    }
    throw unreachable(this.all, failure);
  }

  /** Those that are well first; where none is, whoever rests shortest. */
  private inOrder(): Endpoint[] {
    const usable = this.all.filter(({ aside }) => aside !== 'wrong chain' && aside !== 'other block');
    const shortest = Math.min(...usable.map((endpoint) => endpoint.resting()));
    return usable
      .filter((endpoint) => endpoint.resting() <= shortest)
      .sort((a, b) => Number(a.aside !== undefined) - Number(b.aside !== undefined));
  }

  /** Events that any of two tells of: what is invented is seen through when the claim or request itself is read; what is hidden is not missed. */
  private async logs(call: RpcCall): Promise<unknown> {
    const [one, other] = this.well() as [Endpoint, Endpoint];
    const lists: unknown[][] = [];
    // Asked once more where they differ: the newest block may not have reached both.
    for (let tries = 2; tries > 0; tries--) {
      const answers = await Promise.all([settled(one.ask(call)), settled(other.ask(call))]);
      const told = answers.filter((answer) => !answer.failed && !answer.refused).map(({ value }) => value as unknown[]);
      lists.push(...told);
      if (told.length < 2) break;
      if (!isDifferent(told[0]!, told[1]!)) return mergeLogs(lists);
      if (tries === 1) this.tell('disagree', other, `events: not those of endpoint ${one.index}`);
      else await delay(AGREE_PAUSE);
    }
    return lists.length > 0 ? mergeLogs(lists) : this.first(call);
  }

  /** To every endpoint, resting or aside ones too: whoever includes it first. */
  private async broadcast(call: RpcCall): Promise<unknown> {
    const [raw] = call.params as [Hex];
    const asked = this.all.filter(({ aside }) => aside !== 'wrong chain').map((endpoint) => endpoint.ask(call));
    try {
      return await Promise.any(asked);
    } catch (error) {
      const failures = (error as AggregateError).errors as unknown[];
      for (const failure of failures) if (failure instanceof EndpointFailed) this.failed(failure);
      const refusals = failures.filter((failure) => !(failure instanceof EndpointFailed)) as Error[];
      // "Already known", "nonce too low": it may have arrived all the same, by an endpoint whose answer was lost.
      const hash = keccak256(raw);
      const known = await this.first({ method: 'eth_getTransactionByHash', params: [hash] }).catch(() => null);
      if (known !== null) return hash;
      throw refusals[0] ?? unreachable(this.all, failures[0]);
    }
  }

  private failed(error: EndpointFailed): unknown {
    this.tell('failed', error.endpoint, error.cause instanceof Error ? (error.cause.message.split('\n')[0] ?? '') : 'no answer');
    return error.cause;
  }

  private noteHead(endpoint: Endpoint, { method, params }: RpcCall, result: unknown): void {
    const block = (params as unknown[] | undefined)?.[0];
    if (method === 'eth_getBlockByNumber' && block === 'latest') {
      const number = (result as { number?: Hex } | null)?.number;
      if (number !== undefined) endpoint.head = hexToBigInt(number);
    }
  }

  /** Compares the endpoints when it is time: at the first call, then every so often, in the background. */
  private async compareInTime(): Promise<void> {
    if (this.all.length < 2 || performance.now() < this.compared + this.compareEvery) return;
    const isFirst = this.compared === Number.NEGATIVE_INFINITY;
    this.comparing ??= this.compare().finally(() => {
      this.compared = performance.now();
      this.comparing = undefined;
    });
    if (isFirst) await this.comparing;
  }

  private async compare(): Promise<void> {
    const seen = await Promise.all(this.all.map((endpoint) => this.look(endpoint)));
    const present = this.all.filter((_, i) => seen[i]);
    const chainId = commonest(present.map((endpoint) => endpoint.chainId));
    for (const endpoint of present) this.place(endpoint, endpoint.chainId === chainId ? undefined : 'wrong chain');
    const same = present.filter(({ aside }) => aside === undefined);
    const furthest = same.reduce((most, { head }) => (head > most ? head : most), 0n);
    for (const endpoint of same) this.place(endpoint, endpoint.head + MOST_BEHIND < furthest ? 'behind' : undefined);
    await this.compareBlocks(same);
  }

  private async look(endpoint: Endpoint): Promise<boolean> {
    try {
      endpoint.chainId ??= Number(await endpoint.ask({ method: 'eth_chainId' }));
      endpoint.head = BigInt((await endpoint.ask({ method: 'eth_blockNumber' })) as Hex);
      return true;
    } catch (error) {
      if (error instanceof EndpointFailed) this.failed(error);
      return false;
    }
  }

  /** Whoever has another block than most at one height follows another history. Two who differ cannot be told apart: both are named. */
  private async compareBlocks(endpoints: readonly Endpoint[]): Promise<void> {
    const lowest = endpoints.reduce((least, { head }) => (head < least ? head : least), endpoints[0]?.head ?? 0n);
    if (endpoints.length < 2 || lowest < COMPARE_DEPTH) return;
    const call = { method: 'eth_getBlockByNumber', params: [`0x${(lowest - COMPARE_DEPTH).toString(16)}`, false] };
    const hashes = await Promise.all(
      endpoints.map((endpoint) =>
        endpoint.ask(call).then(
          (block) => (block as { hash?: string } | null)?.hash,
          () => undefined,
        ),
      ),
    );
    const votes = (hash: string | undefined): number => hashes.filter((other) => other === hash).length;
    const most = Math.max(...hashes.filter((hash) => hash !== undefined).map(votes), 0);
    endpoints.forEach((endpoint, i) => {
      const hash = hashes[i];
      if (hash === undefined || votes(hash) === hashes.length) return;
      if (most > 1 && votes(hash) < most) this.place(endpoint, 'other block');
      else if (most === 1) this.tell('disagree', endpoint, 'another block at the same height than the other endpoints');
    });
  }

  private place(endpoint: Endpoint, aside: Endpoint['aside']): void {
    if (endpoint.aside === aside) return;
    endpoint.aside = aside;
    this.tell(aside === undefined ? 'back' : 'aside', endpoint, aside ?? 'agrees with the others again');
  }

  private tell(kind: EndpointEvent['kind'], { index, host }: Endpoint, why: string): void {
    if (kind === 'disagree') {
      const name = `${index}/${why}`;
      if (performance.now() < (this.told.get(name) ?? Number.NEGATIVE_INFINITY) + TELL_EVERY) return;
      this.told.set(name, performance.now());
    }
    this.listener({ kind, endpoint: index, host, why });
  }
}

/** What most say; of equals, the first. */
function commonest<T>(values: readonly T[]): T | undefined {
  const votes = (value: T): number => values.filter((other) => other === value).length;
  return values.reduce<T | undefined>((best, value) => (best === undefined || votes(value) > votes(best) ? value : best), undefined);
}

interface Settled {
  readonly value: unknown;
  readonly refused: boolean;
  readonly failed: boolean;
}

function settled(asked: Promise<unknown>): Promise<Settled> {
  return asked.then(
    (value) => ({ value, refused: false, failed: false }),
    (error: unknown) => ({ value: error, refused: !(error instanceof EndpointFailed), failed: error instanceof EndpointFailed }),
  );
}

function unwrap({ value, refused }: Settled): unknown {
  if (refused) throw value;
  return value;
}

function disagree(one: Endpoint, other: Endpoint, method: string): AssayError {
  return new AssayError('Two RPC endpoints say different things about what money depends on', {
    code: 'ENDPOINTS_DISAGREE',
    facts: { method, one: one.host, other: other.host },
    fix: 'find out which one is wrong and take it out of the configuration; nothing is risked meanwhile',
  });
}

function unreachable(all: readonly Endpoint[], cause: unknown): AssayError {
  return new AssayError('The chain does not answer', {
    code: 'CHAIN_UNREACHABLE',
    // Not the whole addresses: their paths may be API keys.
    facts: { endpoints: all.map(({ host }) => host).join(', '), reason: whyUnanswered(cause) },
    fix: 'check the RPC addresses, and that the chain runs',
    cause,
  });
}
