import { availableParallelism } from 'node:os';

/** Expected cost of one proof. An estimate: see docs/compiling.md, "What a proof will cost". */
export interface ProvingEstimate {
  readonly seconds: number;
  readonly memoryBytes: number;
  readonly setupSeconds: number;
  /** How the figures came to be. */
  readonly basis: string;
}

/**
 * Two-core figures of the bench (docs/compiling.md): a proof takes a fixed start and then time in proportion to the domain; a setup too.
 * Time shrinks with cores, but not fully: a fifth of it does not run in parallel.
 */
const PROOF = { start: 0.4, perRow: 27e-6 } as const;
const SETUP = { start: 0.5, perRow: 150e-6 } as const;
const MEASURED_CORES = 2;
const SERIAL_SHARE = 0.2;
/** Memory of a proof: the curve's own, the key, and vectors of field elements over the domain. */
const MEMORY = { base: 150e6, keyShare: 1.5, perRow: 400 } as const;

export function provingEstimate(domain: number, keyBytes: number, cores = availableParallelism()): ProvingEstimate {
  const speed = SERIAL_SHARE + ((1 - SERIAL_SHARE) * MEASURED_CORES) / cores;
  const round = (seconds: number): number => Math.round(seconds * 10) / 10;
  return {
    seconds: round((PROOF.start + PROOF.perRow * domain) * speed),
    setupSeconds: round((SETUP.start + SETUP.perRow * domain) * speed),
    memoryBytes: Math.round(MEMORY.base + MEMORY.keyShare * keyBytes + MEMORY.perRow * domain),
    basis: `estimated from the domain for ${cores} cores, not measured here`,
  };
}
