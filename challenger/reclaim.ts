import { isAddressEqual } from 'viem';
import type { Log } from '../runtime/log.ts';
import type { ChallengerChain } from './chain.ts';
import type { ChallengerState } from './state.ts';

/**
 * Takes back what is the challenger's own: escrow of demands that a verdict voided, credit on the board, payouts in the vault.
 * Reads the chain rather than its memory of sums, so that nothing stays behind after any downtime.
 */
export async function reclaim(state: ChallengerState, chain: ChallengerChain, log: Log): Promise<void> {
  try {
    for (const claim of state.claims('ended', 'right')) {
      const dispute = state.dispute(claim.claimId);
      if (dispute.phase !== 'faulted') continue;
      const voided = [...dispute.demands.values()].filter(
        ({ status, payer }) => status === 'open' && isAddressEqual(payer, chain.sender.address),
      );
      if (voided.length > 0)
        await chain.returnEscrow(
          claim.claimId,
          voided.map(({ unit }) => unit),
        );
    }
    const taken = await chain.reclaim();
    if (taken > 0n) log.info({ wei: taken.toString() }, 'reclaimed');
  } catch (error) {
    log.warn({ error }, 'reclaiming failed; a later block tries again');
  }
}
