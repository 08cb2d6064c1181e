import { z } from 'zod';
import { confirmations, deployment, httpUrl, keystore, logLevel, pollMilliseconds, rpc, wei } from '../runtime/configuration-members.ts';

/** What a challenger decides. Its key is not among it: it comes from a keystore file or the environment. */
export const challengerConfigSchema = z.strictObject({
  $schema: z.string().optional().describe('for editors: deploy/challenger.schema.json'),
  rpc,
  deployment,
  keystore: keystore('ASSAY_CHALLENGER_KEY'),
  data: z.string().min(1).describe('state directory, of this challenger alone'),
  rate: z.number().min(0).max(1).default(1).describe('share of claims that are re-executed, 0 to 1; the dice are its own'),
  mostOperations: z
    .int()
    .min(1)
    .default(100_000_000_000)
    .describe('claims on programs whose run takes more multiply-adds are left to others: one run holds up all other claims'),
  provers: z.array(httpUrl).max(64).default([]).describe('HTTP services of nodes to ask for programs and inputs'),
  fetchSeconds: z.int().min(1).max(600).default(20).describe('time for one download'),
  maxFeePerGas: wei.optional().describe('never pays more for a unit of gas, wei'),
  confirmations,
  pollMilliseconds,
  logLevel,
});

export type ChallengerConfig = z.output<typeof challengerConfigSchema>;
