import { serve } from '../child-serve.ts';
import { FixedBase, type Group } from './fixed-base.ts';

export interface MultiplyRequest {
  readonly group: Group;
  /** Scalars that this process will see in all: sizes its tables. */
  readonly expected: number;
  readonly scalars: Uint8Array;
}

const bases = new Map<Group, FixedBase>();

serve<MultiplyRequest>(async ({ group, expected, scalars }, progress) => {
  const base = bases.get(group) ?? (await FixedBase.create(group, expected));
  bases.set(group, base);
  return base.multiply(scalars, (done) => progress({ phase: group, done, total: 0 }));
});
