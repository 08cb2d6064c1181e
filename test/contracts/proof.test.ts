import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  bytesToHex,
  type Chain,
  createPublicClient,
  createTestClient,
  createWalletClient,
  type Hex,
  hexToBytes,
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
import { MOST_SIGNALS, registerModelCall } from '../../contracts/client/registry/registerModel.ts';
import { claimCall } from '../../contracts/client/requests/claim.ts';
import { claimBatchCall } from '../../contracts/client/requests/claimBatch.ts';
import { collectCall } from '../../contracts/client/requests/collect.ts';
import { collectForCall } from '../../contracts/client/requests/collectFor.ts';
import { finalizeCall } from '../../contracts/client/requests/finalize.ts';
import { fulfilProofCall } from '../../contracts/client/requests/fulfilProof.ts';
import { questionOf } from '../../contracts/client/requests/question.ts';
import { readRequest } from '../../contracts/client/requests/readRequest.ts';
import { refundCall } from '../../contracts/client/requests/refund.ts';
import { requestCall } from '../../contracts/client/requests/request.ts';
import { reserveCall } from '../../contracts/client/requests/reserve.ts';
import { retryDeliveryCall } from '../../contracts/client/requests/retryDelivery.ts';
import { type Call, createSender } from '../../contracts/client/sender.ts';
import { addKeyCall, signKeyBinding } from '../../contracts/client/vault/addKey.ts';
import { depositCall } from '../../contracts/client/vault/deposit.ts';
import { retireKeyCall } from '../../contracts/client/vault/retireKey.ts';
import { withdrawCall } from '../../contracts/client/vault/withdraw.ts';
import { execute, outputsOf } from '../../core/execute.ts';
import { keccak256, toHash } from '../../core/keccak.ts';
import { encodeProgram } from '../../core/program/codec.ts';
import { modelId, modelRecord, packTensors, ZERO_HASH } from '../../core/program/identity.ts';
import { joinTensors, listRoot } from '../../core/tensor-list.ts';
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
  await send(owner, registerModelCall(at.registry, { record, key: encodeVerificationKey(verificationKey) }));
  const signature = await signKeyBinding(client, at.vault, owner.address, hot);
  await send(owner, addKeyCall(at.vault, hot.address, signature));
});

afterAll(async () => {
  await chain?.stop();
  if (directory !== undefined) rmSync(path.dirname(directory), { recursive: true, force: true });
});

test('the chain gives a model the identity that TypeScript gives it', async () => {
  const record = await client.readContract({ address: at.registry, abi: modelRegistryAbi, functionName: 'recordOf', args: [model] });
  expect(modelId({ ...record, creator: record.creator.toLowerCase() } as Parameters<typeof modelId>[0])).toBe(model);
});

test('a key of more signals than the contracts take is refused before anything is sent, and by the registry', async () => {
  const words = (signals: number): Uint8Array => new Uint8Array(14 * 32 + 64 * (signals + 1));
  const record = (signals: number) =>
    modelRecord(program, {
      creator: owner.address,
      key: { inputForm: 1, keyHash: toHash(keccak256(words(signals))), provenance: ZERO_HASH },
    });
  expect(() => registerModelCall(at.registry, { record: record(256), key: words(256) })).not.toThrow();
  expect(() => registerModelCall(at.registry, { record: record(257), key: words(257) })).toThrow(
    expect.objectContaining({ code: 'SIGNALS_TOO_MANY', facts: expect.objectContaining({ signals: 257, most: MOST_SIGNALS }) }),
  );
  const long = { ...record(1), outputs: packTensors([{ type: 'u8', length: 255 * 31 }]), greatestDepth: 1 };
  await expect(send(owner, registerModelCall(at.registry, { record: long, key: words(1) }))).rejects.toThrow('TooManySignals');
});

