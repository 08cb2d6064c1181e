import { z } from 'zod';

const wei = z
  .string()
  .regex(/^[0-9]{1,30}$/, 'must be wei in decimal digits')
  .transform(BigInt);

/** What a challenger decides. Its key is not among it: it comes from the environment. */
export const challengerConfigSchema = z.strictObject({
  rpc: z.url().describe('JSON-RPC endpoint of the chain'),
  deployment: z.string().min(1).optional().describe('deployments/<chainId>.json unless told'),
  data: z.string().min(1).describe('state directory, of this challenger alone'),
  rate: z.number().min(0).max(1).default(1).describe('share of claims that are re-executed'),
  mostOperations: z
    .int()
    .min(1)
    .default(100_000_000_000)
    .describe('claims on programs whose run takes more multiply-adds are left to others: one run holds up all other claims'),
  provers: z.array(z.url()).max(64).default([]).describe('HTTP services of nodes to ask for programs and inputs'),
  maxFeePerGas: wei.optional().describe('never pays more for a unit of gas, wei'),
  confirmations: z.int().min(0).max(256).default(0),
  pollMilliseconds: z.int().min(50).max(60_000).default(500),
  fetchSeconds: z.int().min(1).max(600).default(20),
  logLevel: z.enum(['trace', 'debug', 'info', 'warn', 'error']).default('info'),
});

export type ChallengerConfig = z.output<typeof challengerConfigSchema>;
