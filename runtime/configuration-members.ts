import { z } from 'zod';

/** Members that the configurations of several processes share. */

export const wei = z
  .string()
  .regex(/^[0-9]{1,30}$/, 'must be wei in decimal digits, as text')
  .transform(BigInt);
export const httpUrl = z.url({ protocol: /^https?$/, error: 'must be an http or https URL' });

export const rpc = z
  .union([httpUrl, z.array(httpUrl).min(1).max(8)])
  .transform((given) => (typeof given === 'string' ? [given] : given))
  .meta({ description: 'JSON-RPC address of the chain, or a list of up to 8: the next is asked when one fails', writeOnly: true });

export const deployment = z
  .string()
  .min(1)
  .optional()
  .describe('the file that `assay deploy` wrote; deployments/<chainId>.json unless told');

/** @param variable that holds the key where there is no keystore */
export function keystore(variable: string) {
  return z
    .strictObject({
      file: z.string().min(1).describe('encrypted key file (Web3 Secret Storage)'),
      passwordFile: z.string().min(1).optional().describe('file with its password; ASSAY_KEYSTORE_PASSWORD unless told'),
    })
    .optional()
    .describe(`where the hot key is; ${variable} otherwise`);
}

export const confirmations = z
  .int()
  .min(0)
  .max(256)
  .default(0)
  .describe('blocks on top of one before its events are believed; 2 or more where the chain reorganises');
export const pollMilliseconds = z.int().min(50).max(60_000).default(500).describe('how often the chain is looked at');
export const logLevel = z
  .enum(['trace', 'debug', 'info', 'warn', 'error'])
  .default('info')
  .describe('least important lines that are logged');
