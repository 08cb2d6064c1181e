import {
  bytesToHex,
  type Chain,
  createPublicClient,
  createWalletClient,
  encodeFunctionData,
  type Hex,
  http,
  type PublicClient,
  parseEventLogs,
  type Transport,
  toHex,
} from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import { anvil } from 'viem/chains';
import { commitInput } from '../circuits/input-commitment.ts';
import type { ProvedAnswer } from '../circuits/prove.ts';
import type { InputForm } from '../circuits/public-signals.ts';
import type { VerificationKey } from '../circuits/setup/files.ts';
import { type DeployedAssay, deployAssay, LOCAL_CONSTANTS } from '../contracts/client/deploy.ts';
import { groth16VerifierAbi } from '../contracts/client/generated/groth16Verifier.ts';
import { requestsAbi } from '../contracts/client/generated/requests.ts';
import { registerModelCall } from '../contracts/client/registry/registerModel.ts';
import { fulfilProofCall } from '../contracts/client/requests/fulfilProof.ts';
import { requestCall } from '../contracts/client/requests/request.ts';
import { requestByRootCall } from '../contracts/client/requests/requestByRoot.ts';
import { createSender, type Sender } from '../contracts/client/sender.ts';
import { addKeyCall, signKeyBinding } from '../contracts/client/vault/addKey.ts';
import { INPUT_FORMS, modelId, modelRecord, ZERO_HASH } from '../core/program/identity.ts';
import type { Program } from '../core/program/types.ts';
import type { TypedArray } from '../core/tensor.ts';
import { joinTensors } from '../core/tensor-list.ts';
import { encodeVerificationKey, verificationKeyHash } from '../core/zk-encoding.ts';
import { type Anvil, startAnvil } from '../runtime/anvil.ts';

/** Anvil's first two accounts: a creator who asks, and the signing key of a prover. */
const owner = privateKeyToAccount('0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80');
const hot = privateKeyToAccount('0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d');
const FEE = 1_000_000_000n;
const PLENTY = 10_000_000n;
const DEADLINE_SECONDS = 24 * 3600;

/** An open request that waits for a proof. */
export interface OpenRequest {
  readonly id: bigint;
  /** First public signal of its proof. */
  readonly context: bigint;
  readonly key: Uint8Array;
  readonly input: Uint8Array;
  readonly form: InputForm;
}

/** Gas of whole transactions, calldata included. */
export interface ProofGas {
  /** A call of the generic verifier. */
  readonly verify: number;
  /** `fulfilProof`: verification, record, payment. */
  readonly fulfil: number;
}

/** A local chain with all contracts, where models are registered, asked, and answered with proofs. */
export class ProofChain {
  private readonly chain: Anvil;
  private readonly client: PublicClient<Transport, Chain>;
  private readonly at: DeployedAssay;
  private readonly asker: Sender;
  private readonly prover: Sender;

  private constructor(chain: Anvil, client: PublicClient<Transport, Chain>, at: DeployedAssay) {
    this.chain = chain;
    this.client = client;
    this.at = at;
    this.asker = createSender({ client, account: owner });
    this.prover = createSender({ client, account: hot });
  }

  static async start(): Promise<ProofChain> {
    const chain = await startAnvil();
    const client = createPublicClient({ chain: anvil, transport: http(chain.url) });
    const wallet = createWalletClient({ account: owner, chain: anvil, transport: http(chain.url) });
    const at = await deployAssay(wallet, client, LOCAL_CONSTANTS);
    const stage = new ProofChain(chain, client, at);
    await stage.asker.send(addKeyCall(at.vault, hot.address, await signKeyBinding(client, at.vault, owner.address, hot)));
    return stage;
  }

  stop(): Promise<void> {
    return this.chain.stop();
  }

  /** Registers the program with its key and asks it for these inputs. */
  async ask(program: Program, verificationKey: VerificationKey, form: InputForm, inputs: readonly TypedArray[]): Promise<OpenRequest> {
    const { client, at } = this;
    const key = encodeVerificationKey(verificationKey);
    const keyHash = verificationKeyHash(verificationKey);
    const record = modelRecord(program, { creator: owner.address, key: { inputForm: INPUT_FORMS[form], keyHash, provenance: ZERO_HASH } });
    const model: Hex = modelId(record);
    await this.asker.send(registerModelCall(at.registry, { record, key }));
    const deadline = Number((await client.getBlock()).timestamp) + DEADLINE_SECONDS;
    const terms = { modelId: model, tier: 'zk', deadline } as const;
    const input = joinTensors(inputs);
    const call =
      form === 'packed'
        ? requestCall(at.requests, terms, input, FEE)
        : requestByRootCall(at.requests, terms, toHex(await commitInput(input), { size: 32 }), '', FEE);
    const { logs } = await this.asker.send(call);
    const [asked] = parseEventLogs({ abi: requestsAbi, eventName: 'Requested', logs });
    if (asked === undefined) throw new Error('the request left no event');
    const id = asked.args.requestId;
    const args = [id, owner.address, model] as const;
    const context = await client.readContract({ address: at.requests, abi: requestsAbi, functionName: 'contextOf', args });
    return { id, context, key, input, form };
  }

  /** Answers the request with its proof. Throws what the contract reverts with. */
  async answer(request: OpenRequest, answer: ProvedAnswer): Promise<ProofGas> {
    const { key, form, input, id } = request;
    const proof = answer.encodedProof;
    const args = [bytesToHex(key), bytesToHex(proof), answer.publicSignals.map(BigInt)] as const;
    const call = { address: this.at.verifier, abi: groth16VerifierAbi, functionName: 'verify', args } as const;
    if (!(await this.client.readContract(call))) throw new Error('the generic verifier refuses the proof');
    const verify = await this.gasOf(call.address, encodeFunctionData(call));
    const given = { key, proof, input: form === 'packed' ? input : new Uint8Array(0), output: joinTensors(answer.outputs) };
    const { gasUsed } = await this.prover.send(fulfilProofCall(this.at.requests, id, given));
    return { verify, fulfil: Number(gasUsed) };
  }

  /** Gas of a transaction, sent with plenty: an estimate looks for the least that does not revert, and the verifier never does. */
  private async gasOf(to: Hex, data: Hex): Promise<number> {
    const wallet = createWalletClient({ account: owner, chain: anvil, transport: http(this.chain.url) });
    const hash = await wallet.sendTransaction({ to, data, gas: PLENTY });
    const { gasUsed } = await this.client.waitForTransactionReceipt({ hash });
    return Number(gasUsed);
  }
}
