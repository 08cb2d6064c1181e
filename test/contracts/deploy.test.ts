import { createPublicClient, createWalletClient, http } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import { anvil } from 'viem/chains';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { deployAssay, LOCAL_CONSTANTS } from '../../contracts/client/deploy.ts';
import { claimBoardAbi } from '../../contracts/client/generated/claimBoard.ts';
import { modelRegistryAbi } from '../../contracts/client/generated/modelRegistry.ts';
import { requestsAbi } from '../../contracts/client/generated/requests.ts';
import { stakeVaultAbi } from '../../contracts/client/generated/stakeVault.ts';
import { type Anvil, startAnvil } from '../../runtime/anvil.ts';

const account = privateKeyToAccount('0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80');
let chain: Anvil;

beforeAll(async () => {
  chain = await startAnvil();
});
afterAll(async () => {
  await chain.stop();
});

test('contracts name one another, and nothing exceeds the size a contract may have', async () => {
  const client = createPublicClient({ chain: anvil, transport: http(chain.url) });
  const wallet = createWalletClient({ account, chain: anvil, transport: http(chain.url) });
  const deployed = await deployAssay(wallet, client, LOCAL_CONSTANTS);
  const { registry, vault, requests, board, validator, stepVerifier } = deployed;
  expect(await client.readContract({ address: registry, abi: modelRegistryAbi, functionName: 'VALIDATOR' })).toBe(validator);
  expect(await client.readContract({ address: vault, abi: stakeVaultAbi, functionName: 'REQUESTS' })).toBe(requests);
  expect(await client.readContract({ address: vault, abi: stakeVaultAbi, functionName: 'CHANNELS' })).toBe(deployed.channels);
  expect(await client.readContract({ address: requests, abi: requestsAbi, functionName: 'VAULT' })).toBe(vault);
  expect(await client.readContract({ address: requests, abi: requestsAbi, functionName: 'BOARD' })).toBe(board);
  expect(await client.readContract({ address: requests, abi: requestsAbi, functionName: 'REGISTRY' })).toBe(registry);
  expect(await client.readContract({ address: board, abi: claimBoardAbi, functionName: 'VERIFIER' })).toBe(stepVerifier);
  expect(await client.readContract({ address: board, abi: claimBoardAbi, functionName: 'WINDOW' })).toBe(BigInt(LOCAL_CONSTANTS.window));
  for (const address of [registry, vault, requests, board, validator, stepVerifier, deployed.verifier, deployed.channels]) {
    const code = await client.getCode({ address });
    const size = ((code ?? '0x').length - 2) / 2;
    expect(size).toBeGreaterThan(0);
    expect(size).toBeLessThanOrEqual(24_576);
  }
  expect(deployed.chainId).toBe(31_337);
});
