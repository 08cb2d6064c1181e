import type { ConstraintSystem } from '../constraint-system.ts';
import { constantForm, type LinearForm } from '../linear-form.ts';
import { lowestBits, splitSigned } from './compare.ts';
import { choose, product } from './product.ts';
import { narrow } from './range.ts';

/**
 * Index of the first largest of the forms, by a running champion: challenger i wins iff v_i − best − 1 ≥ 0.
 * Precondition: proved integer bounds. Unique: every comparison is. Cost: bits of the differences + 4 rows an element (one less for the
 * last, whose value nobody needs; one more for every 16th); nothing for an element whose bounds decide.
 */
export function argMax(cs: ConstraintSystem, values: readonly LinearForm[]): LinearForm {
  let best = values[0]!;
  let index: LinearForm = constantForm(0);
  const longest = Math.max(...values.map((form) => form.wires.length));
  for (let i = 1; i < values.length; i++) {
    const challenger = values[i]!;
    const lead = cs.sum([challenger], [best, -1], [constantForm(-1)]);
    if (lead.high < 0) continue;
    if (lead.low >= 0) {
      index = constantForm(i);
      best = challenger;
      continue;
    }
    const split = splitSigned(cs, lead);
    const wins = split.top;
    index = choose(cs, wins, constantForm(i), index);
    if (i === values.length - 1) continue;
    // Where the challenger wins, the lower bits are its lead less one: short, unlike the difference itself.
    const gain = product(cs, cs.sum([lowestBits(cs, split, split.width)], [constantForm(1)]), wins);
    const next = cs.sum([best], [gain]);
    // A form that grew with every challenger would be copied into every later row.
    best = narrow(cs, { ...next, low: Math.max(best.low, challenger.low), high: Math.max(best.high, challenger.high) }, longest + 16);
  }
  return index;
}
