import Table from 'cli-table3';
import { type Address, formatEther } from 'viem';
import { claimBoardAbi } from '../../contracts/client/generated/claimBoard.ts';
import { requestsAbi } from '../../contracts/client/generated/requests.ts';
import { stakeVaultAbi } from '../../contracts/client/generated/stakeVault.ts';
import { developmentAccount } from '../accounts.ts';
import type { LocalNet } from '../local-net.ts';
import { CAST, type Stage } from './stage.ts';

/** One party: all its accounts together. */
export interface Party {
  readonly name: string;
  readonly accounts: readonly Address[];
}

export interface Entry {
  readonly party: string;
  readonly transactions: number;
  readonly gas: bigint;
  /** Wei that gas cost. */
  readonly gasCost: bigint;
  /** Wei gained (or lost), gas left out: fees, prices, rewards, stake. */
  readonly net: bigint;
}

export async function partiesOf(stage: Stage): Promise<Party[]> {
  const account = (index: number): Address => developmentAccount(index).address;
  const zk = await stage.zk;
  return [
    { name: 'consumer and its user', accounts: [account(CAST.requester), stage.consumer, zk.consumer] },
    { name: 'zk prover', accounts: [account(CAST.zk.owner), account(CAST.zk.node)] },
    { name: 'honest prover', accounts: [account(CAST.honest.owner), account(CAST.honest.node)] },
    { name: 'dishonest prover', accounts: [account(CAST.dishonest.owner), account(CAST.dishonest.node)] },
    { name: 'challenger', accounts: [account(CAST.challenger)] },
    { name: 'harasser', accounts: [account(CAST.harasser)] },
    { name: 'model creator', accounts: [account(CAST.creator)] },
  ];
}

/** Everything an account owns: its balance, its stake, what it may collect. */
async function worthOf({ client, deployment }: LocalNet, account: Address, blockNumber: bigint): Promise<bigint> {
  const { vault, requests, board } = deployment;
  const amounts = await Promise.all([
    client.getBalance({ address: account, blockNumber }),
    client.readContract({ address: vault, abi: stakeVaultAbi, functionName: 'freeOf', args: [account], blockNumber }),
    client.readContract({ address: vault, abi: stakeVaultAbi, functionName: 'lockedOf', args: [account, requests], blockNumber }),
    client.readContract({ address: requests, abi: requestsAbi, functionName: 'owedTo', args: [account], blockNumber }),
    client.readContract({ address: board, abi: claimBoardAbi, functionName: 'creditOf', args: [account], blockNumber }),
  ]);
  return amounts.reduce((sum, amount) => sum + amount, 0n);
}

/** Ether that nobody gets any more: shares of slashed locks and of fees. */
async function burned({ client, deployment }: LocalNet, fromBlock: bigint, toBlock: bigint): Promise<bigint> {
  const [slashes, payments] = await Promise.all([
    client.getContractEvents({ address: deployment.vault, abi: stakeVaultAbi, eventName: 'Slashed', fromBlock, toBlock }),
    client.getContractEvents({ address: deployment.requests, abi: requestsAbi, eventName: 'Paid', fromBlock, toBlock }),
  ]);
  return [...slashes, ...payments].reduce((sum, { args }) => sum + (args.burned ?? 0n), 0n);
}

/** What each party spent and gained between two blocks, read back from the chain alone. */
export async function readLedger(net: LocalNet, parties: readonly Party[], from: bigint, to: bigint): Promise<Entry[]> {
  const spent = new Map<string, { transactions: number; gas: bigint; gasCost: bigint }>();
  for (let block = from + 1n; block <= to; block++) {
    const { transactions } = await net.client.getBlock({ blockNumber: block });
    for (const hash of transactions) {
      const { from: sender, gasUsed, effectiveGasPrice } = await net.client.getTransactionReceipt({ hash });
      const before = spent.get(sender.toLowerCase()) ?? { transactions: 0, gas: 0n, gasCost: 0n };
      spent.set(sender.toLowerCase(), {
        transactions: before.transactions + 1,
        gas: before.gas + gasUsed,
        gasCost: before.gasCost + gasUsed * effectiveGasPrice,
      });
    }
  }
  const entries = await Promise.all(
    parties.map(async ({ name, accounts }) => {
      const own = accounts.map((account) => spent.get(account.toLowerCase()) ?? { transactions: 0, gas: 0n, gasCost: 0n });
      const gasCost = own.reduce((sum, entry) => sum + entry.gasCost, 0n);
      const [before, after] = await Promise.all([from, to].map((block) => sumOf(accounts.map((account) => worthOf(net, account, block)))));
      return {
        party: name,
        transactions: own.reduce((sum, entry) => sum + entry.transactions, 0),
        gas: own.reduce((sum, entry) => sum + entry.gas, 0n),
        gasCost,
        net: after! - before! + gasCost,
      };
    }),
  );
  return [...entries, { party: 'burned', transactions: 0, gas: 0n, gasCost: 0n, net: await burned(net, from + 1n, to) }];
}

async function sumOf(amounts: readonly Promise<bigint>[]): Promise<bigint> {
  return (await Promise.all(amounts)).reduce((sum, amount) => sum + amount, 0n);
}

const ether = (wei: bigint): string => (wei === 0n ? '0' : `${wei > 0n ? '+' : ''}${Number(formatEther(wei)).toFixed(6)}`);

/** The closing table. */
export function ledgerTable(entries: readonly Entry[]): string {
  const table = new Table({
    head: ['party', 'transactions', 'gas', 'gas cost', 'gained or paid (ether)'],
    colAligns: ['left', 'right', 'right', 'right', 'right'],
    style: { head: [], border: [] },
  });
  for (const { party, transactions, gas, gasCost, net } of entries) {
    table.push([party, transactions, gas.toLocaleString('en'), ether(-gasCost), ether(net)]);
  }
  return table.toString();
}