test('a proof made by the prover fulfils a request; every forgery of it is refused', async () => {
  const input = bytesToHex(joinTensors(inputs));
  const deadline = Number((await client.getBlock()).timestamp) + 3600;
  const terms = { modelId: model, tier: 'zk', deadline } as const;
  await send(owner, requestCall(at.requests, terms, joinTensors(inputs), parseEther('1')));
  expect(await readRequest(client, at.requests, 1n)).toMatchObject({
    status: 'open',
    fee: parseEther('1'),
    terms: { tier: 'zk', deadline },
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

  const answered = { key: hexToBytes(key), proof: answer.encodedProof, input: joinTensors(inputs), output: joinTensors(answer.outputs) };
  await send(hot, fulfilProofCall(at.requests, 1n, answered));
  expect(await readRequest(client, at.requests, 1n)).toMatchObject({ status: 'final', delivery: 'none', prover: owner.address });
  const owed = await client.readContract({ address: at.requests, abi: requestsAbi, functionName: 'owedTo', args: [owner.address] });
  // The prover's part and the creator's royalty, less the burned hundredth: here both are one account.
  expect(owed).toBe(parseEther('0.99'));
  await expect(client.simulateContract(fulfil({}))).rejects.toThrow('WrongStatus');
  const before = await client.getBalance({ address: hot.address });
  await send(owner, collectCall(at.requests, hot.address));
  expect((await client.getBalance({ address: hot.address })) - before).toBe(parseEther('0.99'));
});

test('a claim is answered, final after its window, paid, and its lock free again', async () => {
  const coverage = await client.readContract({ address: at.requests, abi: requestsAbi, functionName: 'minimumCoverage', args: [model] });
  const deadline = Number((await client.getBlock()).timestamp) + 3600;
  const terms = { modelId: model, tier: 'optimistic', coverage, deadline } as const;
  const output = joinTensors(outputsOf(program, execute(program, inputs)));
  const asked = { ...terms, inputRoot: listRoot(inputs), fee: 1000n, tier: 1, callbackGas: 0, earlyDelivery: false };
  const question = questionOf(asked);
  const answer = { question, output };
  await send(owner, depositCall(at.vault, owner.address, 3n * coverage));
  for (let i = 0; i < 3; i++) await send(owner, requestCall(at.requests, terms, joinTensors(inputs), 1000n));
  await send(hot, reserveCall(at.requests, 2n, question));
  for (const other of [{ inputRoot: model }, { coverage: coverage + 1n }, { fee: 999n }, { deadline: deadline - 1 }]) {
    const toAnother = { requestId: 2n, output, question: questionOf({ ...asked, ...other }) };
    await expect(send(hot, claimCall(at.requests, toAnother))).rejects.toThrow('OtherQuestion');
  }
  await send(hot, claimCall(at.requests, { requestId: 2n, ...answer }));
  await send(
    hot,
    claimBatchCall(at.requests, [
      { requestId: 2n, ...answer },
      { requestId: 3n, ...answer },
    ]),
  );
  expect((await readRequest(client, at.requests, 3n)).status).toBe('claimed');
  await expect(send(owner, withdrawCall(at.vault, coverage + 1n, owner.address))).rejects.toThrow('InsufficientFreeStake');
  await expect(send(hot, finalizeCall(at.requests, 3n, output))).rejects.toThrow('NotFinal');
  await expect(send(owner, refundCall(at.requests, 4n))).rejects.toThrow('NotYetRefundable');
  const clock = createTestClient({ mode: 'anvil', chain: anvil, transport: http(chain.url) });
  await clock.increaseTime({ seconds: 4000 });
  await clock.mine({ blocks: 1 });
  await send(hot, finalizeCall(at.requests, 3n, output));
  expect(await readRequest(client, at.requests, 3n)).toMatchObject({ status: 'final', delivery: 'none' });
  await expect(send(owner, retryDeliveryCall(at.requests, 3n, output))).rejects.toThrow('NothingToDeliver');
  await send(hot, finalizeCall(at.requests, 2n, output));
  const before = await client.getBalance({ address: owner.address });
  await send(hot, collectForCall(at.requests, hot.address));
  expect((await client.getBalance({ address: owner.address })) - before).toBe(1980n);
  await send(owner, refundCall(at.requests, 4n));
  await send(owner, withdrawCall(at.vault, 3n * coverage, owner.address));
  await send(owner, retireKeyCall(at.vault, hot.address));
  await expect(send(hot, claimCall(at.requests, { requestId: 4n, ...answer }))).rejects.toThrow('NotSigningKey');
});

function flipBit(hex: Hex, byte: number): Hex {
  const from = 2 + 2 * byte;
  const value = Number.parseInt(hex.slice(from, from + 2), 16) ^ 1;
  return `${hex.slice(0, from)}${value.toString(16).padStart(2, '0')}${hex.slice(from + 2)}` as Hex;
}
