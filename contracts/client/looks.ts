/** Looks that find its place taken and no receipt until it is given up: a reorganisation and an answer may be on their way. */
const MOST_TAKEN = 3;
/** Blocks in which the first place is not mined until what is vital takes it. */
const MOST_BEHIND = 2n;

/** What became of a call: another is mined at its place, it waits behind one whose place it may take, or it waits. */
export interface Look {
  readonly state: 'taken' | 'behind' | 'waits' | 'unknown';
  /** The first place that is not mined, as of about this block. */
  readonly first: number;
  readonly block: bigint;
}

export const UNKNOWN: Look = { state: 'unknown', first: 0, block: 0n };

/** Whether what was sent is never mined: its place is another's by now. */
export function isTaken(looks: readonly Look[]): boolean {
  return looks.length >= MOST_TAKEN && looks.slice(-MOST_TAKEN).every(({ state }) => state === 'taken');
}

/** Whether blocks came and went, and what it waits behind was in none of them. */
export function isHeldUp(looks: readonly Look[]): boolean {
  const last = looks.at(-1);
  if (last?.state !== 'behind') return false;
  const other = looks.findLastIndex(({ state, first }) => state !== 'behind' || first !== last.first);
  return last.block - (looks[other + 1]?.block ?? last.block) >= MOST_BEHIND;
}
