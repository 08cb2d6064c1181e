import { Argument, Command } from 'commander';
import { formatEther } from 'viem';
import type { ChannelState } from '../../contracts/client/channels/readChannel.ts';
import type { Deployment } from '../../contracts/client/deployment.ts';
import { AssayError } from '../../core/errors.ts';
import { accountOf, keyHelp } from '../accounts.ts';
import type { Client } from '../chain.ts';
import { address, ether, hash, integer } from '../options.ts';
import { createOutput } from '../output.ts';

interface Options {
  readonly rpc: string;
  readonly deployment?: string;
  readonly lock?: bigint;
  readonly days?: number;
  readonly json?: boolean;
}

type Action = 'open' | 'renew' | 'show' | 'release';

const DAY = 24 * 3600;
const USUAL_DAYS = 30;

export function channelCommand(): Command {
  return new Command('channel')
    .description('Lock stake behind the receipts of one customer, and free it again')
    .addArgument(
      new Argument('<action>', 'open for a customer, renew, show or release a channel').choices(['open', 'renew', 'show', 'release']),
    )
    .argument('<id>', "open: the customer's address; else the channel's id")
    .requiredOption('--rpc <url>', 'RPC address of the chain')
    .option('--deployment <file>', 'deployment file (default deployments/<chainId>.json)')
    .option('--lock <ether>', 'open: stake to lock; renew: stake to add', ether)
    .option('--days <number>', `days from now until no receipt can be opened any more (open: ${USUAL_DAYS}; at most 365)`, integer)
    .addHelpText('after', keyHelp('owner'))
    .action(run);
}

/** A channel, with the parts that move it. */
interface Desk {
  readonly client: Client;
  readonly deployment: Deployment;
  readonly options: Options;
  /** Chain time, unix seconds. */
  readonly now: number;
}

async function run(action: Action, id: string, options: Options): Promise<void> {
  const { connect, loadDeployment } = await import('../chain.ts');
  const client = await connect(options.rpc);
  const deployment = await loadDeployment(client, options.deployment);
  const now = Number((await client.getBlock()).timestamp);
  const desk: Desk = { client, deployment, options, now };
  const channel = action === 'open' ? await open(desk, address(id)) : hash(id);
  const { readChannel } = await import('../../contracts/client/channels/readChannel.ts');
  const before = await readChannel(client, deployment.channels, channel);
  if (before === undefined) throw missing(channel);
  if (action === 'renew') await renew(desk, channel, before);
  if (action === 'release') await release(desk, channel, before);
  const state = action === 'release' ? undefined : await readChannel(client, deployment.channels, channel);
  createOutput(options.json === true).result({ event: 'channel', channel, state: state ?? null }, textOf(channel, state, now));
}

async function sender({ client }: Desk) {
  const { createSender } = await import('../../contracts/client/sender.ts');
  return createSender({ client, account: accountOf('owner', client.chain.id) });
}

async function open(desk: Desk, customer: `0x${string}`): Promise<`0x${string}`> {
  const { lock, days = USUAL_DAYS } = desk.options;
  if (lock === undefined) {
    throw new AssayError('It is not said how much stake the channel locks', { code: 'USAGE', fix: 'give --lock with an amount of ether' });
  }
  const { channelOpened, openChannelCall } = await import('../../contracts/client/channels/openChannel.ts');
  const terms = { customer, amount: lock, expiry: desk.now + days * DAY };
  const opened = channelOpened(await (await sender(desk)).send(openChannelCall(desk.deployment.channels, terms)));
  if (opened === undefined) throw missing('none');
  return opened;
}

async function renew(desk: Desk, channel: `0x${string}`, { expiry }: ChannelState): Promise<void> {
  const { lock = 0n, days } = desk.options;
  const { renewChannelCall } = await import('../../contracts/client/channels/renewChannel.ts');
  const terms = { added: lock, expiry: days === undefined ? expiry : Math.max(expiry, desk.now + days * DAY) };
  await (await sender(desk)).send(renewChannelCall(desk.deployment.channels, channel, terms));
}

async function release(desk: Desk, channel: `0x${string}`, { expiry, disputed }: ChannelState): Promise<void> {
  if (desk.now <= expiry || disputed !== 0n) {
    throw new AssayError('The channel cannot be released yet', {
      code: 'CHANNEL_OPEN',
      facts: { channel, expiry, now: desk.now, disputed: formatEther(disputed) },
      fix: 'wait for its expiry, and until every receipt that was opened is settled',
    });
  }
  const { closeChannelCall } = await import('../../contracts/client/channels/closeChannel.ts');
  await (await sender(desk)).send(closeChannelCall(desk.deployment.channels, channel));
}

function missing(channel: string): AssayError {
  return new AssayError('There is no such channel', {
    code: 'CHANNEL_UNKNOWN',
    facts: { channel },
    fix: 'check the id; a channel that was released is gone',
  });
}

function textOf(channel: string, state: ChannelState | undefined, now: number): string {
  if (state === undefined) return `Channel ${channel} is released.`;
  const left = Math.max(0, state.expiry - now);
  return `Channel ${channel} of ${state.prover} for ${state.customer}: ${formatEther(state.lock)} ether locked, ${formatEther(state.disputed)} of it in dispute; receipts can be opened for ${Math.floor(left / 3600)} hours more.`;
}
