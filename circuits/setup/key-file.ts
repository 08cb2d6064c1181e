import { open } from 'node:fs/promises';
import { AssayError } from '../../core/errors.ts';
import { BASE_FIELD } from '../../core/zk-encoding.ts';
import type { CompiledCircuit } from '../compile.ts';
import { FIELD_BYTES, FIELD_PRIME, writeField } from '../field.ts';
import type { Contribution } from './files.ts';

/** Where the sections of an iden3 binary file lie. */
export type Sections = ReadonlyMap<number, { readonly at: number; readonly bytes: number }>;

function malformed(file: string, why: string): never {
  throw new AssayError('Not a proving key', { code: 'KEY_MALFORMED', facts: { file, why }, fix: 'run `assay setup` again' });
}

const SECTION_LIMIT = 64;
const GROTH16 = 1;
const CEREMONY_BYTES = 16 << 20;

/** Reads the section table of a .zkey file. @throws AssayError KEY_MALFORMED */
export async function readSections(file: string): Promise<Sections> {
  const handle = await open(file, 'r');
  try {
    const { size } = await handle.stat();
    const head = Buffer.alloc(12);
    await handle.read(head, 0, 12, 0);
    if (head.toString('latin1', 0, 4) !== 'zkey' || head.readUInt32LE(4) !== 1) malformed(file, 'wrong first bytes');
    const count = head.readUInt32LE(8);
    if (count > SECTION_LIMIT) malformed(file, 'too many sections');
    const sections = new Map<number, { at: number; bytes: number }>();
    let at = 12;
    for (let i = 0; i < count; i++) {
      const { bytesRead } = await handle.read(head, 0, 12, at);
      if (bytesRead !== 12) malformed(file, 'it ends early');
      const bytes = Number(head.readBigUInt64LE(4));
      at += 12;
      if (at + bytes > size || sections.has(head.readUInt32LE(0))) malformed(file, 'a section is out of place');
      sections.set(head.readUInt32LE(0), { at, bytes });
      at += bytes;
    }
    if (at !== size) malformed(file, 'bytes are left over');
    return sections;
  } finally {
    await handle.close();
  }
}

export async function readSection(file: string, sections: Sections, id: number, limit = Number.POSITIVE_INFINITY): Promise<Uint8Array> {
  const section = sections.get(id) ?? malformed(file, `section ${id} is missing`);
  if (section.bytes > limit) malformed(file, `section ${id} is too large`);
  const handle = await open(file, 'r');
  try {
    const bytes = new Uint8Array(section.bytes);
    let done = 0;
    while (done < bytes.length) {
      const { bytesRead } = await handle.read(bytes, done, Math.min(bytes.length - done, 1 << 28), section.at + done);
      if (bytesRead === 0) malformed(file, 'it ends early');
      done += bytesRead;
    }
    return bytes;
  } finally {
    await handle.close();
  }
}

const HEADER_BYTES = 2 * (4 + FIELD_BYTES) + 12 + 3 * 64 + 3 * 128;

/** Bytes of each section of a key for this circuit; the first names the proof system, the last holds the ceremony, of any length. */
function sectionBytes({ system, layout, report }: CompiledCircuit): ReadonlyMap<number, number> {
  const { wires, domain } = report;
  const shown = layout.count + 1;
  const terms = system.nonzerosAB + shown;
  return new Map([
    [1, 4],
    [2, HEADER_BYTES],
    [3, 64 * shown],
    [4, 4 + terms * (12 + FIELD_BYTES)],
    [5, 64 * wires],
    [6, 64 * wires],
    [7, 128 * wires],
    [8, 64 * (wires - shown)],
    [9, 64 * domain],
  ]);
}

/** Section 2 up to its points: both primes, and the sizes of the circuit. */
function headerBytes({ layout, report }: CompiledCircuit): Uint8Array {
  const bytes = new Uint8Array(2 * (4 + FIELD_BYTES) + 12);
  const view = new DataView(bytes.buffer);
  [BASE_FIELD, FIELD_PRIME].forEach((prime, i) => {
    view.setUint32(i * (4 + FIELD_BYTES), FIELD_BYTES, true);
    writeField(view, i * (4 + FIELD_BYTES) + 4, prime);
  });
  [report.wires, layout.count, report.domain].forEach((size, i) => {
    view.setUint32(2 * (4 + FIELD_BYTES) + 4 * i, size, true);
  });
  return bytes;
}

