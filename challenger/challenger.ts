import path from 'node:path';
import { type Address, type Chain, type Hex, hexToBytes, type LocalAccount, type PublicClient, type Transport } from 'viem';
import { claimNameOf } from '../contracts/client/board/claim-name.ts';
import { unitFromChain } from '../contracts/client/board/encode.ts';
import { type ChainEvent, follow } from '../contracts/client/follow.ts';
import { claimBoardAbi } from '../contracts/client/generated/claimBoard.ts';
import { coverageChannelsAbi } from '../contracts/client/generated/coverageChannels.ts';
import { requestsAbi } from '../contracts/client/generated/requests.ts';
import { createSender } from '../contracts/client/sender.ts';
import type { Hash } from '../core/brand.ts';
import type { DisputeEvent } from '../core/dispute/observed.ts';
import { TENSOR_ROOTS, type Unit } from '../core/dispute/units.ts';
import { type ArtifactStore, openArtifacts } from '../runtime/artifacts.ts';
import type { Log } from '../runtime/log.ts';
import { openStateDirectory } from '../runtime/state-directory.ts';
import { type Addresses, ChallengerChain } from './chain.ts';
import type { ChallengerConfig } from './config.ts';
import { Material } from './material.ts';
import { type Head, Pursuit } from './pursuit.ts';
import { reclaim } from './reclaim.ts';
import { draw } from './sample.ts';
import { ChallengerState } from './state.ts';

export interface ChallengerOptions {
  readonly config: ChallengerConfig;
  readonly client: PublicClient<Transport, Chain>;
  readonly addresses: Addresses;
  /** Block of the deployment: nothing of interest lies before. */
  readonly fromBlock: bigint;
  readonly account: LocalAccount;
  readonly log: Log;
}

export interface RunningChallenger {
  readonly address: Address;
  /** Ends after the moves in flight; safe to call twice. */
  stop(): Promise<void>;
}

/** Starts a challenger: watches claims, draws some, re-executes them, disputes the wrong ones, takes back what is its own. */
export async function startChallenger(options: ChallengerOptions): Promise<RunningChallenger> {
  const { config, client, addresses, account, log } = options;
  const sender = createSender({ client, account, ...(config.maxFeePerGas === undefined ? {} : { maxFeePerGas: config.maxFeePerGas }) });
  const chain = new ChallengerChain(client, addresses, sender);
  const clocks = await chain.clocks();
  const directory = openStateDirectory(config.data, 'challenger');
  const state = new ChallengerState(directory);
  const artifacts = openArtifacts(path.join(config.data, 'artifacts'));
  const material = new Material({
    chain,
    artifacts,
    provers: config.provers,
    fromBlock: options.fromBlock,
    timeout: config.fetchSeconds * 1000,
    log,
  });
  const pursuit = new Pursuit({ state, chain, material, clocks, mostOperations: config.mostOperations, log });
  const events = new Events({ state, chain, artifacts, rate: config.rate, log });
  const abort = new AbortController();
  let reclaiming: Promise<void> = Promise.resolve();
  let isReclaiming = false;
  const onHead = async (head: Head): Promise<void> => {
    pursuit.wake(head);
    if (isReclaiming || state.claims('wrong').length > 0) return;
    isReclaiming = true;
    reclaiming = reclaim(state, chain, log).finally(() => {
      isReclaiming = false;
    });
  };
  const following = follow(
    {
      client,
      contracts: [
        { address: addresses.requests, abi: requestsAbi },
        { address: addresses.board, abi: claimBoardAbi },
        { address: addresses.channels, abi: coverageChannelsAbi },
      ],
      fromBlock: options.fromBlock,
      confirmations: BigInt(config.confirmations),
      pollMilliseconds: config.pollMilliseconds,
      loadCursor: async () => state.cursor(),
      saveCursor: (block) => state.saveCursor(block),
      onEvent: (event) => events.onEvent(event),
      onHead,
      onError: (error) => log.warn({ error }, 'the chain could not be followed; trying again'),
    },
    abort.signal,
  );
  log.info({ address: sender.address, rate: config.rate }, 'ready');
  const end = async (): Promise<void> => {
    abort.abort();
    await following;
    await pursuit.idle();
    await reclaiming;
    await sender.idle();
    await directory.close();
  };
  let stopping: Promise<void> | undefined;
  return {
    address: sender.address,
    stop: () => {
      stopping ??= end();
      return stopping;
    },
  };
}

interface EventsParts {
  readonly state: ChallengerState;
  readonly chain: ChallengerChain;
  readonly artifacts: ArtifactStore;
  readonly rate: number;
  readonly log: Log;
}

