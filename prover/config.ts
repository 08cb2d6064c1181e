import { z } from 'zod';
import { FAULT_KINDS } from './fault.ts';

const wei = z
  .string()
  .regex(/^[0-9]{1,30}$/, 'must be wei in decimal digits')
  .transform(BigInt);

/** What a node operator decides. Keys are not among it: they come from the environment. */
export const nodeConfigSchema = z.strictObject({
  rpc: z.url().describe('JSON-RPC endpoint of the chain'),
  deployment: z.string().min(1).optional().describe('deployments/<chainId>.json unless told'),
  data: z.string().min(1).describe('state directory, of this node alone'),
  models: z
    .array(z.strictObject({ modelId: z.string().regex(/^0x[0-9a-f]{64}$/), directory: z.string().min(1) }))
    .min(1)
    .max(64)
    .describe('models served: registered id, and the folder that holds its program'),
  host: z.string().default('127.0.0.1'),
  port: z.int().min(0).max(65535).default(8645),
  minimumFee: wei.default(0n).describe('requests below are ignored, wei'),
  mostFee: wei.optional().describe('requests above are left to others, wei'),
  mostCoverage: wei.optional().describe('optimistic requests above are ignored, wei'),
  maxFeePerGas: wei.optional().describe('never pays more for a unit of gas, wei; answers to demands are sent at any price'),
  confirmations: z.int().min(0).max(256).default(0),
  pollMilliseconds: z.int().min(50).max(60_000).default(500),
  proofProcesses: z.int().min(1).max(16).default(1),
  requestsPerMinute: z.int().min(1).max(1_000_000).default(6_000).describe('HTTP requests of one address'),
  logLevel: z.enum(['trace', 'debug', 'info', 'warn', 'error']).default('info'),
  /** Development chains only. */
  fault: z.strictObject({ seed: z.int().min(0).max(0xffffffff), kind: z.enum(FAULT_KINDS).default('tensor') }).optional(),
});

export type NodeConfig = z.output<typeof nodeConfigSchema>;
