import { decodeMap, locate } from '../../core/ops/map.ts';
import type { AnyInstruction, Instruction } from '../../core/program/types.ts';
import { fromBytes } from '../../core/tensor.ts';
import type { ConstraintSystem } from '../constraint-system.ts';
import { LOOKUP_LIMIT, type LookupPlan, lookup, POLYNOMIAL_LIMIT, planLookup } from '../gadgets/lookup.ts';
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

/** Coefficients of a grid fill the field: each takes about this many times as long as a small one. */
const FIELD_TERM = 8;

/** From how many entries on it pays to clamp an index that need not be. */
const TRIM_FROM = 512;

/** Terms of the lookups of a table if all of it could be reached. */
export function tableTerms({ kind, attributes, length }: AnyInstruction): number {
  return kind === 'table' && attributes.entries > POLYNOMIAL_LIMIT ? FIELD_TERM * length * attributes.entries : 0;
}

interface Reach {
  readonly from: number;
  readonly to: number;
}

/** Without the constant stretches at both ends. */
function trimmed({ from, to }: Reach, read: (index: number) => readonly number[]): Reach {
  const same = (a: number, b: number): boolean => {
    const other = read(b);
    return read(a).every((value, i) => value === other[i]);
  };
  let [first, last] = [from, to];
  while (first < last && same(first, first + 1)) first++;
  while (last > first && same(last, last - 1)) last--;
  return { from: first, to: last };
}

/**
 * The entries that an index can reach and that differ: where a clamp is needed anyway, or the table is large, the constant stretches at
 * its ends are clamped away.
 */
function reachOf(index: LinearForm, entries: number, read: (index: number) => readonly number[]): Reach {
  const reach = { from: Math.max(0, Math.min(index.low, entries - 1)), to: Math.min(entries - 1, Math.max(index.high, 0)) };
  if (index.low >= 0 && index.high < entries && reach.to - reach.from < TRIM_FROM) return reach;
  return trimmed(reach, read);
}

type TableReader = (channel: number) => (index: number) => readonly number[];

/** Reads the `width` values of an entry of a channel's table. */
function tableReader(instruction: Instruction<'table'>): TableReader {
  const { entries, width } = instruction.attributes;
  const values = fromBytes(instruction.type, instruction.parameters);
  return (channel) => (index) => Array.from(values.subarray((channel * entries + index) * width, (channel * entries + index + 1) * width));
}

/** A lookup that is decided on and not built yet. */
interface Planned {
  readonly given: LinearForm;
  readonly reach: Reach;
  readonly channel: number;
}

/** Which entries each element can reach, before any lookup is built: tells what the terms will be. */
function planElements(cs: ConstraintSystem, instruction: Instruction<'table'>, source: readonly Cell[], reader: TableReader): Planned[] {
  const a = instruction.attributes;
  const reaches = new Map<string, Reach>();
  return source.map((cell, j) => {
    const channel = Math.floor(j / a.channelInner) % a.channels;
    const given = cs.sum([materialize(cs, cell)], [constantForm(-a.offset)]);
    const key = `${channel}:${given.low}:${given.high}`;
    const reach = reaches.get(key) ?? reachOf(given, a.entries, reader(channel));
    reaches.set(key, reach);
    const count = reach.to - reach.from + 1;
    if (count > LOOKUP_LIMIT) throw new NotInTier(`a table with ${count} reachable entries, the limit is ${LOOKUP_LIMIT}`);
    return { given, reach, channel };
  });
}

/** Whether the elements are chosen among constants by a tree that nobody else reads: then the table labels the tree's nodes. */
function isDecided(context: LoweringContext, instruction: Instruction<'table'>, source: readonly Cell[]): boolean {
  const alone = context.readers[instruction.sources[0]!] === 1;
  return alone && source.every(({ decision, form }) => decision !== undefined && form === undefined);
}

/** Tables: constants become labels of a tree that feeds them, else a polynomial over the reachable entries. */
export function lowerTable(context: LoweringContext, instruction: Instruction<'table'>, sources: Sources): Cell[] {
  const { cs, budget } = context;
  const a = instruction.attributes;
  const source = sources[0]!;
  const reader = tableReader(instruction);
  const outputs = Array.from({ length: a.width }, (_, i) => i);
  if (isDecided(context, instruction, source)) {
    const clamped = (node: number): number => Math.max(0, Math.min(node - a.offset, a.entries - 1));
    return source.flatMap(({ decision }, j) => {
      const read = reader(Math.floor(j / a.channelInner) % a.channels);
      return outputs.map((i) => formCell(decision!.evaluate((node) => read(clamped(node))[i]!)));
    });
  }
  const planned = planElements(cs, instruction, source, reader);
  for (const { reach } of planned) {
    const count = reach.to - reach.from + 1;
    if (count > POLYNOMIAL_LIMIT) budget.take(FIELD_TERM * a.width * count);
  }
  const plans = new Map<string, LookupPlan>();
  return planned.flatMap(({ given, reach: { from, to }, channel }) => {
    const read = reader(channel);
    const x = cs.sum([requantize(cs, given, 0, from, to)], [constantForm(-from)]);
    return outputs.map((i) => {
      const key = `${channel}:${from}:${to}:${i}`;
      const plan = plans.get(key) ?? planLookup(Array.from({ length: to - from + 1 }, (_, v) => read(from + v)[i]!));
      plans.set(key, plan);
      return formCell(lookup(cs, x, plan));
    });
  });
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
