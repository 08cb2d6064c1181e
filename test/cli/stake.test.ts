import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { privateKeyToAddress } from 'viem/accounts';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { developmentAccount, developmentKey } from '../../cli/accounts.ts';
import { stakeVaultAbi } from '../../contracts/client/generated/stakeVault.ts';
import { writeKeystore } from '../../runtime/keystore-file.ts';
import { startNetwork, type TestNetwork } from '../node/network.ts';
import { assay, problemsOf } from './assay.ts';

let network: TestNetwork;
let given: string[];
const KEY = `0x${'5a'.repeat(32)}` as const;
const OTHER = `0x${'5b'.repeat(32)}` as const;

beforeAll(async () => {
  network = await startNetwork();
  const at = (name: string, content: string): string => {
    const file = path.join(network.directory, name);
    writeFileSync(file, content);
    return file;
  };
  const password = at('password', 'correct horse\n');
  for (const [name, key] of [
    ['key', KEY],
    ['other', OTHER],
  ] as const)
    await writeKeystore(key, { file: path.join(network.directory, name), passwordFile: password });
  const deployment = at('deployment.json', JSON.stringify(network.deployment));
  const rpc = String(network.client.chain.rpcUrls.default.http[0]);
  given = ['stake', '--rpc', rpc, '--deployment', deployment, '--password-file', password];
});
afterAll(() => network?.stop());

const keystore = (name: string): string[] => ['--add-key', '--keystore', path.join(network.directory, name)];
const owner = developmentAccount(2).address;

async function ownerOf(key: `0x${string}`): Promise<string> {
  const { client, deployment } = network;
  return client.readContract({ address: deployment.vault, abi: stakeVaultAbi, functionName: 'proverOf', args: [privateKeyToAddress(key)] });
}

it('a key is bound out of its keystore, with a deposit, and once more without harm', async () => {
  const first = await assay(...given, ...keystore('key'), '--deposit', '3');
  expect([first.code, first.stderr]).toEqual([0, '']);
  expect(await ownerOf(KEY)).toBe(owner);
  const again = await assay(...given, ...keystore('key'), '--json');
  expect(JSON.parse(again.stdout)).toMatchObject({ event: 'stake', owner, free: String(3n * 10n ** 18n) });
});

it('a key of another stake, or a retired one, is refused by name before anything is paid in', async () => {
  process.env.ASSAY_OWNER_KEY = developmentKey(6);
  const foreign = await assay(...given, ...keystore('key'), '--deposit', '1').finally(() => delete process.env.ASSAY_OWNER_KEY);
  expect([foreign.code, problemsOf(foreign.stderr)]).toEqual([2, []]);
  expect(foreign.stderr).toContain('[KEY_BOUND]');
  const { client, deployment } = network;
  const free = await client.readContract({
    address: deployment.vault,
    abi: stakeVaultAbi,
    functionName: 'freeOf',
    args: [developmentAccount(6).address],
  });
  expect(free).toBe(0n);
  const stake = await network.stake(8, 9);
  await stake.retireKey(developmentAccount(9).address);
  await expect(stake.addKey(developmentAccount(9))).rejects.toMatchObject({ code: 'KEY_RETIRED' });
});

it('a keystore that nothing is to be done with is a mistake', async () => {
  const { code, stderr } = await assay(...given, '--keystore', path.join(network.directory, 'other'));
  expect([code, problemsOf(stderr)]).toEqual([2, []]);
  expect(stderr).toContain('[USAGE]');
  expect(BigInt(await ownerOf(OTHER))).toBe(0n);
});