/**
 * Why a file cannot be a key of this circuit, by its sizes alone: a half-written file, one for another circuit, one whose header promises
 * more than is there. What passes can be given to snarkjs, which believes what it reads. Cost: a few reads.
 */
export async function keyProblem(file: string, circuit: CompiledCircuit): Promise<string | undefined> {
  try {
    const sections = await readSections(file);
    for (const [id, bytes] of sectionBytes(circuit)) {
      const found = sections.get(id)?.bytes;
      if (found !== bytes) return `section ${id} has ${found ?? 'no'} bytes, a key of this circuit ${bytes}`;
    }
    const system = Buffer.from(await readSection(file, sections, 1));
    if (system.readUInt32LE(0) !== GROTH16) return 'it is not for Groth16';
    const header = Buffer.from(await readSection(file, sections, 2));
    const expected = headerBytes(circuit);
    return header.subarray(0, expected.length).equals(expected) ? undefined : 'its header is that of another field or circuit';
  } catch (error) {
    if (error instanceof AssayError && error.code === 'KEY_MALFORMED') return String(error.facts.why);
    throw error;
  }
}

/** @throws AssayError KEY_MALFORMED unless the file has the form of a key of this circuit */
export async function requireKeyForm(file: string, circuit: CompiledCircuit): Promise<void> {
  const problem = await keyProblem(file, circuit);
  if (problem !== undefined) malformed(file, problem);
}

/** The ceremony section: hash of the circuit, and each contribution with its name, transcript and beacon. */
export interface KeyCeremony {
  readonly circuit: string;
  readonly contributions: readonly Contribution[];
}

const POINTS_OF_CONTRIBUTION = 64 * 3 + 128;

export async function readCeremony(file: string, sections: Sections): Promise<KeyCeremony> {
  const bytes = Buffer.from(await readSection(file, sections, 10, CEREMONY_BYTES));
  const take = (at: number, count: number): Buffer => {
    if (at + count > bytes.length) malformed(file, 'the ceremony ends early');
    return bytes.subarray(at, at + count);
  };
  const circuit = take(0, 64).toString('hex');
  const count = take(64, 4).readUInt32LE(0);
  const contributions: Contribution[] = [];
  let at = 68;
  for (let i = 0; i < count; i++) {
    const transcript = take(at + POINTS_OF_CONTRIBUTION, 64).toString('hex');
    const head = take(at + POINTS_OF_CONTRIBUTION + 64, 8);
    const parameters = take(at + POINTS_OF_CONTRIBUTION + 72, head.readUInt32LE(4));
    contributions.push({ ...readParameters(file, parameters, head.readUInt32LE(0) === 1), transcript });
    at += POINTS_OF_CONTRIBUTION + 72 + parameters.length;
  }
  if (at !== bytes.length) malformed(file, 'bytes are left over after the ceremony');
  return { circuit, contributions };
}

/** Parameters of a contribution: 1 name, 2 iterations exponent, 3 beacon; each a tag, then a length where it varies. */
function readParameters(file: string, bytes: Buffer, isBeacon: boolean): Omit<Contribution, 'transcript'> {
  let name = '';
  let beacon: string | undefined;
  let iterationsExponent: number | undefined;
  let at = 0;
  while (at < bytes.length) {
    const tag = bytes[at]!;
    if (tag === 2) {
      iterationsExponent = bytes[at + 1] ?? malformed(file, 'a contribution ends early');
      at += 2;
      continue;
    }
    const length = bytes[at + 1] ?? malformed(file, 'a contribution ends early');
    const value = bytes.subarray(at + 2, at + 2 + length);
    if (tag === 1) name = value.toString('utf8');
    else if (tag === 3) beacon = value.toString('hex');
    else malformed(file, 'a contribution has an unknown parameter');
    at += 2 + length;
  }
  const kind = isBeacon ? 'beacon' : 'contribution';
  return {
    kind,
    name,
    ...(beacon === undefined ? {} : { beacon }),
    ...(iterationsExponent === undefined ? {} : { iterationsExponent }),
  };
}
