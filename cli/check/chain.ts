import { type Address, createPublicClient, formatEther, formatGwei, http, isAddressEqual, zeroAddress } from 'viem';
import { privateKeyToAddress } from 'viem/accounts';
import type { Deployment } from '../../contracts/client/deployment.ts';
import { claimBoardAbi } from '../../contracts/client/generated/claimBoard.ts';
import { stakeVaultAbi } from '../../contracts/client/generated/stakeVault.ts';
import { whyUnanswered } from '../../contracts/client/rpc/why.ts';
import { RESERVE_GAS } from '../../prover/chain/intake.ts';
import type { NodeConfig } from '../../prover/configuration/config.ts';
import { DEVELOPMENT_CHAIN } from '../../runtime/configuration.ts';
import { hotKey } from '../accounts.ts';
import { type Client, connect, loadDeployment } from '../chain.ts';
import type { Report } from './findings.ts';

const SLOW_MILLISECONDS = 1_000;
const OLD_SECONDS = 120;
const FAR_BEHIND = 3n;
/** Gas of a claim and of its end, roughly; and of how many such things a hot key should be able to pay. */
const GAS_OF_CLAIM = 400_000n;
const TIMES_IN_HAND = 50n;
const TIMES_AT_LEAST = 5n;

export interface CheckedChain {
  readonly client: Client;
  readonly deployment: Deployment;
  /** Whose stake answers for the key; undefined when none does. */
  readonly owner: Address | undefined;
}

/** Endpoints, deployment, key and stake. @returns what further checks of models need */
export async function checkChain(report: Report, config: NodeConfig): Promise<CheckedChain | undefined> {
  const reached = await checkNetwork(report, config.rpc ?? [], config.deployment);
  if (reached === undefined) return undefined;
  if (config.fault !== undefined && reached.client.chain.id !== DEVELOPMENT_CHAIN) {
    report.fail('fault', 'it is injected on the development chain alone', 'leave out fault and --fault-seed');
  }
  const owner = await report.look('key', () => checkKey(report, reached.client, reached.deployment, config));
  return { ...reached, owner };
}

/** Endpoints and deployment. */
export async function checkNetwork(
  report: Report,
  urls: readonly string[],
  file: string | undefined,
): Promise<Pick<CheckedChain, 'client' | 'deployment'> | undefined> {
  const heads = await Promise.all(urls.map((url, i) => checkEndpoint(report, url, urls.length === 1 ? 'rpc' : `rpc ${i + 1}`)));
  const seen = heads.filter((head) => head !== undefined);
  if (seen.length === 0) return undefined;
  const highest = seen.reduce((most, { number }) => (number > most ? number : most), 0n);
  if (seen.some(({ chainId }) => chainId !== seen[0]!.chainId)) {
    report.fail('rpc', 'the endpoints are of different chains', 'name endpoints of one chain');
  }
  if (seen.some(({ number }) => highest - number > FAR_BEHIND)) {
    report.warn('rpc', `an endpoint is more than ${FAR_BEHIND} blocks behind the others`, 'replace it: the others are asked meanwhile');
  }
  const client = await report.look('rpc', () => connect(urls));
  if (client === undefined) return undefined;
  const deployment = await report.look('deployment', () => checkDeployment(report, client, file));
  return deployment === undefined ? undefined : { client, deployment };
}

interface Head {
  readonly chainId: number;
  readonly number: bigint;
}

async function checkEndpoint(report: Report, url: string, what: string): Promise<Head | undefined> {
  // Not the whole address: its path may be an API key.
  const { host } = new URL(url);
  const client = createPublicClient({ transport: http(url, { timeout: 10_000, retryCount: 0 }) });
  try {
    const chainId = await client.getChainId();
    const before = performance.now();
    const { number, timestamp } = await client.getBlock();
    const milliseconds = Math.round(performance.now() - before);
    const text = `${host}: chain ${chainId}, block ${number}, ${milliseconds} ms`;
    if (milliseconds > SLOW_MILLISECONDS) report.warn(what, text, 'name a faster endpoint first: answers to demands wait for it');
    else report.ok(what, text);
    const age = Date.now() / 1000 - Number(timestamp);
    if (chainId !== DEVELOPMENT_CHAIN && Math.abs(age) > OLD_SECONDS) {
      report.warn(
        'clock',
        `the newest block of ${host} is ${Math.abs(Math.round(age))} s ${age > 0 ? 'behind' : 'ahead of'} this machine's clock`,
        'check NTP here, and that the endpoint follows its chain',
      );
    }
    return { chainId, number };
  } catch (error) {
    report.fail(what, `${host} does not answer: ${whyUnanswered(error)}`, 'check the address, and that the endpoint runs');
    return undefined;
  }
}

