import { setTimeout as sleep } from 'node:timers/promises';
import type { Address } from 'viem';
import { AssayError } from '../../core/errors.ts';
import type { Log } from '../../runtime/log.ts';
import type { Storage } from './storage.ts';

const PAUSE_MILLISECONDS = 500;

/** Given back when the process ends, however it ends. */
export interface StakeLock {
  release(): Promise<void>;
}

/**
 * Makes sure that one process at a time runs the chain side of a stake: two would know nothing of each other's transactions. A lock that
 * broke with its connection is taken again; when another process was faster, this one has to end.
 * @throws AssayError STAKE_IN_USE
 */
export async function holdStake(
  storage: Pick<Storage, 'hold'>,
  owner: Address,
  log: Log,
  onFatal: (error: AssayError) => void,
): Promise<StakeLock> {
  const { hold } = storage;
  // A state directory is held by one process as it is.
  if (hold === undefined) return { release: async () => {} };
  let isReleased = false;
  const acquire = (): Promise<StakeLock> => hold(`chain/${owner.toLowerCase()}`, lost).catch((error) => Promise.reject(told(error, owner)));
  const again = async (): Promise<StakeLock> => {
    for (;;) {
      try {
        const lock = await acquire();
        if (isReleased) await lock.release();
        else log.info('the stake is held again');
        return lock;
      } catch (error) {
        const known = error instanceof AssayError ? error : undefined;
        if (known?.code !== 'STAKE_IN_USE' && !isReleased) {
          await sleep(PAUSE_MILLISECONDS);
          continue;
        }
        if (known !== undefined && !isReleased) onFatal(known);
        return { release: async () => {} };
      }
    }
  };
  let held = acquire();
  function lost(error: AssayError): void {
    if (isReleased) return;
    log.warn({ error }, 'the connection that holds the stake broke; holding it again');
    held = again();
  }
  await held;
  return {
    release: async () => {
      isReleased = true;
      await (await held).release();
    },
  };
}

function told(error: unknown, owner: Address): unknown {
  if (!(error instanceof AssayError) || error.code !== 'LOCK_HELD') return error;
  return new AssayError('Another process runs the chain side of this stake', {
    code: 'STAKE_IN_USE',
    facts: { owner },
    fix: 'run one process of the role chain or all for a stake; stop that one, or this',
    cause: error,
  });
}
