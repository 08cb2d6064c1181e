import { type Address, type Chain, type Hex, hexToBytes, type PublicClient, type Transport } from 'viem';
import type { Hash } from '../../../core/brand.ts';
import type { Clocks } from '../../../core/dispute/clocks.ts';
import { type DisputeEvent, type ObservedDispute, observe, QUIET } from '../../../core/dispute/observed.ts';
import { TENSOR_ROOTS, type Unit } from '../../../core/dispute/units.ts';
import { claimBoardAbi } from '../generated/claimBoard.ts';
import { type ClaimKey, unitFromChain, unitOnChain } from './encode.ts';

type Client = PublicClient<Transport, Chain | undefined>;

/** The board's clocks, which never change. */
export async function readClocks(client: Client, board: Address): Promise<Clocks> {
  const read = (functionName: 'WINDOW' | 'RESPONSE' | 'REACTION'): Promise<bigint> =>
    client.readContract({ address: board, abi: claimBoardAbi, functionName });
  const [window, response, reaction] = await Promise.all([read('WINDOW'), read('RESPONSE'), read('REACTION')]);
  return { window: Number(window), response: Number(response), reaction: Number(reaction) };
}

/** Wei that demanding the units escrows at the current fee. The fee moves between reading and sending: send more, it is credited. */
export async function readPrice(client: Client, board: Address, modelId: Hex, units: readonly Unit[]): Promise<bigint> {
  const prices = await Promise.all(
    units.map((unit) =>
      client.readContract({ address: board, abi: claimBoardAbi, functionName: 'priceOf', args: [modelId, unitOnChain(unit)] }),
    ),
  );
  return prices.reduce((sum, price) => sum + price, 0n);
}

/** Arguments of the board's events, as decoded; a field is missing where the event has none. */
interface EventArguments {
  readonly unit?: Parameters<typeof unitFromChain>[0];
  readonly deadline?: bigint;
  readonly payer?: Hex;
  readonly data?: Hex;
  readonly roots?: readonly Hex[];
}

/** What one decoded event means for its dispute; undefined for events that are of no dispute, or of kinds not known. */
export function disputeEvent(eventName: string, args: EventArguments): DisputeEvent | undefined {
  const unit = args.unit === undefined ? undefined : unitFromChain(args.unit);
  switch (eventName) {
    case 'Demanded':
      if (unit === undefined || args.deadline === undefined || args.payer === undefined) return undefined;
      return { type: 'demanded', unit, deadline: Number(args.deadline), payer: args.payer };
    case 'Answered':
      return unit === undefined || args.data === undefined ? undefined : { type: 'answered', unit, data: hexToBytes(args.data) };
    case 'RootsPosted':
      return args.roots === undefined ? undefined : { type: 'rootsPosted', unit: TENSOR_ROOTS, roots: args.roots as readonly Hash[] };
    case 'EscrowReturned':
      return unit === undefined ? undefined : { type: 'escrowReturned', unit };
    case 'Expired':
    case 'FaultProven':
      return { type: 'convicted' };
    default:
      return undefined;
  }
}

/**
 * The dispute of one claim from the board's events.
 * @param fromBlock block of the claim, or of the deployment
 */
export async function readDispute(client: Client, board: Address, claim: ClaimKey, fromBlock: bigint): Promise<ObservedDispute> {
  const logs = await client.getContractEvents({ address: board, abi: claimBoardAbi, fromBlock, strict: true });
  let dispute = QUIET;
  for (const { eventName, args } of logs) {
    const named = args as { readonly source?: Address; readonly claimId?: Hex };
    if (named.source?.toLowerCase() !== claim.source.toLowerCase() || named.claimId !== claim.claimId) continue;
    const event = disputeEvent(eventName, args as EventArguments);
    if (event !== undefined) dispute = observe(dispute, event);
  }
  return dispute;
}
