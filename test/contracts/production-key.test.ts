import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  type Chain,
  createPublicClient,
  createWalletClient,
  defineChain,
  http,
  type PublicClient,
  parseEther,
  type Transport,
  toFunctionSelector,
} from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { prove } from '../../circuits/prove.ts';
import { setupDevelopment, setupFromPtau } from '../../circuits/setup.ts';
import { readVerificationKey } from '../../circuits/verify.ts';
import { type DeployedAssay, deployAssay, LOCAL_CONSTANTS } from '../../contracts/client/deploy.ts';
import { digitReaderAbi, digitReaderBytecode } from '../../contracts/client/generated/digitReader.ts';
import { modelRegistryAbi } from '../../contracts/client/generated/modelRegistry.ts';
import { requestsAbi } from '../../contracts/client/generated/requests.ts';
import { receiptOf } from '../../contracts/client/receipt.ts';
import { registerModelCall } from '../../contracts/client/registry/registerModel.ts';
import { fulfilProofCall } from '../../contracts/client/requests/fulfilProof.ts';
import { type Call, createSender } from '../../contracts/client/sender.ts';
import { addKeyCall, signKeyBinding } from '../../contracts/client/vault/addKey.ts';
import type { Hash } from '../../core/brand.ts';
import { encodeProgram } from '../../core/program/codec.ts';
import { modelId, modelRecord, ZERO_HASH } from '../../core/program/identity.ts';
import { joinTensors } from '../../core/tensor-list.ts';
import { encodeVerificationKey, verificationKeyHash } from '../../core/zk-encoding.ts';
import { type Anvil, startAnvil } from '../../runtime/anvil.ts';
import { ladderDense, random, randomInputs } from '../circuits/build.ts';

/** A chain that is not local: keys of a real ceremony are taken there, development keys are not. */
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

const CHAIN_ID = 4_242;
const POWER = 10;
const owner = privateKeyToAccount('0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80');
const hot = privateKeyToAccount('0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d');
const program = ladderDense('ten scores', [3, 10], 12);
const root = mkdtempSync(path.join(tmpdir(), 'assay-production-'));
const production = path.join(root, 'production');
const development = path.join(root, 'development');
const snarkjs = path.join(path.dirname(createRequire(import.meta.url).resolve('snarkjs')), 'cli.cjs');

let anvil: Anvil;
let client: PublicClient<Transport, Chain>;
let at: DeployedAssay;
let chain: Chain;

const send = (account: typeof owner, call: Call) => createSender({ client, account }).send(call);
const walletOf = (account: typeof owner) => createWalletClient({ account, chain, transport: http(anvil.url) });

beforeAll(async () => {
  for (const directory of [production, development]) {
    mkdirSync(directory);
    writeFileSync(path.join(directory, 'program.assay'), encodeProgram(program));
  }
  for (const args of [
    ['new', 'bn128', String(POWER), 'new.ptau'],
    ['contribute', 'new.ptau', 'one.ptau', '--name=one', '-e=entropy of the test'],
    ['prepare', 'phase2', 'one.ptau', 'powers.ptau'],
  ])
    execFileSync(process.execPath, [snarkjs, 'powersoftau', ...args], { cwd: root, stdio: 'ignore' });
  anvil = await startAnvil({ chainId: CHAIN_ID });
  chain = defineChain({
    id: CHAIN_ID,
    name: 'not local',
    nativeCurrency: { name: 'ether', symbol: 'ETH', decimals: 18 },
    rpcUrls: { default: { http: [anvil.url] } },
  });
  client = createPublicClient({ chain, transport: http(anvil.url) });
  at = await deployAssay(walletOf(owner), client, LOCAL_CONSTANTS);
  const signature = await signKeyBinding(client, at.vault, owner.address, hot);
  await send(owner, addKeyCall(at.vault, hot.address, signature));
});

afterAll(async () => {
  await anvil?.stop();
  rmSync(root, { recursive: true, force: true });
});

async function register(directory: string, provenance: Hash): Promise<Hash> {
  const key = await readVerificationKey(directory);
  const record = modelRecord(program, {
    creator: owner.address,
    royalty: 0,
    key: { inputForm: 1, keyHash: verificationKeyHash(key), provenance },
  });
  await send(owner, registerModelCall(at.registry, { record, key: encodeVerificationKey(key) }));
  return modelId(record) as unknown as Hash;
}

/** The example consumer with one model pinned: 32-bit scores. */
async function deployReader(model: Hash, acceptsDevelopmentKeys: boolean): Promise<`0x${string}`> {
  const args = [at.requests, at.registry, at.vault, [model], [2], acceptsDevelopmentKeys] as const;
  const hash = await walletOf(owner).deployContract({ abi: digitReaderAbi, bytecode: digitReaderBytecode, args });
  const { contractAddress } = await receiptOf(client, hash);
  return contractAddress!;
}

/** How a node names the custom error of a reverted deployment. */
const refusal = (error: string): string => `custom error ${toFunctionSelector(error)}`;

test('a key of a real ceremony carries its transcript to the chain, and a consumer acts on its proof', async () => {
  const beacon = { hash: '0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20', iterationsExponent: 10 };
  const options = { beacon, contributors: ['ann', 'bob'], allowUnpublished: true };
  const setup = await setupFromPtau(production, path.join(root, 'powers.ptau'), options);
  const model = await register(production, setup.provenance as Hash);
  const onChain = await client.readContract({
    address: at.registry,
    abi: modelRegistryAbi,
    functionName: 'provenanceOf',
    args: [model],
  });
  expect(onChain).toBe(setup.provenance);
  expect(onChain).not.toBe(ZERO_HASH);

  const reader = await deployReader(model, false);
  const inputs = randomInputs(program, random(3));
  const image = `0x${Buffer.from(joinTensors(inputs)).toString('hex')}` as const;
  const asked = { address: reader, abi: digitReaderAbi, functionName: 'read', args: [model, 0, 0n, 3600, image], value: parseEther('1') };
  await send(owner, asked);
  const context = await client.readContract({
    address: at.requests,
    abi: requestsAbi,
    functionName: 'contextOf',
    args: [1n, owner.address, model],
  });
  const answer = await prove({ directory: production, inputs, context });
  const key = encodeVerificationKey(await readVerificationKey(production));
  const output = joinTensors(answer.outputs);
  await send(hot, fulfilProofCall(at.requests, 1n, { key, proof: answer.encodedProof, input: joinTensors(inputs), output }));
  const scores = [...answer.outputs[0]!];
  const digit = await client.readContract({ address: reader, abi: digitReaderAbi, functionName: 'digitOf', args: [1n] });
  expect(Number(digit)).toBe(scores.indexOf(Math.max(...scores)));
});

test('a development key is registered as such, and the consumer refuses it whatever its author wants', async () => {
  const setup = await setupDevelopment(development);
  expect(setup.provenance).toBe(ZERO_HASH);
  const model = await register(development, ZERO_HASH);
  await expect(deployReader(model, false)).rejects.toThrow(refusal('DevelopmentKey(bytes32)'));
  await expect(deployReader(model, true)).rejects.toThrow(refusal('DevelopmentKeysAreForLocalChains(uint256)'));
});
