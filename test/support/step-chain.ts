import {
  type Address,
  createPublicClient,
  createWalletClient,
  decodeErrorResult,
  decodeFunctionResult,
  encodeFunctionData,
  type Hex,
  http,
} from 'viem';
import { instructionValidatorAbi, instructionValidatorBytecode } from '../../contracts/client/generated/instructionValidator.ts';
import { stepVerifierAbi, stepVerifierBytecode } from '../../contracts/client/generated/stepVerifier.ts';
import { receiptOf } from '../../contracts/client/receipt.ts';
import type { Hash } from '../../core/brand.ts';
import { toHash } from '../../core/keccak.ts';
import { startAnvil } from './anvil.ts';

/** One call of the step verifier. */
export interface StepCall {
  readonly record: Uint8Array;
  readonly element: number | bigint;
  readonly sourceRoots: readonly Hash[];
  readonly evidence: Uint8Array;
}

/** What the chain makes of it. */
export type StepAnswer = { readonly value: bigint } | { readonly error: string };

/** Verdict of the instruction validator. */
export interface RecordVerdict {
  readonly valid: boolean;
  readonly depth: number;
  readonly bytes: number;
  readonly gas: bigint;
}

/** A local chain with the step verifier and the instruction validator. */
export interface StepChain {
  step(call: StepCall): Promise<StepAnswer>;
  /** Gas of a transaction that makes the call and nothing else. */
  stepGas(call: StepCall): Promise<number>;
  validateInstruction(record: Uint8Array): Promise<RecordVerdict>;
  validateParameters(record: Uint8Array, unit: number, evidence: Uint8Array): Promise<boolean | string>;
  stop(): Promise<void>;
}

const CALL_GAS = 1n << 24n;

function revertOf(error: unknown): Hex | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const { data } = cause as { data?: unknown };
    if (typeof data === 'string' && data.startsWith('0x')) return data as Hex;
    if (typeof data === 'object' && data !== null && 'data' in data) return (data as { data: Hex }).data;
  }
  return undefined;
}

/** Starts Anvil at prague rules and deploys both contracts from their committed bytecode. */
export async function startStepChain(): Promise<StepChain> {
  const anvil = await startAnvil();
  const client = createPublicClient({ transport: http(anvil.url) });
  const wallet = createWalletClient({ transport: http(anvil.url) });
  const [account] = await wallet.getAddresses();
  if (account === undefined) throw new Error('Anvil has no account');

  async function deploy(bytecode: Hex): Promise<Address> {
    const hash = await wallet.sendTransaction({ account: account!, chain: null, data: bytecode, gas: CALL_GAS });
    const { contractAddress } = await receiptOf(client, hash, { interval: 20 });
    if (contractAddress === null || contractAddress === undefined) throw new Error('not deployed');
    return contractAddress;
  }
  const verifier = await deploy(stepVerifierBytecode);
  const validator = await deploy(instructionValidatorBytecode);

  const stepData = ({ record, element, sourceRoots, evidence }: StepCall): Hex =>
    encodeFunctionData({
      abi: stepVerifierAbi,
      functionName: 'step',
      args: [toHash(record), BigInt(element), sourceRoots, toHash(evidence)],
    });

  /** The returned bytes, or the name of the error. */
  async function call(
    to: Address,
    data: Hex,
    abi: Parameters<typeof decodeErrorResult>[0]['abi'],
  ): Promise<{ data: Hex } | { error: string }> {
    try {
      const answer = await client.call({ to, data, gas: CALL_GAS });
      return { data: answer.data ?? '0x' };
    } catch (error) {
      const revert = revertOf(error);
      if (revert === undefined) throw error;
      return { error: decodeErrorResult({ abi, data: revert }).errorName };
    }
  }

  return {
    async step(request) {
      const answer = await call(verifier, stepData(request), stepVerifierAbi);
      if ('error' in answer) return answer;
      return { value: decodeFunctionResult({ abi: stepVerifierAbi, functionName: 'step', data: answer.data }) };
    },
    async stepGas(request) {
      const hash = await wallet.sendTransaction({ account, chain: null, to: verifier, data: stepData(request), gas: CALL_GAS });
      const receipt = await receiptOf(client, hash, { interval: 20 });
      if (receipt.status !== 'success') throw new Error('the step reverted');
      return Number(receipt.gasUsed);
    },
    async validateInstruction(record) {
      const data = encodeFunctionData({ abi: instructionValidatorAbi, functionName: 'validateInstruction', args: [toHash(record)] });
      const answer = await call(validator, data, instructionValidatorAbi);
      if ('error' in answer) throw new Error(`validateInstruction reverted: ${answer.error}`);
      const [valid, depth, bytes, gas] = decodeFunctionResult({
        abi: instructionValidatorAbi,
        functionName: 'validateInstruction',
        data: answer.data,
      });
      return { valid, depth, bytes, gas };
    },
    async validateParameters(record, unit, evidence) {
      const args = [toHash(record), BigInt(unit), toHash(evidence)] as const;
      const data = encodeFunctionData({ abi: instructionValidatorAbi, functionName: 'validateParameters', args });
      const answer = await call(validator, data, instructionValidatorAbi);
      if ('error' in answer) return answer.error;
      return decodeFunctionResult({ abi: instructionValidatorAbi, functionName: 'validateParameters', data: answer.data });
    },
    stop: () => anvil.stop(),
  };
}
