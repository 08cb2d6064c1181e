import { monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks';

/** Why this process was late, in milliseconds. */
export interface Delays {
  /** What a timer was late by: 99 of 100, and the worst. */
  readonly loopP99: number;
  readonly loopMost: number;
  /** Pauses of the garbage collector: the longest, and all together. */
  readonly collectMost: number;
  readonly collectSum: number;
}

const RESOLUTION = 1;

/** Watches this process until the returned function is called. */
export function watchDelays(): () => Delays {
  const loop = monitorEventLoopDelay({ resolution: RESOLUTION });
  let [most, sum] = [0, 0];
  const collections = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) {
      most = Math.max(most, duration);
      sum += duration;
    }
  });
  collections.observe({ entryTypes: ['gc'] });
  loop.enable();
  return () => {
    loop.disable();
    collections.disconnect();
    // The timer's own period is part of what is measured.
    const late = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e6 - RESOLUTION);
    return { loopP99: late(loop.percentile(99)), loopMost: late(loop.max), collectMost: most, collectSum: sum };
  };
}
