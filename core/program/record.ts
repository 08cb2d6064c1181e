import type { Hash } from '../brand.ts';
import { AssayError } from '../errors.ts';
import { fromHex, toHash } from '../keccak.ts';
import type { TensorShape } from '../ops/operation.ts';
import { ELEMENT_TYPES, elementTypeOfCode } from '../tensor.ts';
import { buildTree, EMPTY, leavesOfBytes } from '../tree.ts';
import { type AnyInstruction, ATTRIBUTES, KINDS, type Kind, LIMITS } from './types.ts';

/**
 * The fixed binary form of an instruction, 204 bytes, big-endian: what the chain reads and what a leaf of the instruction
 * tree holds. Layout in docs/program-format.md, "Records".
 */
export const RECORD_BYTES = 204;
const PARAMETER_LENGTH_AT = 8;
const PARAMETER_ROOT_AT = 12;
const SOURCES_AT = 44;
const ATTRIBUTES_AT = 108;
const ATTRIBUTE_SLOTS = 24;

/** Root of an instruction's parameter bytes: the tree's top, or EMPTY without parameters. */
export function parameterRoot(parameters: Uint8Array): Hash {
  return toHash(parameters.length === 0 ? EMPTY : buildTree(leavesOfBytes(parameters)).top);
}

/** Attribute values of an instruction in record order. */
export function attributeValues(instruction: AnyInstruction): number[] {
  const attributes = instruction.attributes as Readonly<Record<string, number>>;
  return ATTRIBUTES[instruction.kind].map((name) => attributes[name]!);
}

/**
 * @param root the parameter root, where the caller has it already
 * @throws AssayError RECORD_RANGE when an attribute does not fit 32 bits
 */
export function encodeRecord(
  instruction: AnyInstruction,
  sources: readonly TensorShape[],
  root = parameterRoot(instruction.parameters),
): Uint8Array {
  const record = new Uint8Array(RECORD_BYTES);
  const view = new DataView(record.buffer);
  record[0] = KINDS.indexOf(instruction.kind);
  record[1] = ELEMENT_TYPES[instruction.type];
  record[2] = sources.length;
  view.setUint32(4, instruction.length);
  view.setUint32(PARAMETER_LENGTH_AT, instruction.parameters.length);
  record.set(fromHex(root), PARAMETER_ROOT_AT);
  sources.forEach((source, i) => {
    view.setUint16(SOURCES_AT + 8 * i, instruction.sources[i]!);
    record[SOURCES_AT + 8 * i + 2] = ELEMENT_TYPES[source.type];
    view.setUint32(SOURCES_AT + 8 * i + 4, source.length);
  });
  attributeValues(instruction).forEach((value, i) => {
    if (!Number.isInteger(value) || value < -2147483648 || value > 2147483647) {
      throw new AssayError('An attribute does not fit 32 bits', {
        code: 'RECORD_RANGE',
        facts: { kind: instruction.kind, attribute: ATTRIBUTES[instruction.kind][i] ?? '', value },
      });
    }
    view.setInt32(ATTRIBUTES_AT + 4 * i, value);
  });
  return record;
}

/** A record as read from a file or a chain, before its parameters are known. */
export interface DecodedRecord {
  readonly kind: Kind;
  readonly instruction: Omit<AnyInstruction, 'parameters'>;
  readonly sourceShapes: readonly TensorShape[];
  readonly parameterLength: number;
  readonly parameterRoot: Hash;
}

function malformed(why: string): never {
  throw new AssayError(`Malformed instruction record: ${why}`, {
    code: 'RECORD_MALFORMED',
    fix: 'fetch the program again; its hash will tell which copy is right',
  });
}

/** @throws AssayError RECORD_MALFORMED unless the bytes are exactly what encodeRecord writes. */
export function decodeRecord(record: Uint8Array): DecodedRecord {
  if (record.length !== RECORD_BYTES) malformed('wrong size');
  const view = new DataView(record.buffer, record.byteOffset, record.length);
  const kind = KINDS[record[0]!] ?? malformed('unknown kind');
  const type = elementTypeOfCode(record[1]!) ?? malformed('unknown type');
  const count = record[2]!;
  if (count > LIMITS.sources || record[3] !== 0) malformed('too many sources, or reserved bytes set');
  const sources: number[] = [];
  const sourceShapes: TensorShape[] = [];
  for (let i = 0; i < LIMITS.sources; i++) {
    const at = SOURCES_AT + 8 * i;
    if (i < count) {
      if (record[at + 3] !== 0) malformed('reserved bytes set');
      sources.push(view.getUint16(at));
      sourceShapes.push({ type: elementTypeOfCode(record[at + 2]!) ?? malformed('unknown source type'), length: view.getUint32(at + 4) });
    } else if (view.getBigUint64(at) !== 0n) malformed('unused source slot set');
  }
  const names = ATTRIBUTES[kind];
  const attributes: Record<string, number> = {};
  for (let i = 0; i < ATTRIBUTE_SLOTS; i++) {
    const value = view.getInt32(ATTRIBUTES_AT + 4 * i);
    const name = names[i];
    if (name !== undefined) attributes[name] = value;
    else if (value !== 0) malformed('unused attribute slot set');
  }
  // The attribute names come from the kind's own row of the table, so the union member is the right one.
  const instruction = { kind, type, length: view.getUint32(4), sources, attributes } as unknown as Omit<AnyInstruction, 'parameters'>;
  return {
    kind,
    instruction,
    sourceShapes,
    parameterLength: view.getUint32(PARAMETER_LENGTH_AT),
    parameterRoot: toHash(record.slice(PARAMETER_ROOT_AT, SOURCES_AT)),
  };
}
