import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Address, Hex } from 'viem';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { developmentAccount } from '../../cli/accounts.ts';
import { channelOpened, openChannelCall } from '../../contracts/client/channels/openChannel.ts';
import { openReceiptCall } from '../../contracts/client/channels/openReceipt.ts';
import { readChannel } from '../../contracts/client/channels/readChannel.ts';
import { claimBoardAbi } from '../../contracts/client/generated/claimBoard.ts';
import { stakeVaultAbi } from '../../contracts/client/generated/stakeVault.ts';
import { type AnswerView, answerSchema, errorSchema } from '../../prover/http/schemas.ts';
import type { RunningNode } from '../../prover/node.ts';
import { verifyReceipt } from '../../verifier/receipt.ts';
import { startNetwork, type TestNetwork, until } from './network.ts';

const [OWNER, KEY, CUSTOMER] = [2, 3, 10];
const SECRET = 'a-key-of-the-customer';
let network: TestNetwork;
let node: RunningNode;
let channel: Hex;
let minimum: bigint;

function ask(query: string, secret = SECRET): Promise<Response> {
  return fetch(`${node.url}/v1/infer?modelId=${network.modelId}${query}`, {
    method: 'POST',
    headers: { 'content-type': 'application/octet-stream', authorization: `Bearer ${secret}` },
    body: Buffer.from(network.input(3)),
  });
}

async function answer(response: Response): Promise<AnswerView> {
  const body: unknown = await response.json();
  expect([response.status, body]).toEqual([200, body]);
  return answerSchema.parse(body);
}

beforeAll(async () => {
  network = await startNetwork();
  const { client, deployment, modelId, directory, sender } = network;
  await network.stake(OWNER, KEY);
  minimum = await client.readContract({ address: deployment.board, abi: claimBoardAbi, functionName: 'minimumCoverage', args: [modelId] });
  const customer = developmentAccount(CUSTOMER).address;
  const apiKeys = path.join(directory, 'keys.json');
  const sha256 = createHash('sha256').update(SECRET).digest('hex');
  writeFileSync(apiKeys, JSON.stringify({ keys: [{ id: 'customer', sha256, customer }] }));
  node = await network.node(KEY, { apiKeys });
  const { timestamp } = await client.getBlock();
  // Room for three receipts of twice the minimum, at the fees of a local chain.
  const terms = { customer, amount: 7n * minimum, expiry: Number(timestamp) + 3_600 };
  channel = channelOpened(await sender(KEY).send(openChannelCall(deployment.channels, terms)))!;
});
afterAll(() => network?.stop());

describe('a channel between a node and a customer', () => {
  it('backs receipts once the node has seen it, as far as its lock goes', async () => {
    const { client, deployment, modelId } = network;
    let first: Response | undefined;
    await until('the node to see the channel', async () => {
      const coverage = `&coverage=${2n * minimum}`;
      first = await ask(`&channel=${channel}${coverage}`);
      return first.status !== 403;
    });
    const receipts = [await answer(first!)];
    for (let i = 0; i < 2; i++) receipts.push(await answer(await ask(`&channel=${channel}&coverage=${2n * minimum}`)));
    expect(receipts.map(({ receipt }) => BigInt(receipt.outstanding) / minimum)).toEqual([2n, 4n, 6n]);
    expect(new Set(receipts.map(({ receipt }) => receipt.nonce)).size).toBe(3);
    const refused = await ask(`&channel=${channel}&coverage=${2n * minimum}`);
    expect([refused.status, errorSchema.parse(await refused.json()).error.code]).toEqual([409, 'CHANNEL_EXHAUSTED']);

    const { receipt, domain, signature } = receipts[1]!;
    const expected = { chainId: 31_337, vault: deployment.vault, modelId, inputRoot: receipt.inputRoot, outputRoot: receipt.outputRoot };
    const bindingOf = async (key: Address) => {
      const [owner, retiredAt] = await client.readContract({
        address: deployment.vault,
        abi: stakeVaultAbi,
        functionName: 'bindingOf',
        args: [key],
      });
      return { owner, retiredAt };
    };
    expect((await verifyReceipt({ receipt, domain, signature }, expected, { bindingOf })).key).toBe(developmentAccount(KEY).address);
    await network.sender(CUSTOMER).send(openReceiptCall(deployment.channels, { receipt, signature }));
    expect((await readChannel(client, deployment.channels, channel))?.disputed).toBe(2n * minimum);
  });

  it('is nobody else’s', async () => {
    const response = await ask(`&channel=${channel}`, 'another key');
    expect(errorSchema.parse(await response.json()).error.code).toBe('HTTP_UNAUTHORIZED');
  });
});
