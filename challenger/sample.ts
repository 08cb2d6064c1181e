import { randomInt } from 'node:crypto';
import { AssayError } from '../core/errors.ts';

const RANGE = 2 ** 40;

/**
 * Whether a claim is drawn for re-execution: true with probability `rate`. The dice are the challenger's own and thrown
 * after the claim, so no prover can know which claims are looked at.
 * @param rate in [0, 1]
 */
export function draw(rate: number, random: (bound: number) => number = (bound) => randomInt(bound)): boolean {
  if (!(rate >= 0 && rate <= 1)) {
    throw new AssayError('The sampling rate is not a probability', {
      code: 'CONFIG_INVALID',
      facts: { rate },
      fix: 'give a number from 0 to 1',
    });
  }
  return random(RANGE) < rate * RANGE;
}
