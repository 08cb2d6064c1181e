import { afterAll, beforeAll, expect, it } from 'vitest';
import { readClocks } from '../../contracts/client/board/read.ts';
import type { Clocks } from '../../core/dispute/clocks.ts';
import type { Unit } from '../../core/dispute/units.ts';
import { execute } from '../../core/execute.ts';
import { disputeCase, faultyRun } from '../support/dispute-cases.ts';
import { DisputeChain } from '../support/dispute-chain.ts';
import { type Manners, play } from '../support/dispute-play.ts';
import { Random } from '../support/random.ts';

const ROUNDS = 100;
const CLAIMED = 2;
const FAULTED = 4;

let chain: DisputeChain;
let clocks: Clocks;

beforeAll(async () => {
  chain = await DisputeChain.start();
  clocks = await readClocks(chain.client, chain.deployed.board);
});
afterAll(async () => {
  await chain.stop();
});

/** A prover that serves, hides, stalls and falls silent as it pleases. */
function anyManners(r: Random): Manners {
  const silence = r.pick([0, 0, 0.1, 0.3]);
  const withheld = new Map<string, boolean>();
  return {
    serves: r.chance(0.5),
    hidesInput: r.chance(0.4),
    stalls: r.chance(0.4),
    withholds(unit: Unit) {
      const key = JSON.stringify(unit);
      const known = withheld.get(key) ?? r.chance(silence);
      withheld.set(key, known);
      return known;
    },
  };
}

it(`${ROUNDS} random programs with a random fault are slashed, and as many right claims are not touched`, async () => {
  const r = new Random(0x10c6);
  for (let round = 0; round < ROUNDS; round++) {
    const given = disputeCase(r);
    const { position, element, tensors } = faultyRun(r, given);
    const wrong = await play(chain, clocks, given, tensors, anyManners(r));
    expect(await chain.statusOf(wrong.claim), `round ${round}, instruction ${position}, element ${element}`).toBe(FAULTED);
    const right = await play(chain, clocks, given, execute(given.program, given.inputs), { ...anyManners(r), withholds: () => false });
    expect(right.moves.at(-1), `round ${round}`).toEqual({ type: 'done', why: 'right' });
    expect(await chain.statusOf(right.claim)).toBe(CLAIMED);
  }
});
