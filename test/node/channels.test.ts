import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Hex, TransactionReceipt } from 'viem';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { developmentAccount } from '../../cli/accounts.ts';
import type { Stake } from '../../cli/stake.ts';
import { demandCall } from '../../contracts/client/board/calls.ts';
import { readPrice } from '../../contracts/client/board/read.ts';
import { channelOpened, openChannelCall } from '../../contracts/client/channels/openChannel.ts';
import { openReceiptCall } from '../../contracts/client/channels/openReceipt.ts';
import { readChannel } from '../../contracts/client/channels/readChannel.ts';
import { eventually } from '../../contracts/client/eventually.ts';
import { claimBoardAbi } from '../../contracts/client/generated/claimBoard.ts';
import { TENSOR_ROOTS } from '../../core/dispute/units.ts';
import { execute, outputsOf } from '../../core/execute.ts';
import { inputForms, listRoot, splitTensors } from '../../core/tensor-list.ts';
import { type Receipt, receiptDigest } from '../../verifier/receipt.ts';
import { startNetwork, type TestNetwork, until } from './network.ts';

const [OWNER, KEY, CUSTOMER, HARASSER, CHALLENGER] = [2, 3, 10, 14, 15];
let network: TestNetwork;
let stake: Stake;
const free = (): Promise<bigint> => stake.free();

beforeAll(async () => {
  network = await startNetwork({ clocks: { window: 12, response: 30, reaction: 2 } });
  stake = await network.stake(OWNER, KEY);
});
afterAll(() => network?.stop());

async function openChannel(lock: bigint, seconds: number, key = KEY): Promise<Hex> {
  const { client, deployment, sender } = network;
  const { timestamp } = await client.getBlock();
  const customer = developmentAccount(CUSTOMER).address;
  const terms = { customer, amount: lock, expiry: Number(timestamp) + seconds };
  return channelOpened(await sender(key).send(openChannelCall(deployment.channels, terms)))!;
}

/** A receipt as the node signs it, for an image and an output root. */
async function signed(channel: Hex, nonce: number, image: number, outputRoot?: Hex) {
  const { client, deployment, program, coverage } = network;
  const state = await readChannel(client, deployment.channels, channel);
  const inputs = splitTensors(inputForms(program), network.input(image));
  const receipt: Receipt = {
    prover: developmentAccount(OWNER).address,
    modelId: network.modelId,
    inputRoot: listRoot(inputs),
    outputRoot: outputRoot ?? listRoot(outputsOf(program, execute(program, inputs))),
    issuedAt: String((await client.getBlock()).timestamp),
    channel,
    nonce: String(nonce),
    coverage: String(coverage),
    outstanding: String(coverage),
    expiry: String(state!.expiry),
  };
  const digest = receiptDigest(receipt, { chainId: client.chain.id, verifyingContract: deployment.vault });
  return { digest, receipt, signature: await developmentAccount(KEY).sign!({ hash: digest }) };
}

function open(receipt: Awaited<ReturnType<typeof signed>>): Promise<TransactionReceipt> {
  return network.sender(CUSTOMER).send(openReceiptCall(network.deployment.channels, receipt));
}

function dispute(digest: Hex) {
  const { board, channels } = network.deployment;
  return network.client.readContract({ address: board, abi: claimBoardAbi, functionName: 'disputeOf', args: [channels, digest] });
}

async function keepInput(url: string, image: number): Promise<void> {
  const kept = await fetch(`${url}/v1/models/${network.modelId}/inputs`, {
    method: 'PUT',
    headers: { 'content-type': 'application/octet-stream' },
    body: Buffer.from(network.input(image)),
  });
  expect(kept.ok).toBe(true);
}

describe('a receipt that its customer opens', () => {
  it('is defended like any claim, settled in its time, and its channel released', async () => {
    const { client, deployment, sender, coverage, modelId } = network;
    const before = await free();
    const node = await network.node(KEY, {});
    const challenger = await network.challenger(CHALLENGER, { provers: [node.url] });
    await keepInput(node.url, 7);
    const channel = await openChannel(coverage, 120);
    const receipt = await signed(channel, 1, 7);
    await open(receipt);
    const claim = { source: deployment.channels, claimId: receipt.digest };
    const price = await readPrice(client, deployment.board, modelId, [TENSOR_ROOTS]);
    await sender(HARASSER).send(demandCall(deployment.board, claim, [TENSOR_ROOTS], 2n * price));
    await until('an answer', async () => {
      const { unanswered, traceRoot } = await dispute(receipt.digest);
      return unanswered === 0 && traceRoot !== `0x${'0'.repeat(64)}`;
    });
    expect(await free()).toBe(before - coverage);
    await client.request({ method: 'evm_increaseTime' as never, params: [400] as never });
    await until('the release', async () => (await readChannel(client, deployment.channels, channel)) === undefined);
    expect(await free()).toBe(before);
    await challenger.stop();
    await node.stop();
  }, 400_000);

  it('costs its coverage and nothing else where it is wrong', async () => {
    const { client, deployment, coverage } = network;
    const node = await network.node(KEY, {});
    const challenger = await network.challenger(CHALLENGER, { provers: [node.url] });
    await keepInput(node.url, 8);
    const channel = await openChannel(2n * coverage, 900);
    const locked = await free();
    await open(await signed(channel, 2, 8, `0x${'ab'.repeat(32)}`));
    await until('a verdict', async () => (await readChannel(client, deployment.channels, channel))?.lock === coverage, 200);
    expect(await readChannel(client, deployment.channels, channel)).toMatchObject({ disputed: 0n });
    expect(await free()).toBe(locked);
    expect(await eventually(async () => (await stake.slashed(0n)) || undefined)).toBe(coverage);
    await challenger.stop();
    await node.stop();
  }, 400_000);

  it('that lies is shown wrong element by element, like any claim', async () => {
    const { client, deployment, coverage, modelId, directory } = network;
    const liarStake = await network.stake(4, 5);
    const key = 'key-of-the-customer-0123456789';
    const apiKeys = path.join(directory, 'keys.json');
    const customer = developmentAccount(CUSTOMER).address;
    writeFileSync(
      apiKeys,
      JSON.stringify({ keys: [{ id: 'customer', sha256: createHash('sha256').update(key).digest('hex'), customer }] }),
    );
    const liar = await network.node(5, { apiKeys, fault: { seed: 3, kind: 'tensor' } });
    const challenger = await network.challenger(CHALLENGER, { provers: [liar.url] });
    const channel = await openChannel(2n * coverage, 3_600, 5);
    const ask = `${liar.url}/v1/infer?modelId=${modelId}&channel=${channel}&coverage=${coverage}`;
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/octet-stream' };
    const infer = () => fetch(ask, { method: 'POST', headers, body: Buffer.from(network.input(9)) });
    // The channel is known once its block was read.
    let answered = await infer();
    await until('the node to see the channel', async () => {
      if (answered.status === 403) answered = await infer();
      return answered.status !== 403;
    });
    expect([answered.status, answered.ok ? '' : await answered.text()]).toEqual([200, '']);
    await open((await answered.json()) as Awaited<ReturnType<typeof signed>>);
    await until('a verdict', async () => (await liarStake.slashed(0n)) === coverage, 200);
    const board = { address: deployment.board, abi: claimBoardAbi, fromBlock: 0n } as const;
    const shown = await eventually(() => client.getContractEvents({ ...board, eventName: 'FaultProven' }));
    expect(shown.map(({ args }) => args.source)).toEqual([deployment.channels]);
    await challenger.stop();
    await liar.stop();
  }, 400_000);
});
