import { describe, expect, it } from 'vitest';
import { attackCompositions, attackKind, entangled, expectOnly, FORGED_KINDS } from '../circuits/only-witness.ts';
import { Random } from '../support/random.ts';

describe('long: the honest witness is the only one there is', () => {
  it.each(FORGED_KINDS)('for random %s instructions of every size up to 4,000 rows', (kind) => {
    for (let seed = 100; seed < 110; seed++) attackKind(kind, { seed, cases: 4, rows: 4000 });
  });

  it('in a hundred small networks', () => {
    const r = new Random(500);
    let refuted = 0;
    for (let run = 0; run < 100; run++) refuted += expectOnly(entangled(r), [r.tensor('u8', 3)]);
    expect(refuted).toBeGreaterThan(10_000);
  });

  it('and 150 programs put together at random have a witness that holds', () => {
    attackCompositions({ seed: 900, programs: 150 });
  });
});