async function checkDeployment(report: Report, client: Client, file: string | undefined): Promise<Deployment | undefined> {
  const deployment = await loadDeployment(client, file);
  const vault = await client.readContract({ address: deployment.board, abi: claimBoardAbi, functionName: 'VAULT' });
  if (!isAddressEqual(vault, deployment.vault)) {
    report.fail('deployment', 'board and vault are not of one deployment', 'give the file that `assay deploy` wrote');
  } else report.ok('deployment', `contracts of chain ${client.chain.id} are there, since block ${deployment.block}`);
  return deployment;
}

async function checkKey(report: Report, client: Client, { vault }: Deployment, config: NodeConfig): Promise<Address | undefined> {
  const key = privateKeyToAddress(await hotKey('node', client.chain.id, config.keystore));
  const owner = await client.readContract({ address: vault, abi: stakeVaultAbi, functionName: 'proverOf', args: [key] });
  if (isAddressEqual(owner, zeroAddress)) {
    report.fail('key', `${key} is bound to no stake`, 'bind it: `assay stake --add-key` by the owner of the stake');
    return undefined;
  }
  report.ok('key', `${key} signs for the stake of ${owner}`);
  const free = await client.readContract({ address: vault, abi: stakeVaultAbi, functionName: 'freeOf', args: [owner] });
  const { mostCoverage } = config;
  const text = `${formatEther(free)} ether are free`;
  if (free === 0n) report.fail('stake', text, 'put up more: `assay stake --deposit`; without it optimistic requests go to others');
  else if (mostCoverage !== undefined && free < mostCoverage) {
    report.warn('stake', `${text}, less than mostCoverage (${formatEther(mostCoverage)})`, 'put up more, or lower mostCoverage');
  } else report.ok('stake', text);
  const why = 'with less than 10,000,000 gas in hand for answers to demands nothing is claimed';
  await checkBalance(report, client, key, { name: 'claims', gas: GAS_OF_CLAIM, reserve: RESERVE_GAS, why });
  await checkFeeCap(report, client, config);
  return owner;
}

async function checkFeeCap(report: Report, client: Client, { maxFeePerGas }: NodeConfig): Promise<void> {
  if (maxFeePerGas === undefined) return;
  const { baseFeePerGas } = await client.getBlock();
  if (baseFeePerGas === null || baseFeePerGas <= maxFeePerGas) return;
  const now = `gas costs ${formatGwei(baseFeePerGas)} gwei now, more than maxFeePerGas (${formatGwei(maxFeePerGas)} gwei)`;
  report.warn('fees', `${now}: no claim is sent until it is cheaper`, 'raise maxFeePerGas; it is in wei');
}

/** Whether a key can pay for what it does. @param work what it sends most, the gas of one, and the gas that must be in hand */
export async function checkBalance(
  report: Report,
  client: Client,
  key: Address,
  { name, gas, reserve = 0n, why }: { readonly name: string; readonly gas: bigint; readonly reserve?: bigint; readonly why: string },
): Promise<void> {
  const [balance, { maxFeePerGas }] = await Promise.all([client.getBalance({ address: key }), client.estimateFeesPerGas()]);
  const each = gas * maxFeePerGas;
  const times = each === 0n ? TIMES_IN_HAND : balance / each;
  const holds = `the key holds ${formatEther(balance)} ether, gas for some ${times} ${name}`;
  if (times < TIMES_AT_LEAST || balance < reserve * maxFeePerGas) report.fail('balance', holds, `send some ether to ${key}: ${why}`);
  else if (times < TIMES_IN_HAND) report.warn('balance', holds, `send more ether to ${key}`);
  else report.ok('balance', holds);
}