interface BoardArgs {
  readonly source: Address;
  readonly claimId: Hex;
  readonly unit: { readonly kind: number } & Omit<Unit, 'kind'>;
  readonly deadline: bigint;
  readonly payer: Hex;
  readonly data: Hex;
  readonly roots: readonly Hash[];
}

interface ClaimedArgs {
  readonly modelId: Hash;
  readonly prover: Address;
  readonly outputRoot: Hash;
}

/** Turns the chain's events into memory; each may come twice. */
class Events {
  private readonly parts: EventsParts;

  constructor(parts: EventsParts) {
    this.parts = parts;
  }

  async onEvent(event: ChainEvent): Promise<void> {
    // The ABI decoded these arguments; their names and types are its own.
    const args = event.args as unknown;
    switch (event.name) {
      case 'Requested':
        return this.requested(args as { requestId: bigint; modelId: Hash; inputRoot: Hash; input: Hex; inputUri: string });
      case 'Claimed':
        return this.claimed(String((args as { requestId: bigint }).requestId), args as ClaimedArgs);
      case 'ReceiptOpened':
        return this.receiptOpened(args as { claimId: Hex; receipt: ClaimedArgs & { inputRoot: Hash } });
      case 'ReceiptSettled':
      case 'ReceiptFaulted':
        return this.ended((args as { claimId: Hex }).claimId);
      case 'Finalized':
      case 'Faulted':
        return this.ended(String((args as { requestId: bigint }).requestId));
      default:
        return this.onBoard(event, args as BoardArgs);
    }
  }

  private async requested(args: { requestId: bigint; modelId: Hash; inputRoot: Hash; input: Hex; inputUri: string }): Promise<void> {
    const { state, artifacts } = this.parts;
    // The contract computed the root of bytes that came with a request.
    if (args.input !== '0x') await artifacts.put('inputs', args.inputRoot, hexToBytes(args.input));
    await state.saveRequest({
      requestId: String(args.requestId),
      modelId: args.modelId,
      inputRoot: args.inputRoot,
      inputUri: args.inputUri,
    });
  }

  /** A receipt that its customer opened: from here on a claim like any other. Its input comes from the prover, or by demand. */
  private async receiptOpened({ claimId, receipt }: { claimId: Hex; receipt: ClaimedArgs & { inputRoot: Hash } }): Promise<void> {
    const { modelId, inputRoot } = receipt;
    await this.parts.state.saveRequest({ requestId: claimId, modelId, inputRoot, inputUri: '' });
    await this.claimed(claimId, receipt);
  }

  private async claimed(claimId: string, args: ClaimedArgs): Promise<void> {
    const { state, chain, rate, log } = this.parts;
    const known = state.claim(claimId);
    // Dice are thrown once a claim: a restart must not throw them again. After a reorganisation it may be another claim.
    if (known?.outputRoot === args.outputRoot && known.prover === args.prover) return;
    const { claimedAt, open } = await chain.claim(claimId);
    const drawn = open && draw(rate);
    log.info({ claim: claimId, prover: args.prover, drawn }, 'a claim');
    const { modelId, prover, outputRoot } = args;
    await state.saveClaim({ claimId, modelId, prover, outputRoot, claimedAt: Number(claimedAt), state: drawn ? 'drawn' : 'skipped' });
  }

  private async ended(claimId: string): Promise<void> {
    const claim = this.parts.state.claim(claimId);
    if (claim?.state === 'drawn' || claim?.state === 'wrong') await this.parts.state.saveClaim({ ...claim, state: 'ended' });
  }

  private async onBoard(event: ChainEvent, args: BoardArgs): Promise<void> {
    const { state, chain } = this.parts;
    const claimId = args.source === undefined ? undefined : claimNameOf(chain.addresses, args);
    if (claimId === undefined || state.claim(claimId) === undefined) return;
    const seen = disputeEvent(event.name, args);
    const order = `${event.blockNumber.toString().padStart(16, '0')}/${event.logIndex.toString().padStart(8, '0')}`;
    if (seen !== undefined) await state.saveEvent(claimId, order, seen);
  }
}

function disputeEvent(name: string, args: BoardArgs): DisputeEvent | undefined {
  if (name === 'Expired' || name === 'FaultProven') return { type: 'convicted' };
  if (name === 'RootsPosted') return { type: 'rootsPosted', unit: TENSOR_ROOTS, roots: args.roots };
  const unit = args.unit === undefined ? undefined : unitFromChain(args.unit);
  if (unit === undefined) return undefined;
  if (name === 'Demanded') return { type: 'demanded', unit, deadline: Number(args.deadline), payer: args.payer };
  if (name === 'Answered') return { type: 'answered', unit, data: hexToBytes(args.data) };
  return name === 'EscrowReturned' ? { type: 'escrowReturned', unit } : undefined;
}
