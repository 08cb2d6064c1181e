import { createPublicClient, createTestClient, createWalletClient, http, keccak256, parseEther, toHex, zeroHash } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import { anvil } from 'viem/chains';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { closeChannelCall } from '../../contracts/client/channels/closeChannel.ts';
import { channelOpened, openChannelCall } from '../../contracts/client/channels/openChannel.ts';
import { openReceiptCall } from '../../contracts/client/channels/openReceipt.ts';
import { proveDoubleNonceCall } from '../../contracts/client/channels/proveDoubleNonce.ts';
import { readChannel } from '../../contracts/client/channels/readChannel.ts';
import { renewChannelCall } from '../../contracts/client/channels/renewChannel.ts';
import { settleReceiptCall } from '../../contracts/client/channels/settleReceipt.ts';
import { deployAssay, LOCAL_CONSTANTS } from '../../contracts/client/deploy.ts';
import { coverageChannelsAbi } from '../../contracts/client/generated/coverageChannels.ts';
import { requestsAbi } from '../../contracts/client/generated/requests.ts';
import { stakeVaultAbi } from '../../contracts/client/generated/stakeVault.ts';
import { registerModelCall } from '../../contracts/client/registry/registerModel.ts';
import { createSender } from '../../contracts/client/sender.ts';
import { addKeyCall, signKeyBinding } from '../../contracts/client/vault/addKey.ts';
import { depositCall } from '../../contracts/client/vault/deposit.ts';
import { modelId, modelRecord } from '../../core/program/identity.ts';
import { type Anvil, startAnvil } from '../../runtime/anvil.ts';
import { type Receipt, receiptDigest } from '../../verifier/receipt.ts';
import { ladderDense } from '../circuits/build.ts';

/** A receipt as the node signs it, opened on the chain as a claim: both sides read the same bytes. */
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const owner = privateKeyToAccount('0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80');
const hot = privateKeyToAccount('0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d');
const customer = privateKeyToAccount('0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a');
let chain: Anvil;

beforeAll(async () => {
  chain = await startAnvil();
});
afterAll(async () => {
  await chain?.stop();
});

test('a receipt signed off chain becomes a claim of its channel, and settles when nobody shows it wrong', async () => {
  const transport = http(chain.url);
  const client = createPublicClient({ chain: anvil, transport });
  const at = await deployAssay(createWalletClient({ account: owner, chain: anvil, transport }), client, LOCAL_CONSTANTS);
  const from = (account: typeof owner) => createSender({ client, account });

  const record = modelRecord(ladderDense('iris', [4, 6, 3], 5), { creator: owner.address });
  const model = modelId(record);
  await from(owner).send(registerModelCall(at.registry, { record }));
  await from(owner).send(depositCall(at.vault, owner.address, parseEther('10')));
  await from(owner).send(addKeyCall(at.vault, hot.address, await signKeyBinding(client, at.vault, owner.address, hot)));

  const now = Number((await client.getBlock()).timestamp);
  const coverage = await client.readContract({ address: at.requests, abi: requestsAbi, functionName: 'minimumCoverage', args: [model] });
  const half = coverage / 2n;
  const opened = await from(hot).send(openChannelCall(at.channels, { customer: customer.address, amount: half, expiry: now + 7200 }));
  const channel = channelOpened(opened) ?? zeroHash;
  await from(hot).send(renewChannelCall(at.channels, channel, { added: coverage - half, expiry: now + 86_400 }));
  const state = { prover: owner.address, customer: customer.address, expiry: now + 86_400, lock: coverage, disputed: 0n };
  expect(await readChannel(client, at.channels, channel)).toEqual(state);

  const receipt: Receipt = {
    prover: owner.address,
    modelId: model,
    inputRoot: keccak256(toHex('input')),
    outputRoot: keccak256(toHex('output')),
    issuedAt: String(now),
    channel,
    nonce: '1',
    coverage: String(coverage),
    outstanding: String(coverage),
    expiry: String(now + 3600),
  };
  const digest = receiptDigest(receipt, { chainId: anvil.id, verifyingContract: at.vault });
  const signature = await hot.sign({ hash: digest });
  const signed = { receipt, signature };
  const forged = { receipt: { ...receipt, nonce: '2' }, signature };
  await expect(from(owner).send(openReceiptCall(at.channels, signed))).rejects.toThrow('NotCustomer');
  await expect(from(customer).send(openReceiptCall(at.channels, forged))).rejects.toThrow('SignatureInvalid');
  await expect(from(customer).send(proveDoubleNonceCall(at.channels, signed, forged))).rejects.toThrow('SignatureInvalid');
  await from(customer).send(openReceiptCall(at.channels, signed));
  expect(await readChannel(client, at.channels, channel)).toEqual({ ...state, disputed: coverage });
  const claim = await client.readContract({ address: at.channels, abi: coverageChannelsAbi, functionName: 'claimOf', args: [digest] });
  expect(claim).toMatchObject({ open: true, prover: owner.address, modelId: model, coverage, outputRoot: receipt.outputRoot });

  await expect(from(hot).send(settleReceiptCall(at.channels, digest))).rejects.toThrow('NotFinal');
  const clock = createTestClient({ mode: 'anvil', chain: anvil, transport });
  await clock.increaseTime({ seconds: 90_000 });
  await clock.mine({ blocks: 1 });
  await expect(from(hot).send(closeChannelCall(at.channels, channel))).rejects.toThrow('ChannelStillOpen');
  await from(hot).send(settleReceiptCall(at.channels, digest));
  await from(hot).send(closeChannelCall(at.channels, channel));
  expect(await readChannel(client, at.channels, channel)).toBeUndefined();
  const free = await client.readContract({ address: at.vault, abi: stakeVaultAbi, functionName: 'freeOf', args: [owner.address] });
  expect(free).toBe(parseEther('10'));
});
