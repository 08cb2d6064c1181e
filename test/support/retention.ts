import { HistoryPruner } from '../../prover/records/history.ts';
import { Retention } from '../../prover/service/retention.ts';
import type { Store } from '../../prover/store/port.ts';
import { createLog } from '../../runtime/log.ts';

export const DAY = 86_400;

/**
 * Keeps answers and requests for 30 days and idempotency keys for 7; leaves inputs alone.
 * @param isOpen what the chain says of a claim that the store says is over
 */
export function retentionOf(store: Store, isOpen: (claimId: string) => Promise<boolean> = async () => false): Retention {
  const log = createLog({ name: 'test', level: 'silent' });
  const history = new HistoryPruner({ store, keepSeconds: 30 * DAY, isOpen, log });
  return new Retention({ store, pruner: { prune: async () => false }, history, log, answerSeconds: 30 * DAY, idempotencySeconds: 7 * DAY });
}
