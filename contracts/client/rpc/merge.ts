/** One spelling of an answer, for comparison; an error is spelled by its code and data, since wording differs between clients. */
export function canonical(value: unknown): string {
  if (value instanceof Error) {
    const { code, data } = value as Error & { code?: unknown; data?: unknown };
    return JSON.stringify({ code, data: data ?? null });
  }
  return JSON.stringify(value ?? null);
}

interface RawLog {
  readonly blockHash: string;
  readonly blockNumber: string;
  readonly logIndex: string;
}

function nameOf(log: unknown): string {
  const { blockHash, logIndex } = log as RawLog;
  return `${blockHash}/${BigInt(logIndex)}`;
}

/** Whether two lists tell of different events. */
export function isDifferent(one: readonly unknown[], other: readonly unknown[]): boolean {
  const names = new Set(one.map(nameOf));
  return one.length !== other.length || other.some((log) => !names.has(nameOf(log)));
}

/** Every event that any of the lists tells of, once, in the order of the chain. */
export function mergeLogs(lists: readonly (readonly unknown[])[]): unknown[] {
  const known = new Map<string, unknown>();
  for (const log of lists.flat()) if (!known.has(nameOf(log))) known.set(nameOf(log), log);
  const order = (log: unknown): [bigint, bigint] => [BigInt((log as RawLog).blockNumber), BigInt((log as RawLog).logIndex)];
  return [...known.values()].sort((a, b) => {
    const [[blockA, indexA], [blockB, indexB]] = [order(a), order(b)];
    return Number(blockA === blockB ? indexA - indexB : blockA - blockB);
  });
}
