import { describe, expect, it } from 'vitest';
import { commitInput } from '../../circuits/input-commitment.ts';

/** Bytes of one Poseidon: 15 elements of 31. */
const GROUP_BYTES = 465;

describe('the commitment to an input', () => {
  it('is a field element that tells bytes and lengths apart', async () => {
    const some = new Uint8Array(GROUP_BYTES + 1).fill(3);
    const other = some.slice();
    other[GROUP_BYTES] = 4;
    const all = await Promise.all([some, other, some.subarray(0, GROUP_BYTES), new Uint8Array([...some, 0])].map(commitInput));
    expect(new Set(all).size).toBe(4);
    expect(all.every((commitment) => commitment >= 0n && commitment < 1n << 254n)).toBe(true);
  });

  it('of a large input leaves turns to whatever else the process has to do', async () => {
    await commitInput(new Uint8Array(1));
    let turns = 0;
    let isDone = false;
    const count = (): void => {
      if (isDone) return;
      turns++;
      setImmediate(count);
    };
    setImmediate(count);
    await commitInput(new Uint8Array(6 * GROUP_BYTES));
    isDone = true;
    expect(turns).toBeGreaterThanOrEqual(5);
  });
});
