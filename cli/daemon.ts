import { format } from 'node:util';
import type { AssayError } from '../core/errors.ts';
import type { Log } from '../runtime/log.ts';
import { graceForCleanUp } from './cleanup.ts';
import { type ExitCode, exitCodeOf } from './exit.ts';

/** What a supervisor should start again as it is: nothing in its configuration is wrong (EX_TEMPFAIL of sysexits.h). */
export const START_AGAIN = 75;

/** Errors that pass, or that a start mends. */
const PASSING: ReadonlySet<string> = new Set([
  'CHAIN_ENDED',
  'CHAIN_ROLE_MISSING',
  'CHAIN_UNREACHABLE',
  'DISK_FULL',
  'INTERNAL',
  'QUEUE_UNREACHABLE',
  'STAKE_IN_USE',
  'STATE_IN_USE',
  'STORE_UNREACHABLE',
]);

let isDaemon = false;

/** From now on this process serves until a signal ends it. @param drainSeconds that what runs gets to end after the first signal */
export function becomeDaemon(drainSeconds: number): void {
  isDaemon = true;
  graceForCleanUp(drainSeconds);
}

/** Exit code for an error: for a daemon also 75, which tells a supervisor that starting again makes sense. */
export function processExitCode(error: AssayError): ExitCode | typeof START_AGAIN {
  return isDaemon && PASSING.has(error.code) ? START_AGAIN : exitCodeOf(error);
}

/** What libraries print and warn of by themselves becomes lines of the log, the same one once: whoever reads the log reads JSON. */
export function logConsole(log: Pick<Log, 'warn'>): void {
  const heard = new Set<string>();
  const say = (...said: unknown[]): void => {
    const text = format(...said).slice(0, 500);
    if (heard.has(text) || heard.size >= MOST_HEARD) return;
    heard.add(text);
    log.warn({ said: text }, 'a library says');
  };
  process.on('warning', ({ name, message }) => say(`${name}: ${message}`));
  Object.assign(console, { debug: say, log: say, info: say, warn: say, error: say });
}

const MOST_HEARD = 100;

/** Never resolves by itself: the process runs until a signal ends it (cli/cleanup.ts), and stays alive until then. */
export function untilStopped(): Promise<never> {
  return new Promise(() => {
    setInterval(() => {}, 2 ** 30);
  });
}
