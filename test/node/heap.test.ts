import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Heap } from '../../prover/queue/heap.ts';

it('a heap gives back what came in, the first first, however pushes and pops mix', () => {
  const moves = fc.array(fc.oneof(fc.integer({ min: 0, max: 20 }), fc.constant('pop' as const)), { maxLength: 200 });
  fc.assert(
    fc.property(moves, (all) => {
      const heap = new Heap<number>((a, b) => a < b);
      const held: number[] = [];
      for (const move of all) {
        if (move === 'pop') {
          held.sort((a, b) => a - b);
          expect(heap.pop()).toBe(held.shift());
        } else {
          heap.push(move);
          held.push(move);
        }
      }
      const rest: number[] = [];
      for (let item = heap.pop(); item !== undefined; item = heap.pop()) rest.push(item);
      expect(rest).toEqual(held.sort((a, b) => a - b));
    }),
    { seed: 12, numRuns: 500 },
  );
});
