/**
 * One after the other by key. A failure is its caller's alone: what comes after it runs all the same.
 * @param underWay what runs, by key: of whoever takes turns, and empty again when nothing runs
 */
export async function inTurn<Result>(underWay: Map<string, Promise<unknown>>, key: string, run: () => Promise<Result>): Promise<Result> {
  const before = underWay.get(key);
  const mine = (before ?? Promise.resolve()).then(run, run);
  underWay.set(key, mine);
  try {
    return await mine;
  } finally {
    if (underWay.get(key) === mine) underWay.delete(key);
  }
}
