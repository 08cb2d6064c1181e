import { setImmediate } from 'node:timers/promises';
import { buildPoseidonOpt } from 'circomlibjs';
import { packBytes } from '../core/zk-encoding.ts';
import { GROUP } from './gadgets/poseidon.ts';

type PoseidonHash = Awaited<ReturnType<typeof buildPoseidonOpt>>;
let poseidon: Promise<PoseidonHash> | undefined;

/**
 * Commitment to input bytes: h = byteLength; for each group of 15 packed elements (31 bytes little-endian each, zero-padded)
 * h = Poseidon(h, g_0 … g_14). Binding: packing is injective for a given length, and the length is hashed first. A field element.
 * Cost: some 3 ms a group of 465 bytes, between which everything else of the process gets its turn.
 */
export async function commitInput(bytes: Uint8Array): Promise<bigint> {
  poseidon ??= buildPoseidonOpt();
  const hash = await poseidon;
  const elements = packBytes(bytes);
  let state = BigInt(bytes.length);
  for (let from = 0; from < elements.length; from += GROUP) {
    const group = Array.from({ length: GROUP }, (_, i) => elements[from + i] ?? 0n);
    if (from > 0) await setImmediate();
    state = BigInt(hash.F.toObject(hash([state, ...group])));
  }
  return state;
}
