import { Retention } from '../../prover/service/retention.ts';
import type { Store } from '../../prover/store/port.ts';
import { createLog } from '../../runtime/log.ts';

export const DAY = 86_400;

/** Keeps answers for 30 days and idempotency keys for 7; leaves inputs alone. */
export function retentionOf(store: Store): Retention {
  const log = createLog({ name: 'test', level: 'silent' });
  return new Retention({ store, pruner: { prune: async () => false }, log, answerSeconds: 30 * DAY, idempotencySeconds: 7 * DAY });
}
