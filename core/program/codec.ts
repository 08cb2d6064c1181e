import { z } from 'zod';
import type { Hash } from '../brand.ts';
import { AssayError } from '../errors.ts';
import { keccak256, toHash } from '../keccak.ts';
import { buildTree, leafHash } from '../tree.ts';
import { type DecodedRecord, decodeRecord, encodeRecord, parameterRoot, RECORD_BYTES } from './record.ts';
import { type AnyInstruction, LIMITS, type Program, type ProgramInterface } from './types.ts';
import { sourceShapes, validateProgram } from './validate.ts';

/** First eight bytes of a program file. */
const MAGIC = new TextEncoder().encode('ASSAYPRG');
export const PROGRAM_VERSION = 1;
const HEADER_BYTES = 20;
const INTERFACE_LIMIT = 1 << 20;

const tensorSchema = z.strictObject({
  name: z.string().max(256),
  dims: z.array(z.int().min(1).max(LIMITS.length)).max(8),
  type: z.enum(['u8', 'i16', 'i32']),
  scales: z.array(z.number().positive()).min(1).max(65536),
  zeroPoints: z.array(z.int()).min(1).max(65536),
  axis: z.int().min(0).max(7),
});
const interfaceSchema = z.strictObject({ name: z.string().max(256), inputs: z.array(tensorSchema), outputs: z.array(tensorSchema) });

/** The one spelling of an interface: JSON without white space, members in the order of the schema. */
export function interfaceBytes(value: ProgramInterface): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(interfaceSchema.parse(value)));
}

/** Records of all instructions, in order. */
export function encodeRecords(program: Program): Uint8Array[] {
  return program.instructions.map((instruction) => encodeRecord(instruction, sourceShapes(program, instruction)));
}

/** `keccak(0x04 ‖ count as u32 big-endian ‖ top of the tree whose leaves are the records)`. */
export function instructionRoot(records: readonly Uint8Array[]): Hash {
  const head = new Uint8Array(5);
  head[0] = 4;
  new DataView(head.buffer).setUint32(1, records.length);
  return toHash(keccak256(head, buildTree(records.map(leafHash)).top));
}

/** Canonical bytes of a program (`program.assay`): one program, one file. Layout in docs/program-format.md. */
export function encodeProgram(program: Program): Uint8Array {
  const description = interfaceBytes(program.interface);
  const records = encodeRecords(program);
  const parameterBytes = program.instructions.reduce((n, instruction) => n + instruction.parameters.length, 0);
  const file = new Uint8Array(HEADER_BYTES + description.length + records.length * RECORD_BYTES + parameterBytes);
  const view = new DataView(file.buffer);
  file.set(MAGIC);
  view.setUint32(8, PROGRAM_VERSION);
  view.setUint32(12, records.length);
  view.setUint32(16, description.length);
  let at = HEADER_BYTES;
  for (const part of [description, ...records, ...program.instructions.map((instruction) => instruction.parameters)]) {
    file.set(part, at);
    at += part.length;
  }
  return file;
}

function malformed(why: string, facts: Record<string, number> = {}): never {
  throw new AssayError(`Not a program file: ${why}`, {
    code: 'PROGRAM_MALFORMED',
    facts,
    fix: 'give a program.assay written by `assay compile`',
  });
}

function parseInterface(bytes: Uint8Array): ProgramInterface {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    malformed('its interface is not JSON');
  }
  const parsed = interfaceSchema.safeParse(json);
  if (!parsed.success) malformed('its interface has the wrong form');
  const canonical = interfaceBytes(parsed.data);
  if (canonical.length !== bytes.length || !canonical.every((byte, i) => byte === bytes[i]))
    malformed('its interface is not in canonical form');
  return parsed.data;
}

/** Attaches its parameters to a record and checks their root and the declared source shapes. */
function assemble(record: DecodedRecord, parameters: Uint8Array, position: number): AnyInstruction {
  if (parameterRoot(parameters) !== record.parameterRoot) malformed('parameters do not match their root', { instruction: position });
  return { ...record.instruction, parameters } as AnyInstruction;
}

/**
 * Reads and fully validates a program file: every record, weight, shift and bound; nothing is trusted.
 * @throws AssayError PROGRAM_MALFORMED or PROGRAM_INVALID
 */
export function decodeProgram(given: Uint8Array): Program {
  // A Node Buffer's slice shares memory; a plain view copies.
  const file = new Uint8Array(given.buffer, given.byteOffset, given.length);
  if (file.length < HEADER_BYTES || file.length > LIMITS.programBytes) malformed('wrong size', { bytes: file.length });
  if (!MAGIC.every((byte, i) => file[i] === byte)) malformed('wrong first bytes');
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  if (view.getUint32(8) !== PROGRAM_VERSION) malformed('unknown version', { version: view.getUint32(8), known: PROGRAM_VERSION });
  const count = view.getUint32(12);
  const descriptionLength = view.getUint32(16);
  if (count > LIMITS.instructions || descriptionLength > INTERFACE_LIMIT) malformed('header out of range', { count, descriptionLength });
  const recordsAt = HEADER_BYTES + descriptionLength;
  let at = recordsAt + count * RECORD_BYTES;
  if (at > file.length) malformed('it ends early', { bytes: file.length });
  const description = parseInterface(file.subarray(HEADER_BYTES, recordsAt));
  const records = Array.from({ length: count }, (_, i) =>
    decodeRecord(file.subarray(recordsAt + i * RECORD_BYTES, recordsAt + (i + 1) * RECORD_BYTES)),
  );
  const instructions = records.map((record, i) => {
    const parameters = file.slice(at, at + record.parameterLength);
    if (parameters.length !== record.parameterLength) malformed('it ends early', { bytes: file.length });
    at += record.parameterLength;
    return assemble(record, parameters, i);
  });
  if (at !== file.length) malformed('bytes are left over', { bytes: file.length - at });
  const program: Program = { instructions, interface: description };
  for (const [i, record] of records.entries()) checkSourceShapes(program, record, i);
  validateProgram(program);
  return program;
}

function checkSourceShapes(program: Program, record: DecodedRecord, position: number): void {
  record.sourceShapes.forEach((shape, i) => {
    const source = program.instructions[record.instruction.sources[i]!];
    if (source === undefined || source.type !== shape.type || source.length !== shape.length)
      malformed('a declared source shape is wrong', { instruction: position });
  });
}
