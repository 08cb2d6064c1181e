import { decodeMap, locate } from '../../core/ops/map.ts';
import type { Instruction } from '../../core/program/types.ts';
import { fromBytes } from '../../core/tensor.ts';
import type { ConstraintSystem } from '../constraint-system.ts';
import { LOOKUP_LIMIT, type LookupPlan, lookup, planLookup } from '../gadgets/lookup.ts';
import { choose } from '../gadgets/product.ts';
import { bitsFor, rangeCheck } from '../gadgets/range.ts';
import { requantize } from '../gadgets/requantize.ts';
import { constantForm, constantOf, type LinearForm } from '../linear-form.ts';
import { type Cell, formCell, type LoweringContext, materialize, materializeNarrow, NotInTier } from './cell.ts';

type Sources = readonly (readonly Cell[])[];

/** Rows that a gather may cost. */
const GATHER_LIMIT = 1 << 20;

/** Data movement is aliasing: no rows. */
export function lowerMap(context: LoweringContext, instruction: Instruction<'map'>, sources: Sources): Cell[] {
  const { indices, constants } = decodeMap(instruction);
  const shapes = instruction.sources.map((source) => context.program.instructions[source]!);
  const known = Array.from(constants, (value) => formCell(constantForm(value)));
  return Array.from(indices, (index) => {
    const { source, element } = locate(shapes, index);
    return source < 0 ? known[element]! : sources[source]![element]!;
  });
}

/** clamp(index − offset, 0, count − 1). */
function clampedIndex(cs: ConstraintSystem, form: LinearForm, offset: number, count: number): LinearForm {
  return requantize(cs, cs.sum([form], [constantForm(-offset)]), 0, 0, count - 1);
}

/** From how many entries on it pays to clamp an index that need not be. */
const TRIM_FROM = 512;

interface Reach {
  readonly from: number;
  readonly to: number;
}

/**
 * The entries that an index can reach and that differ: where a clamp is needed anyway, or the table is large, the constant stretches at
 * its ends are clamped away.
 */
function reachOf(index: LinearForm, entries: number, read: (index: number) => readonly number[]): Reach {
  let from = Math.max(0, Math.min(index.low, entries - 1));
  let to = Math.min(entries - 1, Math.max(index.high, 0));
  if (index.low >= 0 && index.high < entries && to - from < TRIM_FROM) return { from, to };
  const same = (a: number, b: number): boolean => {
    const other = read(b);
    return read(a).every((value, i) => value === other[i]);
  };
  while (from < to && same(from, from + 1)) from++;
  while (to > from && same(to, to - 1)) to--;
  return { from, to };
}

/** Tables: constants become labels of a tree that feeds them, else a polynomial over the reachable entries. */
export function lowerTable(context: LoweringContext, instruction: Instruction<'table'>, sources: Sources): Cell[] {
  const { cs, readers } = context;
  const a = instruction.attributes;
  const values = fromBytes(instruction.type, instruction.parameters);
  const plans = new Map<string, LookupPlan>();
  const alone = readers[instruction.sources[0]!] === 1;
  const out: Cell[] = [];
  sources[0]!.forEach((cell, j) => {
    const channel = Math.floor(j / a.channelInner) % a.channels;
    const entry = (index: number, i: number): number => values[(channel * a.entries + index) * a.width + i]!;
    if (cell.decision !== undefined && cell.form === undefined && alone) {
      const clamped = (node: number): number => Math.max(0, Math.min(node - a.offset, a.entries - 1));
      for (let i = 0; i < a.width; i++) out.push(formCell(cell.decision.evaluate((node) => entry(clamped(node), i))));
      return;
    }
    const given = cs.sum([materialize(cs, cell)], [constantForm(-a.offset)]);
    const reach = reachOf(given, a.entries, (index) => Array.from({ length: a.width }, (_, i) => entry(index, i)));
    const count = reach.to - reach.from + 1;
    if (count > LOOKUP_LIMIT) throw new NotInTier(`a table with ${count} reachable entries, the limit is ${LOOKUP_LIMIT}`);
    const x = cs.sum([requantize(cs, given, 0, reach.from, reach.to)], [constantForm(-reach.from)]);
    for (let i = 0; i < a.width; i++) {
      const key = `${channel}:${reach.from}:${reach.to}:${i}`;
      const plan = plans.get(key) ?? planLookup(Array.from({ length: count }, (_, v) => entry(reach.from + v, i)));
      plans.set(key, plan);
      out.push(formCell(lookup(cs, x, plan)));
    }
  });
  return out;
}

/** values[index] by a tree of selections over the bits of the index, lowest bit first. */
function select(cs: ConstraintSystem, bits: readonly LinearForm[], values: readonly LinearForm[]): LinearForm {
  let level = [...values];
  for (const bit of bits) {
    const next: LinearForm[] = [];
    for (let i = 0; i < level.length; i += 2) next.push(choose(cs, bit, level[i + 1] ?? level[i]!, level[i]!));
    level = next;
  }
  return level[0]!;
}

/** Lookup of activations by activations. Cost: axis − 1 rows an element and the bits of the index. */
export function lowerGather(context: LoweringContext, instruction: Instruction<'gather'>, sources: Sources): Cell[] {
  const { cs } = context;
  const a = instruction.attributes;
  const [data, index] = [sources[0]!, sources[1]!];
  if (a.axis * instruction.length > GATHER_LIMIT)
    throw new NotInTier(`${instruction.length} lookups among ${a.axis} activations, the limit is ${GATHER_LIMIT} in all`);
  const choices = index.map((cell) => {
    const form = clampedIndex(cs, materializeNarrow(cs, cell), a.offset, a.axis);
    const bits = constantOf(form) === undefined ? rangeCheck(cs, form, bitsFor(a.axis - 1)) : [];
    return { form, bits };
  });
  return Array.from({ length: instruction.length }, (_, e) => {
    const j = Math.floor(e / a.width);
    const outer = Math.floor(j / a.count);
    const { form, bits } = choices[a.perOuter === 1 ? j : j % a.count]!;
    const at = (i: number): Cell => data[(outer * a.axis + i) * a.width + (e % a.width)]!;
    const known = constantOf(form);
    if (known !== undefined) return at(known);
    return formCell(
      select(
        cs,
        bits,
        Array.from({ length: a.axis }, (_, i) => materialize(cs, at(i))),
      ),
    );
  });
}
