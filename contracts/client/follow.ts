import { type Abi, type Address, type Chain, type Log, type PublicClient, parseEventLogs, type Transport } from 'viem';

/** One decoded event in the order of the chain. */
export interface ChainEvent {
  readonly name: string;
  readonly address: Address;
  readonly args: Readonly<Record<string, unknown>>;
  readonly blockNumber: bigint;
  readonly transactionHash: `0x${string}`;
  readonly logIndex: number;
}

export interface FollowOptions {
  readonly client: PublicClient<Transport, Chain>;
  readonly contracts: readonly { readonly address: Address; readonly abi: Abi }[];
  /** First block to read when nothing has been processed yet. */
  readonly fromBlock: bigint;
  /** Blocks on top of one before it is read; 0 for chains that do not reorganise. */
  readonly confirmations: bigint;
  readonly pollMilliseconds: number;
  /** Last block fully handled, from durable storage. */
  loadCursor(): Promise<bigint | undefined>;
  /** Where it throws, `onError` is told and following goes on: the next start reads more blocks again. */
  saveCursor(block: bigint): Promise<void>;
  /** Called in order, at least once an event: after a crash the last blocks come again. */
  onEvent(event: ChainEvent): Promise<void>;
  /** Called after every poll with the number of the last block whose events were handled, and the newest block's time (seconds). */
  onHead?(block: { readonly number: bigint; readonly timestamp: bigint }): Promise<void>;
  /** Events of one reading that are handed on before its others; each kind in its own order. */
  isUrgent?(event: ChainEvent): boolean;
  /** Called before blocks are read again, from this one on: what they held comes again, or is gone. */
  onRewind?(first: bigint): Promise<void>;
  /**
   * Called after blocks were read again, from the one named on: at a start, and where the chain has put others in their place. What they
   * held may be gone.
   */
  onRewound?(from: { readonly number: bigint; readonly timestamp: bigint }): Promise<void>;
  /** Called when a poll fails; the next one tries again from the same block. Also when the cursor could not be saved. */
  onError(error: unknown): void;
}

const MOST_BLOCKS = 1_000n;
/** Blocks read again at a start and after a reorganisation, before the last one that is still there. */
const REWIND = 64n;
/** Blocks whose hash is remembered. */
const LONGEST_TRAIL = 128;
/**
 * Blocks below those that are new whose events are asked for once more: one address may have several endpoints behind it, and one that has
 * not got a block yet says that nothing happened in it.
 */
const OVERLAP = 16n;
/**
 * Milliseconds for which a head below what was handled is an endpoint that lags behind another. After that the chain is as short as it says
 * (it restarted), or it once told of blocks that never were.
 */
const LAG = 10_000;
const LONGEST_PAUSE = 15_000;

interface Handled {
  readonly number: bigint;
  readonly hash: string;
}

/** What following remembers from poll to poll. */
interface Place {
  /** Blocks to ask for at once: endpoints refuse answers that are too long. */
  span: bigint;
  /** Blocks handled, the last one last; empty at a start. */
  trail: Handled[];
  /** Since when the head is below what was handled. */
  lagging: number | undefined;
  /** First of the blocks that are read again, where `onRewound` was not told of it yet. */
  rewoundTo: bigint | undefined;
  /** Events of the last blocks that were handed on, by name, with their block. */
  told: Map<string, bigint>;
  /** When the last new block was handled, and polls since. */
  newestAt: number;
  idle: number;
}

/**
 * Follows some contracts' events from where it left off until the signal aborts; an unreachable chain is waited for. Where the chain
 * has put another block in the place of the last one handled, the blocks before it are read again.
 */
export async function follow(options: FollowOptions, signal: AbortSignal): Promise<void> {
  const place: Place = { span: MOST_BLOCKS, trail: [], lagging: undefined, rewoundTo: undefined, told: new Map(), newestAt: 0, idle: 0 };
  let failures = 0;
  while (!signal.aborted) {
    try {
      await poll(options, place, signal);
      failures = 0;
    } catch (error) {
      if (signal.aborted) return;
      failures++;
      options.onError(error);
    }
    await pause(Math.min(LONGEST_PAUSE, options.pollMilliseconds * 2 ** Math.min(failures, 6)), signal);
  }
}

async function poll(options: FollowOptions, place: Place, signal: AbortSignal): Promise<void> {
  const { client } = options;
  const head = await client.getBlock();
  const last = head.number - options.confirmations;
  let next = await firstBlock(options, place, last);
  if (next > last) await lookAgain(options, place, last, signal);
  while (next <= last && !signal.aborted) {
    const to = next + place.span - 1n < last ? next + place.span - 1n : last;
    // Before its events: a block that is replaced in between is noticed at the next poll.
    const { hash } = to === head.number ? head : await client.getBlock({ blockNumber: to });
    await handOn(options, place, await eventsWithin(options, place, next, to), signal);
    if (signal.aborted) return;
    await options.saveCursor(to).catch((error: unknown) => options.onError(error));
    [place.newestAt, place.idle] = [performance.now(), 0];
    place.trail.push({ number: to, hash });
    if (place.trail.length > LONGEST_TRAIL) place.trail.shift();
    next = to + 1n;
  }
  if (signal.aborted) return;
  if (place.rewoundTo !== undefined && options.onRewound !== undefined) {
    const { number, timestamp } = await client.getBlock({ blockNumber: place.rewoundTo < head.number ? place.rewoundTo : head.number });
    await options.onRewound({ number, timestamp });
  }
  place.rewoundTo = undefined;
  await options.onHead?.({ number: last, timestamp: head.timestamp });
}

