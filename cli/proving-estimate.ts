import { availableParallelism } from 'node:os';
import { SCALAR_FIELD } from '../core/zk-encoding.ts';

/** Expected cost of one proof and of a development setup: estimates, see docs/compiling.md, "What a proof will cost". */
export interface ProvingEstimate {
  readonly seconds: number;
  readonly memoryBytes: number;
  readonly setupSeconds: number;
  /** How the figures came to be. */
  readonly basis: string;
}

/**
 * Figures of the reference machine (two cores of a 2.x GHz server Xeon): snarkjs proved a domain of 2^14 in 0.46 s and one of 2^17 in 3.5
 * to 3.9 s. The rest of the start is that of the process and of its circuit. A development setup shares its work evenly: half of the 6 to 7
 * processor seconds for 2^14, 32 for 2^17, 41 to 49 for 2^18, 81 for 2^19 and 272 for 2^21 that it took on a busy machine (docs/circuits.md).
 */
const PROOF = { start: 0.5, perRow: 28e-6 } as const;
const SETUP = { start: 2, perRow: 85e-6 } as const;
const REFERENCE = { cores: 2, benchmarkSeconds: 0.0095 } as const;
/** Part of the work that more cores do not speed up. */
const SERIAL_SHARE = 0.2;
/**
 * Resident memory of the proving process: Node with the curve, the key as read and as used, vectors over the domain. Fitted to the
 * models of docs/circuits.md from 2^15 to 2^21, all within a tenth.
 */
const MEMORY = { base: 300e6, perKeyByte: 2.3, perRow: 1150 } as const;

export function provingEstimate(domain: number, keyBytes: number, machine: Machine = measureMachine()): ProvingEstimate {
  const scaled = (seconds: number): number => Math.round(seconds * machine.slowness * 10) / 10;
  return {
    seconds: scaled(PROOF.start + PROOF.perRow * domain),
    setupSeconds: scaled(SETUP.start + SETUP.perRow * domain),
    memoryBytes: Math.round(MEMORY.base + MEMORY.perKeyByte * keyBytes + MEMORY.perRow * domain),
    basis: `estimate for ${machine.cores} cores, scaled by a small benchmark of this machine`,
  };
}

export interface Machine {
  readonly cores: number;
  /** Time of this machine over that of the reference machine. */
  readonly slowness: number;
}

/** Times modular multiplications on one core, about 30 ms, and counts the cores. */
export function measureMachine(): Machine {
  const cores = availableParallelism();
  const runs = Array.from({ length: 3 }, benchmark);
  const oneCore = Math.min(...runs) / REFERENCE.benchmarkSeconds;
  return { cores, slowness: oneCore * (SERIAL_SHARE + ((1 - SERIAL_SHARE) * REFERENCE.cores) / cores) };
}

/** Processor seconds of 30,000 multiplications in the scalar field: other work on the machine hardly shows. */
function benchmark(): number {
  const before = process.cpuUsage();
  let value = 7n;
  for (let i = 0; i < 30_000; i++) value = (value * (value + 3n)) % SCALAR_FIELD;
  const { user, system } = process.cpuUsage(before);
  return Math.max(1, user + system) / 1e6;
}
