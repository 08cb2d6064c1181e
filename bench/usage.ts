import { existsSync, readdirSync, readFileSync } from 'node:fs';

/** What this process and everything that it started used between two moments. */
export interface Usage {
  /** Processor seconds, user mode, all threads. */
  readonly userSeconds: number;
  /** Most memory resident at one time, all processes together, in MiB. */
  readonly peakMegabytes: number;
}

const POLL_MILLISECONDS = 100;
const TICKS_PER_SECOND = 100;
const PAGES_PER_MEGABYTE = 256;

interface Reading {
  readonly parent: number;
  readonly userSeconds: number;
  readonly megabytes: number;
}

/** One process from /proc/PID/stat; undefined when it has just ended. */
function read(pid: number): Reading | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The command's name stands in parentheses and may hold anything; field 3 follows it.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return {
      parent: Number(fields[1]),
      userSeconds: Number(fields[11]) / TICKS_PER_SECOND,
      megabytes: Number(fields[21]) / PAGES_PER_MEGABYTE,
    };
  } catch {
    return undefined;
  }
}

/** This process and its descendants. */
function family(): Map<number, Reading> {
  const all = new Map<number, Reading>();
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    const reading = pid > 0 ? read(pid) : undefined;
    if (reading !== undefined) all.set(pid, reading);
  }
  const isOurs = (pid: number): boolean => {
    for (let at = pid, left = 16; left > 0; left--) {
      if (at === process.pid) return true;
      at = all.get(at)?.parent ?? 0;
    }
    return false;
  };
  return new Map([...all].filter(([pid]) => isOurs(pid)));
}

/**
 * Samples the processes from now until the returned function is called. Children end without a last word, so what they used in their
 * last tenth of a second is lost. Linux; zeros elsewhere.
 */
export function watchUsage(): () => Usage {
  if (!existsSync('/proc/self/stat')) return () => ({ userSeconds: 0, peakMegabytes: 0 });
  const before = family();
  const latest = new Map<number, number>();
  let peakMegabytes = 0;
  const sample = (): void => {
    const now = family();
    for (const [pid, { userSeconds }] of now) latest.set(pid, userSeconds);
    peakMegabytes = Math.max(
      peakMegabytes,
      [...now.values()].reduce((sum, { megabytes }) => sum + megabytes, 0),
    );
  };
  sample();
  const timer = setInterval(sample, POLL_MILLISECONDS);
  return () => {
    clearInterval(timer);
    sample();
    let userSeconds = 0;
    for (const [pid, seconds] of latest) userSeconds += seconds - (before.get(pid)?.userSeconds ?? 0);
    return { userSeconds, peakMegabytes: Math.round(peakMegabytes) };
  };
}