/** Between two blocks: what an endpoint did not tell of the last ones may be known by now. Seldom, and not for long. */
async function lookAgain(options: FollowOptions, place: Place, last: bigint, signal: AbortSignal): Promise<void> {
  place.idle++;
  const isTime = (place.idle & (place.idle - 1)) === 0 && performance.now() < place.newestAt + LAG;
  if (isTime && place.trail.at(-1)?.number === last) await handOn(options, place, await eventsWithin(options, place, last, last), signal);
}

/** Hands on what was not told of before. */
async function handOn(options: FollowOptions, place: Place, events: readonly NamedEvent[], signal: AbortSignal): Promise<void> {
  for (const { name, event } of inOrder(options, events)) {
    if (signal.aborted) return;
    if (place.told.has(name)) continue;
    await options.onEvent(event);
    place.told.set(name, event.blockNumber);
  }
}

/** Where to go on: behind what was handled while the chain still holds that, else some blocks before what it still holds. */
async function firstBlock(options: FollowOptions, place: Place, last: bigint): Promise<bigint> {
  const handled = place.trail.at(-1);
  if (handled === undefined) {
    const cursor = await options.loadCursor();
    // Beyond the chain's end: noted when an endpoint told of more than there is.
    return cursor === undefined ? options.fromBlock : rewound(options, place, cursor < last ? cursor : last);
  }
  // At its own height a replaced block is noticed with the next one.
  if (last === handled.number) place.lagging = undefined;
  if (last === handled.number || !(await isGone(options, place, handled, last))) return handled.number + 1n;
  let common = last;
  for (const { number, hash } of place.trail.toReversed()) {
    if (number > last) continue;
    common = number;
    if ((await options.client.getBlock({ blockNumber: number })).hash === hash) break;
  }
  return rewound(options, place, common);
}

/** Whether the chain does not hold what was handled any more. */
async function isGone({ client }: FollowOptions, place: Place, handled: Handled, last: bigint): Promise<boolean> {
  if (last > handled.number) {
    place.lagging = undefined;
    return (await client.getBlock({ blockNumber: handled.number })).hash !== handled.hash;
  }
  place.lagging ??= performance.now();
  const below = place.trail.findLast(({ number }) => number <= last);
  const isOther = below !== undefined && (await client.getBlock({ blockNumber: below.number })).hash !== below.hash;
  return isOther || performance.now() > place.lagging + LAG;
}

/** What is read again is no longer counted as handled. */
async function rewound({ fromBlock, onRewind }: FollowOptions, place: Place, common: bigint): Promise<bigint> {
  place.lagging = undefined;
  const first = common + 1n - REWIND > fromBlock ? common + 1n - REWIND : fromBlock;
  // A rewind that failed half-way is told of from where it began.
  if (place.rewoundTo === undefined || first < place.rewoundTo) place.rewoundTo = first;
  place.trail = place.trail.filter(({ number }) => number < first);
  for (const [name, block] of place.told) if (block >= first) place.told.delete(name);
  await onRewind?.(first);
  return first;
}

/** An event, and what tells it from every other, also from its like in a block that took the place of its own. */
interface NamedEvent {
  readonly name: string;
  readonly event: ChainEvent;
}

function inOrder({ isUrgent }: FollowOptions, events: readonly NamedEvent[]): readonly NamedEvent[] {
  if (isUrgent === undefined) return events;
  return [...events.filter(({ event }) => isUrgent(event)), ...events.filter(({ event }) => !isUrgent(event))];
}

/** Events of these blocks, and of as many before them as there is room for. */
async function eventsWithin(options: FollowOptions, place: Place, from: bigint, to: bigint): Promise<NamedEvent[]> {
  const wanted = to - from + 1n;
  const room = place.span - wanted < OVERLAP ? place.span - wanted : OVERLAP;
  const first = from - room > options.fromBlock ? from - room : options.fromBlock;
  try {
    const events = await eventsBetween(options, first, to);
    if (wanted >= place.span) place.span = place.span * 2n < MOST_BLOCKS ? place.span * 2n : MOST_BLOCKS;
    for (const [name, block] of place.told) if (block + 2n * OVERLAP < from) place.told.delete(name);
    return events;
  } catch (error) {
    const asked = to - first + 1n;
    place.span = asked > 1n ? asked / 2n : 1n;
    throw error;
  }
}

/** Events of some contracts in one block, as the chain holds it now. */
export async function eventsOfBlock(options: Pick<FollowOptions, 'client' | 'contracts'>, block: bigint): Promise<ChainEvent[]> {
  return (await eventsBetween(options, block, block)).map(({ event }) => event);
}

async function eventsBetween(
  options: Pick<FollowOptions, 'client' | 'contracts'>,
  fromBlock: bigint,
  toBlock: bigint,
): Promise<NamedEvent[]> {
  const logs = await options.client.getLogs({ address: options.contracts.map((contract) => contract.address), fromBlock, toBlock });
  return logs.flatMap((log) => decode(options, log).map((event) => ({ name: `${log.blockHash}/${log.logIndex}`, event })));
}

/** An event that the contract's ABI does not know is somebody else's business. */
function decode(options: Pick<FollowOptions, 'contracts'>, log: Log<bigint, number, false>): ChainEvent[] {
  const contract = options.contracts.find((known) => known.address.toLowerCase() === log.address.toLowerCase());
  if (contract === undefined) return [];
  const [parsed] = parseEventLogs({ abi: contract.abi, logs: [log], strict: true });
  if (parsed === undefined) return [];
  return [
    {
      name: parsed.eventName,
      address: log.address,
      args: parsed.args as unknown as Readonly<Record<string, unknown>>,
      blockNumber: log.blockNumber,
      transactionHash: log.transactionHash,
      logIndex: log.logIndex,
    },
  ];
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal.addEventListener('abort', done);
  });
}
