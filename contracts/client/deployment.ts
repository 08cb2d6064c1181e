import type { Address } from 'viem';
import { z } from 'zod';
import { AssayError } from '../../core/errors.ts';

const address = z
  .string()
  .regex(/^0x[0-9a-fA-F]{40}$/, 'must be an address')
  .transform((text) => text as Address);

/** A deployment on one chain: `deployments/<chainId>.json`. */
export const deploymentSchema = z.object({
  chainId: z.int().min(1),
  /** Block in which deployment began: no event of these contracts lies before it. */
  block: z.int().min(0),
  registry: address,
  vault: address,
  requests: address,
  board: address,
  channels: address,
});

export type Deployment = z.output<typeof deploymentSchema>;

/**
 * Reads the text of a deployment file.
 * @throws AssayError DEPLOYMENT_INVALID; CHAIN_MISMATCH when it is for another chain
 */
export function parseDeployment(text: string, chainId: number): Deployment {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw invalid('it is not JSON', cause);
  }
  const parsed = deploymentSchema.safeParse(json);
  if (!parsed.success) throw invalid(`${parsed.error.issues[0]?.path.join('.')}: ${parsed.error.issues[0]?.message}`);
  if (parsed.data.chainId !== chainId) {
    throw new AssayError('The deployment file is for another chain', {
      code: 'CHAIN_MISMATCH',
      facts: { deployedOn: parsed.data.chainId, chain: chainId },
      fix: 'give the deployment file of this chain, or the RPC address of that one',
    });
  }
  return parsed.data;
}

function invalid(why: string, cause?: unknown): AssayError {
  return new AssayError(`The deployment file is not valid: ${why}`, {
    code: 'DEPLOYMENT_INVALID',
    fix: 'give the file that `assay deploy` wrote',
    ...(cause === undefined ? {} : { cause }),
  });
}
