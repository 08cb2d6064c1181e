import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  bytesToHex,
  type Chain,
  createPublicClient,
  createWalletClient,
  type Hex,
  http,
  type PublicClient,
  parseEther,
  type Transport,
} from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import { anvil } from 'viem/chains';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { prove } from '../../circuits/prove.ts';
import { setupDevelopment } from '../../circuits/setup.ts';
import { readVerificationKey } from '../../circuits/verify.ts';
import { type DeployedAssay, deployAssay, LOCAL_CONSTANTS } from '../../contracts/client/deploy.ts';
import { groth16VerifierAbi } from '../../contracts/client/generated/groth16Verifier.ts';
import { modelRegistryAbi } from '../../contracts/client/generated/modelRegistry.ts';
import { requestsAbi } from '../../contracts/client/generated/requests.ts';
import { stakeVaultAbi } from '../../contracts/client/generated/stakeVault.ts';
import { type Call, createSender } from '../../contracts/client/sender.ts';
import { encodeProgram } from '../../core/program/codec.ts';
import { modelId, modelRecord, ZERO_HASH } from '../../core/program/identity.ts';
import { joinTensors } from '../../core/tensor-list.ts';
import { encodeVerificationKey, SCALAR_FIELD, verificationKeyHash } from '../../core/zk-encoding.ts';
import { type Anvil, startAnvil } from '../../runtime/anvil.ts';
import { ladderDense, random, randomInputs } from '../circuits/build.ts';

/** A real circuit, a real key, real proofs: what the toy setup of the Forge tests cannot show. */
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

const owner = privateKeyToAccount('0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80');
const hot = privateKeyToAccount('0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d');
const program = ladderDense('iris', [4, 6, 3], 5);
const inputs = randomInputs(program, random(3));

let directory: string;
let chain: Anvil;
let client: PublicClient<Transport, Chain>;
let at: DeployedAssay;
let model: Hex;
let key: Hex;

const walletOf = (account: typeof owner) => createWalletClient({ account, chain: anvil, transport: http(chain.url) });

const send = (account: typeof owner, call: Call) => createSender({ client, account }).send(call);

beforeAll(async () => {
  directory = path.join(mkdtempSync(path.join(tmpdir(), 'assay-chain-')), 'model');
  mkdirSync(directory);
  writeFileSync(path.join(directory, 'program.assay'), encodeProgram(program));
  await setupDevelopment(directory);
  const verificationKey = await readVerificationKey(directory);
  key = bytesToHex(encodeVerificationKey(verificationKey));
  chain = await startAnvil();
  client = createPublicClient({ chain: anvil, transport: http(chain.url) });
  at = await deployAssay(walletOf(owner), client, LOCAL_CONSTANTS);
  const keyHash = verificationKeyHash(verificationKey);
  const record = modelRecord(program, { creator: owner.address, royalty: 250, key: { inputForm: 1, keyHash, provenance: ZERO_HASH } });
  model = modelId(record);
  const args = [record, key, '', ZERO_HASH] as const;
  await send(owner, { address: at.registry, abi: modelRegistryAbi, functionName: 'register', args });
  const digest = await client.readContract({
    address: at.vault,
    abi: stakeVaultAbi,
    functionName: 'keyDigest',
    args: [owner.address, hot.address],
  });
  const signature = await hot.sign({ hash: digest });
  await send(owner, { address: at.vault, abi: stakeVaultAbi, functionName: 'addKey', args: [hot.address, signature] });
});

afterAll(async () => {
  await chain?.stop();
  if (directory !== undefined) rmSync(path.dirname(directory), { recursive: true, force: true });
});

test('the chain gives a model the identity that TypeScript gives it', async () => {
  const record = await client.readContract({ address: at.registry, abi: modelRegistryAbi, functionName: 'recordOf', args: [model] });
  expect(modelId({ ...record, creator: record.creator.toLowerCase() } as Parameters<typeof modelId>[0])).toBe(model);
});

test('a proof made by the prover fulfils a request; every forgery of it is refused', async () => {
  const input = bytesToHex(joinTensors(inputs));
  const deadline = Number((await client.getBlock()).timestamp) + 3600;
  const terms = { modelId: model, tier: 0, earlyDelivery: false, coverage: 0n, deadline, inputTimestamp: 0, callbackGas: 0 };
  await send(owner, {
    address: at.requests,
    abi: requestsAbi,
    functionName: 'request',
    args: [terms, input],
    value: parseEther('1'),
  });
  const context = await client.readContract({
    address: at.requests,
    abi: requestsAbi,
    functionName: 'contextOf',
    args: [1n, owner.address, model],
  });
  const answer = await prove({ directory, inputs, context });
  const proof = bytesToHex(answer.encodedProof);
  const output = bytesToHex(joinTensors(answer.outputs));
  const signals = answer.publicSignals.map(BigInt);

  // The verifier alone, against the same proof with each signal and each word changed.
  const verify = (change: { key?: Hex; proof?: Hex; signals?: readonly bigint[] }) =>
    client.readContract({
      address: at.verifier,
      abi: groth16VerifierAbi,
      functionName: 'verify',
      args: [change.key ?? key, change.proof ?? proof, change.signals ?? signals],
    });
  expect(await verify({})).toBe(true);
  for (const [i, signal] of signals.entries()) {
    const changed = (value: bigint) => signals.map((s, j) => (i === j ? value : s));
    expect(await verify({ signals: changed((signal + 1n) % SCALAR_FIELD) })).toBe(false);
    expect(await verify({ signals: changed(signal + SCALAR_FIELD) })).toBe(false);
  }
  for (let word = 0; word < 8; word++) expect(await verify({ proof: flipBit(proof, 32 * word + 31) })).toBe(false);
  for (const byte of [31, 95, 223, 351, 479, key.length / 2 - 2]) expect(await verify({ key: flipBit(key, byte) })).toBe(false);

  const fulfil = (change: { proof?: Hex; input?: Hex; output?: Hex }) => ({
    address: at.requests,
    abi: requestsAbi,
    functionName: 'fulfilProof' as const,
    args: [1n, key, change.proof ?? proof, change.input ?? input, change.output ?? output] as const,
    account: hot,
  });
  await expect(client.simulateContract(fulfil({ output: flipBit(output, 0) }))).rejects.toThrow('ProofInvalid');
  await expect(client.simulateContract(fulfil({ input: flipBit(input, 0) }))).rejects.toThrow('InputInvalid');
  await expect(client.simulateContract(fulfil({ proof: flipBit(proof, 255) }))).rejects.toThrow('ProofInvalid');

  const receipt = await send(hot, fulfil({}));
  expect(receipt.status).toBe('success');
  const owed = await client.readContract({ address: at.requests, abi: requestsAbi, functionName: 'owedTo', args: [owner.address] });
  // The prover's part and the creator's royalty, less the burned hundredth: here both are one account.
  expect(owed).toBe(parseEther('0.99'));
  await expect(client.simulateContract(fulfil({}))).rejects.toThrow('WrongStatus');
});

function flipBit(hex: Hex, byte: number): Hex {
  const from = 2 + 2 * byte;
  const value = Number.parseInt(hex.slice(from, from + 2), 16) ^ 1;
  return `${hex.slice(0, from)}${value.toString(16).padStart(2, '0')}${hex.slice(from + 2)}` as Hex;
}
