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
  saveCursor(block: bigint): Promise<void>;
  /** Called in order, at least once an event: after a crash the last blocks come again. */
  onEvent(event: ChainEvent): Promise<void>;
  /** Called after every poll with the number of the last block whose events were handled, and the newest block's time (seconds). */
  onHead?(block: { readonly number: bigint; readonly timestamp: bigint }): Promise<void>;
  /** Called when a poll fails; the next one tries again from the same block. */
  onError(error: unknown): void;
}

const MOST_BLOCKS = 1_000n;
const LONGEST_PAUSE = 15_000;

/** Follows some contracts' events from where it left off until the signal aborts; an unreachable chain is waited for. */
export async function follow(options: FollowOptions, signal: AbortSignal): Promise<void> {
  let failures = 0;
  while (!signal.aborted) {
    try {
      await poll(options, signal);
      failures = 0;
    } catch (error) {
      if (signal.aborted) return;
      failures++;
      options.onError(error);
    }
    await pause(Math.min(LONGEST_PAUSE, options.pollMilliseconds * 2 ** Math.min(failures, 6)), signal);
  }
}

async function poll(options: FollowOptions, signal: AbortSignal): Promise<void> {
  const head = await options.client.getBlock();
  const last = head.number - options.confirmations;
  let next = ((await options.loadCursor()) ?? options.fromBlock - 1n) + 1n;
  while (next <= last && !signal.aborted) {
    const to = next + MOST_BLOCKS - 1n < last ? next + MOST_BLOCKS - 1n : last;
    for (const event of await eventsBetween(options, next, to)) {
      if (signal.aborted) return;
      await options.onEvent(event);
    }
    await options.saveCursor(to);
    next = to + 1n;
  }
  if (!signal.aborted) await options.onHead?.({ number: last, timestamp: head.timestamp });
}

async function eventsBetween(options: FollowOptions, fromBlock: bigint, toBlock: bigint): Promise<ChainEvent[]> {
  const logs = await options.client.getLogs({ address: options.contracts.map((contract) => contract.address), fromBlock, toBlock });
  return logs.flatMap((log) => decode(options, log));
}

/** An event that the contract's ABI does not know is somebody else's business. */
function decode(options: FollowOptions, log: Log<bigint, number, false>): ChainEvent[] {
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
