import { type Address, type Chain, isAddressEqual, type LocalAccount, type PublicClient, type Transport, zeroAddress } from 'viem';
import { createSender } from '../../contracts/client/sender.ts';
import { AssayError } from '../../core/errors.ts';
import { type Addresses, NodeChain } from '../chain/chain.ts';
import type { NodeConfig } from '../configuration/config.ts';
import type { NodeMetrics } from '../metrics.ts';

/** What a process that speaks with the chain is given. */
export interface ChainAccess {
  readonly client: PublicClient<Transport, Chain>;
  readonly addresses: Addresses;
  /** Block of the deployment: nothing of interest lies before. */
  readonly fromBlock: bigint;
  /** Hot key of the prover. */
  readonly account: LocalAccount;
}

/** A chain that is there, and whose stake answers for our key. */
export interface OpenedChain extends ChainAccess {
  readonly chain: NodeChain;
  readonly owner: Address;
}

/** What gas is counted under, by function. */
const PURPOSE: Readonly<Record<string, string>> = {
  ...{ claim: 'claim', claimBatch: 'claim', fulfilProof: 'fulfil', answer: 'answer', answerRoots: 'answer' },
  ...{ finalize: 'finalize', settle: 'finalize', collect: 'collect', withdraw: 'collect', close: 'channel' },
};

/** @throws AssayError KEY_UNREGISTERED */
export async function openChain(
  access: ChainAccess,
  { maxFeePerGas }: Pick<NodeConfig, 'maxFeePerGas'>,
  metrics: Pick<NodeMetrics, 'gasSpentWei'>,
): Promise<OpenedChain> {
  const { client, account, addresses } = access;
  const sender = createSender({
    ...{ client, account },
    ...(maxFeePerGas === undefined ? {} : { maxFeePerGas }),
    onSpent: (name, wei) => metrics.gasSpentWei.inc({ purpose: PURPOSE[name] ?? 'other' }, Number(wei)),
  });
  const chain = new NodeChain(client, addresses, sender);
  const owner = await chain.owner();
  if (!isAddressEqual(owner, zeroAddress)) return { ...access, chain, owner };
  throw new AssayError("The node's key is not registered for any stake", {
    code: 'KEY_UNREGISTERED',
    facts: { key: account.address },
    fix: 'bind it with `assay stake --add-key` from the owner of the stake',
  });
}
