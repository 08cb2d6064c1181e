import {
  type Account,
  type Address,
  type Chain,
  getContractAddress,
  type Hex,
  type PublicClient,
  type Transport,
  type WalletClient,
} from 'viem';
import { AssayError } from '../../core/errors.ts';
import type { Deployment } from './deployment.ts';
import { claimBoardAbi, claimBoardBytecode } from './generated/claimBoard.ts';
import { coverageChannelsAbi, coverageChannelsBytecode } from './generated/coverageChannels.ts';
import { groth16VerifierAbi, groth16VerifierBytecode } from './generated/groth16Verifier.ts';
import { instructionValidatorAbi, instructionValidatorBytecode } from './generated/instructionValidator.ts';
import { modelRegistryAbi, modelRegistryBytecode } from './generated/modelRegistry.ts';
import { requestsAbi, requestsBytecode } from './generated/requests.ts';
import { stakeVaultAbi, stakeVaultBytecode } from './generated/stakeVault.ts';
import { stepVerifierAbi, stepVerifierBytecode } from './generated/stepVerifier.ts';
import { receiptOf } from './receipt.ts';

/** What a network fixes for good when the contracts are deployed on it. Times in seconds. */
export interface DeploymentConstants {
  /** How long a claim that nobody presses waits to be final. */
  readonly window: number;
  /** Time to answer a demand; well above the chain's forced-inclusion delay. */
  readonly response: number;
  /** Time to react to an answer; likewise. */
  readonly reaction: number;
  /** Bounds of the fee that dispute prices are computed with, wei per gas. Minimum coverage follows the upper one. */
  readonly minimumFee: bigint;
  readonly maximumFee: bigint;
  /** Contract that reads the network's fee where `block.basefee` is not all of it; zero for none. */
  readonly feeSource?: Address;
  /** Length of the one exclusive period a request may have. */
  readonly exclusivePeriod: number;
}

/** For public networks: a transaction censored for a day still lands. */
export const PUBLIC_CONSTANTS: DeploymentConstants = {
  window: 24 * 3600,
  response: 24 * 3600,
  reaction: 12 * 3600,
  minimumFee: 1_000_000n,
  maximumFee: 50_000_000_000n,
  exclusivePeriod: 120,
};

/** For a chain on one's own machine: a dispute plays in a minute. */
export const LOCAL_CONSTANTS: DeploymentConstants = {
  window: 20,
  response: 20,
  reaction: 10,
  minimumFee: 1_000_000n,
  maximumFee: 2_000_000_000n,
  exclusivePeriod: 10,
};

/** Every contract of a deployment. */
export interface DeployedAssay extends Deployment {
  readonly stepVerifier: Address;
  readonly validator: Address;
  readonly verifier: Address;
}

interface Step {
  readonly name: string;
  readonly abi: readonly unknown[];
  readonly bytecode: Hex;
  readonly args: readonly unknown[];
}

const ZERO = '0x0000000000000000000000000000000000000000';

/**
 * Deploys all contracts from one account, in eight transactions (about 13 million gas). They name one another as immutables, so the addresses
 * are computed first from the account's nonces; nothing else may be sent from that account meanwhile.
 *
 * @example
 * const deployment = await deployAssay(walletClient, publicClient, PUBLIC_CONSTANTS);
 * @throws AssayError DEPLOYMENT_FAILED when a contract did not land at its computed address
 */
export async function deployAssay(
  wallet: WalletClient<Transport, Chain, Account>,
  client: PublicClient,
  constants: DeploymentConstants,
): Promise<DeployedAssay> {
  const from = wallet.account.address;
  const first = await client.getTransactionCount({ address: from, blockTag: 'pending' });
  const block = await client.getBlockNumber();
  const address = (index: number): Address => getContractAddress({ from, nonce: BigInt(first + index) });
  const [verifier, stepVerifier, validator, registry] = [address(0), address(1), address(2), address(3)];
  const [vault, requests, board, channels] = [address(4), address(5), address(6), address(7)];
  const { window, response, reaction, minimumFee, maximumFee, feeSource = ZERO, exclusivePeriod } = constants;
  const terms = { window, response, reaction, minimumFee, maximumFee, feeSource };
  const steps: Step[] = [
    { name: 'Groth16Verifier', abi: groth16VerifierAbi, bytecode: groth16VerifierBytecode, args: [] },
    { name: 'StepVerifier', abi: stepVerifierAbi, bytecode: stepVerifierBytecode, args: [] },
    { name: 'InstructionValidator', abi: instructionValidatorAbi, bytecode: instructionValidatorBytecode, args: [] },
    { name: 'ModelRegistry', abi: modelRegistryAbi, bytecode: modelRegistryBytecode, args: [validator] },
    { name: 'StakeVault', abi: stakeVaultAbi, bytecode: stakeVaultBytecode, args: [requests, channels] },
    { name: 'Requests', abi: requestsAbi, bytecode: requestsBytecode, args: [registry, vault, board, BigInt(exclusivePeriod)] },
    { name: 'ClaimBoard', abi: claimBoardAbi, bytecode: claimBoardBytecode, args: [registry, vault, stepVerifier, terms] },
    { name: 'CoverageChannels', abi: coverageChannelsAbi, bytecode: coverageChannelsBytecode, args: [registry, vault, board] },
  ];
  for (const [index, step] of steps.entries()) await deployAt(wallet, client, step, first + index, address(index));
  const chainId = await client.getChainId();
  return { chainId, block: Number(block), registry, vault, requests, board, stepVerifier, validator, verifier, channels };
}

async function deployAt(
  wallet: WalletClient<Transport, Chain, Account>,
  client: PublicClient,
  { name, abi, bytecode, args }: Step,
  nonce: number,
  expected: Address,
): Promise<void> {
  const hash = await wallet.deployContract({ abi, bytecode, args, nonce });
  const receipt = await receiptOf(client, hash);
  if (receipt.status !== 'success' || receipt.contractAddress?.toLowerCase() !== expected.toLowerCase()) {
    throw new AssayError('A contract did not land where the others expect it', {
      code: 'DEPLOYMENT_FAILED',
      facts: { contract: name, status: receipt.status, address: receipt.contractAddress ?? 'none', expected },
      fix: 'deploy again from an account that sends nothing else meanwhile',
    });
  }
}
