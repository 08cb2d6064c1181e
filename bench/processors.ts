import { readdirSync, readFileSync } from 'node:fs';

/** Processor seconds since some moment of the past: differences of two readings count. Linux. */
export interface Reading {
  /** Of all processors together: something ran, or what hosts this machine took them away. */
  readonly busy: number;
  readonly all: number;
  /** Of each group of processes that was asked for, with all that they started. */
  readonly groups: Readonly<Record<string, number>>;
}

/** Shares of all processors, 0 to 1. */
export interface Shares {
  readonly groups: Readonly<Record<string, number>>;
  /** What nobody who was asked for used: other people's work on this machine, and the kernel's. */
  readonly others: number;
  readonly idle: number;
}

const TICKS_A_SECOND = 100;

interface Process {
  readonly parent: number;
  readonly seconds: number;
}

/** Of every process, with its children that have ended. */
function processes(): Map<number, Process> {
  const all = new Map<number, Process>();
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!(pid > 0)) continue;
    try {
      const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
      // The command's name stands in parentheses and may hold anything; field 3 follows it.
      const fields = text
        .slice(text.lastIndexOf(')') + 2)
        .split(' ')
        .map(Number);
      all.set(pid, { parent: fields[1]!, seconds: (fields[11]! + fields[12]! + fields[13]! + fields[14]!) / TICKS_A_SECOND });
    } catch {
      // It has just ended.
    }
  }
  return all;
}

/** @param groups process ids by name of the group; a process started by one of another group belongs to its own */
export function readProcessors(groups: Readonly<Record<string, readonly number[]>>): Reading {
  const all = processes();
  const owner = new Map(Object.entries(groups).flatMap(([name, pids]) => pids.map((pid) => [pid, name] as const)));
  const groupOf = (pid: number): string | undefined => {
    for (let at = pid; at > 1; at = all.get(at)?.parent ?? 0) if (owner.has(at)) return owner.get(at);
    return undefined;
  };
  const sums: Record<string, number> = Object.fromEntries(Object.keys(groups).map((name) => [name, 0]));
  for (const [pid, { seconds }] of all) {
    const group = groupOf(pid);
    if (group !== undefined) sums[group]! += seconds;
  }
  // user, nice, system, idle, iowait, irq, softirq, steal; guests are in user already.
  const ticks = readFileSync('/proc/stat', 'utf8').split('\n')[0]!.trim().split(/\s+/).slice(1, 9).map(Number);
  const total = ticks.reduce((sum, each) => sum + each, 0) / TICKS_A_SECOND;
  return { busy: total - (ticks[3]! + ticks[4]!) / TICKS_A_SECOND, all: total, groups: sums };
}

export function sharesBetween(before: Reading, after: Reading): Shares {
  const all = after.all - before.all;
  const groups = Object.fromEntries(Object.entries(after.groups).map(([name, seconds]) => [name, (seconds - before.groups[name]!) / all]));
  const busy = (after.busy - before.busy) / all;
  const known = Object.values(groups).reduce((sum, share) => sum + share, 0);
  return { groups, others: Math.max(0, busy - known), idle: 1 - busy };
}
