import { HistoryPruner, type HistoryPrunerParts } from '../../prover/records/history.ts';
import { Retention } from '../../prover/service/retention.ts';
import type { Store } from '../../prover/store/port.ts';
import { createLog } from '../../runtime/log.ts';

export const DAY = 86_400;

const NO_DEAD: HistoryPrunerParts['queue'] = {
  counts: async () => ({ waiting: 0, active: 0, dead: 0 }),
  remove: () => Promise.reject(new Error('there is nothing to remove')),
};

/**
 * Keeps answers and requests for 30 days and idempotency keys for 7; leaves inputs alone.
 * @param isOpen what the chain says of a claim that the store says is over
 */
export function retentionOf(
  store: Store,
  isOpen: (claimId: string) => Promise<boolean> = async () => false,
  queue: HistoryPrunerParts['queue'] = NO_DEAD,
): Retention {
  const log = createLog({ name: 'test', level: 'silent' });
  const history = new HistoryPruner({ store, queue, keepSeconds: 30 * DAY, isOpen, log });
  return new Retention({ store, pruner: { prune: async () => false }, history, log, answerSeconds: 30 * DAY, idempotencySeconds: 7 * DAY });
}
