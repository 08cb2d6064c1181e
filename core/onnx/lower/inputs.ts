import { LIMITS } from '../../program/types.ts';
import { joinedName } from '../../values.ts';
import type { Feeds } from '../evaluate/index.ts';
import type { Graph } from '../graph.ts';
import { refuse } from '../refuse.ts';
import { isFloat } from '../tensor.ts';
import type { Lowering } from './context.ts';

/**
 * Makes the model's inputs nodes of the network. A program has at most six: of more (a table whose columns have names), all real ones are
 * one tensor and all whole ones another, in the model's order.
 */
export function lowerInputs(context: Lowering, graph: Graph, feeds: Feeds): void {
  const inputs = graph.inputs.map(({ name }) => {
    const { type, dims, data } = feeds.get(name)!;
    if (data.length === 0) refuse(`the input '${name}' has no elements`, { dims: dims.join('x') });
    return { name, dims, length: data.length, integer: !isFloat(type) };
  });
  for (const { name, integer } of inputs) {
    if (!integer) continue;
    context.integerValued.add(name);
    context.rawIntegers.add(name);
  }
  if (inputs.length <= LIMITS.inputs) {
    for (const { name, dims, length, integer } of inputs) {
      const made = context.add({ kind: 'input', length, sources: [], name, dims, integer, parts: [name] });
      context.values.set(name, context.whole(made, dims));
    }
    return;
  }
  for (const integer of [false, true]) {
    const own = inputs.filter((input) => input.integer === integer);
    if (own.length === 0) continue;
    const parts = own.map(({ name }) => name);
    const total = own.reduce((sum, { length }) => sum + length, 0);
    const name = joinedName(parts);
    const made = context.add({ kind: 'input', length: total, sources: [], name, dims: [1, total], integer, parts });
    let from = 0;
    for (const { name: part, dims, length } of own) {
      const start = from;
      context.values.set(
        part,
        context.through(
          made,
          dims,
          Int32Array.from({ length }, (_, e) => start + e),
        ),
      );
      from += length;
    }
    context.notes.push(`a program has at most ${LIMITS.inputs} inputs; joined in one, one after the other: ${parts.join(', ')}`);
  }
}
