import { formatEther, type Hex } from 'viem';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { developmentAccount } from '../../cli/accounts.ts';
import { eventually } from '../../contracts/client/eventually.ts';
import { claimBoardAbi } from '../../contracts/client/generated/claimBoard.ts';
import { stakeVaultAbi } from '../../contracts/client/generated/stakeVault.ts';
import { execute } from '../../core/execute.ts';
import { inputForms, splitTensors } from '../../core/tensor-list.ts';
import { FAULT_KINDS, type Fault, type FaultKind, injectFault } from '../../prover/models/fault.ts';
import { STATUS, startNetwork, statusOf, type TestNetwork, until } from './network.ts';

const CHALLENGER = 18;
const LIBRARIAN = { owner: 16, key: 17 };
const SEED = 40;

interface Lie {
  readonly status: number;
  /** Wei of the liar's stake that is gone. */
  readonly lost: bigint;
  /** Where the chain computed another value. */
  readonly shown: { readonly position: number; readonly element: number; readonly right: bigint } | undefined;
  readonly told: Fault;
}

let network: TestNetwork;
let lies: ReadonlyMap<FaultKind, Lie>;
let challengerBefore: bigint;
let challengerAfter: bigint;

/** Four provers lie at once, each in another way; one challenger looks at every claim. */
beforeAll(async () => {
  // Time enough to look at four claims at once on a busy machine.
  network = await startNetwork({ clocks: { window: 40, response: 20 } });
  const models = new Map<FaultKind, Hex>();
  for (const kind of FAULT_KINDS) models.set(kind, (await network.register(10 + models.size)).modelId);
  // Hands out the programs and answers nothing.
  await network.stake(LIBRARIAN.owner, LIBRARIAN.key);
  const library = [...models.values()].map((modelId) => ({ modelId, directory: network.modelDirectory }));
  const librarian = await network.node(LIBRARIAN.key, { models: library, mostFee: '0' });
  await network.challenger(CHALLENGER, { provers: [librarian.url] });
  challengerBefore = await worth(CHALLENGER);
  const told = await Promise.all(FAULT_KINDS.map((kind, at) => tell(kind, at, models.get(kind)!)));
  lies = new Map(FAULT_KINDS.map((kind, at) => [kind, told[at]!]));
  challengerAfter = await worth(CHALLENGER);
});
afterAll(() => network?.stop());

async function worth(account: number): Promise<bigint> {
  const { client, deployment } = network;
  const { address } = developmentAccount(account);
  const [balance, free, credit] = await Promise.all([
    client.getBalance({ address }),
    client.readContract({ address: deployment.vault, abi: stakeVaultAbi, functionName: 'freeOf', args: [address] }),
    client.readContract({ address: deployment.board, abi: claimBoardAbi, functionName: 'creditOf', args: [address] }),
  ]);
  return balance + free + credit;
}

async function tell(kind: FaultKind, at: number, modelId: Hex): Promise<Lie> {
  const [owner, key, asker, image] = [2 + 2 * at, 3 + 2 * at, 11 + at, 100 + at];
  const stake = await network.stake(owner, key);
  const before = (await stake.free()) + (await stake.locked());
  await network.node(key, { models: [{ modelId, directory: network.modelDirectory }], fault: { seed: SEED + at, kind } });
  const id = await network.ask(asker, modelId, image);
  await until('a verdict', async () => (await statusOf(network, id)) > STATUS.claimed);
  const [event] = await eventually(() =>
    network.client.getContractEvents({
      address: network.deployment.board,
      abi: claimBoardAbi,
      eventName: 'FaultProven',
      args: { claimId: `0x${id.toString(16).padStart(64, '0')}` },
      fromBlock: 0n,
    }),
  );
  const { position, element, right } = event?.args ?? {};
  const honest = execute(network.program, splitTensors(inputForms(network.program), network.input(image)));
  return {
    status: await statusOf(network, id),
    lost: before - (await stake.free()) - (await stake.locked()),
    shown: position === undefined || element === undefined || right === undefined ? undefined : { position, element, right },
    told: injectFault(network.program, honest, SEED + at, kind).fault,
  };
}

describe('a prover that lies loses its lock on chain', () => {
  it.each(FAULT_KINDS)('about one %s', (kind) => {
    const { status, lost, shown, told } = lies.get(kind)!;
    expect(status).toBe(STATUS.faulted);
    expect(formatEther(lost)).toBe(formatEther(network.coverage));
    // The chain finds it where it first shows: in the altered tensor, or in the first one computed from what was altered.
    expect(shown?.position).toBe(kind === 'input' ? 1 : told.position);
    if (kind === 'tensor' || kind === 'logit') expect(shown).toMatchObject({ element: told.element, right: BigInt(told.honest) });
  });

  it('and its challenger is paid more than the disputes cost it', () => {
    expect(challengerAfter > challengerBefore).toBe(true);
  });
});
