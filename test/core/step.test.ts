import { describe, expect, test } from 'vitest';
import { compareSteps } from '../support/exactness.ts';
import { COMPUTED_KINDS } from '../support/instructions.ts';

describe('the single step of a dispute is the executor, element by element', () => {
  test.each(COMPUTED_KINDS)('%s: 5,000 random values', (kind) => {
    expect(compareSteps(kind, 4, 5_000).values).toBeGreaterThanOrEqual(5_000);
  });
});
