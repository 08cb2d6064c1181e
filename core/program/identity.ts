import type { Hash, Hex, ModelId } from '../brand.ts';
import { AssayError } from '../errors.ts';
import { fromHex, keccak256, toHash } from '../keccak.ts';
import { ELEMENT_TYPES } from '../tensor.ts';
import { encodeRecords, instructionRoot, interfaceBytes, PROGRAM_VERSION } from './codec.ts';
import { worstStep } from './cost.ts';
import type { AnyInstruction, Program } from './types.ts';
import { inputCount, outputInstructions } from './validate.ts';

export const ZERO_HASH = `0x${'00'.repeat(32)}` as Hash;

/** How a proof sees the input: no zk tier, public packed bytes, a Poseidon commitment. */
export const INPUT_FORMS = { none: 0, packed: 1, commitment: 2 } as const;

/** The identity of a model, field for field `ModelRecord` of contracts/src/ModelTypes.sol; meaning in docs/program-format.md. */
export interface ModelRecord {
  readonly version: number;
  readonly instructionRoot: Hash;
  readonly interfaceHash: Hash;
  readonly instructionCount: number;
  readonly inputs: bigint;
  readonly outputs: bigint;
  readonly greatestDepth: number;
  readonly worstStepBytes: number;
  readonly worstStepGas: bigint;
  readonly inputForm: number;
  readonly keyHash: Hash;
  readonly provenance: Hash;
  /** 20 bytes of hex. */
  readonly creator: Hex;
  /** Basis points of every fee. */
  readonly royalty: number;
}

/** What the identity adds to the program: who earns from it and how it is proved. */
export interface ModelTermsInput {
  readonly creator: Hex;
  readonly royalty?: number;
  /** Missing without a zk tier. */
  readonly key?: { readonly inputForm: 1 | 2; readonly keyHash: Hash; readonly provenance: Hash };
}

/** Tensor types and lengths in one word: bits [40·i, 40·i + 40) = type << 32 | length, the count in bits 240–247. */
export function packTensors(tensors: readonly Pick<AnyInstruction, 'type' | 'length'>[]): bigint {
  let word = BigInt(tensors.length) << 240n;
  tensors.forEach(({ type, length }, i) => {
    word |= ((BigInt(ELEMENT_TYPES[type]) << 32n) | BigInt(length)) << BigInt(40 * i);
  });
  return word;
}

/** The record of a valid program. */
export function modelRecord(program: Program, terms: ModelTermsInput): ModelRecord {
  const worst = worstStep(program);
  return {
    version: PROGRAM_VERSION,
    instructionRoot: instructionRoot(encodeRecords(program)),
    interfaceHash: toHash(keccak256(interfaceBytes(program.interface))),
    instructionCount: program.instructions.length,
    inputs: packTensors(program.instructions.slice(0, inputCount(program))),
    outputs: packTensors(outputInstructions(program)),
    greatestDepth: worst.depth,
    worstStepBytes: worst.bytes,
    worstStepGas: BigInt(worst.gas),
    inputForm: terms.key?.inputForm ?? INPUT_FORMS.none,
    keyHash: terms.key?.keyHash ?? ZERO_HASH,
    provenance: terms.key?.provenance ?? ZERO_HASH,
    creator: terms.creator,
    royalty: terms.royalty ?? 0,
  };
}

/** Fields in ABI order with their size in bits; hashes and the address are given as hex. */
const FIELDS: readonly (readonly [keyof ModelRecord, number])[] = [
  ['version', 32],
  ['instructionRoot', 256],
  ['interfaceHash', 256],
  ['instructionCount', 32],
  ['inputs', 256],
  ['outputs', 256],
  ['greatestDepth', 8],
  ['worstStepBytes', 32],
  ['worstStepGas', 64],
  ['inputForm', 8],
  ['keyHash', 256],
  ['provenance', 256],
  ['creator', 160],
  ['royalty', 16],
];

/**
 * ABI encoding of a record (`abi.encode`: 14 words, big-endian).
 * @throws AssayError RECORD_RANGE when a field does not fit its type
 */
export function encodeModelRecord(record: ModelRecord): Uint8Array {
  const words = FIELDS.map(([name, bits]) => {
    const given = record[name];
    const isHex = typeof given !== 'string' || new RegExp(`^0x[0-9a-fA-F]{${bits / 4}}$`).test(given);
    const isWhole = typeof given !== 'number' || Number.isSafeInteger(given);
    const value = isHex && isWhole ? BigInt(given) : -1n;
    if (value < 0n || value >= 1n << BigInt(bits)) {
      throw new AssayError('A field of the model record does not fit its type', {
        code: 'RECORD_RANGE',
        facts: { field: name, bits, value: String(given) },
      });
    }
    return value.toString(16).padStart(64, '0');
  });
  return fromHex(`0x${words.join('')}`);
}

/** `keccak256(abi.encode(record))`: what a model is called on every chain. */
export function modelId(record: ModelRecord): ModelId {
  return toHash(keccak256(encodeModelRecord(record))) as Hex as ModelId;
}
