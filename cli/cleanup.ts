type Task = () => Promise<void> | void;

const tasks: Task[] = [];
let running: Promise<void> | undefined;

/** Registers what must happen before this process ends, in reverse order: stop a child, remove a half-written folder. */
export function beforeExit(task: Task): () => void {
  tasks.push(task);
  return () => {
    const at = tasks.indexOf(task);
    if (at >= 0) tasks.splice(at, 1);
  };
}

/** Runs the registered tasks once; a task that fails does not keep the others from running. */
export function cleanUp(): Promise<void> {
  running ??= runTasks();
  return running;
}

async function runTasks(): Promise<void> {
  for (let task = tasks.pop(); task !== undefined; task = tasks.pop()) {
    try {
      await task();
    } catch {
      // Nothing useful can be done with it on the way out.
    }
  }
}

/** Time for what is closed besides what drains. */
const GRACE_MILLISECONDS = 15_000;
const SAME_SIGNAL_MILLISECONDS = 300;
let drainMilliseconds = 0;
let ending = false;

/** What runs gets this long to end, in seconds, before it is aborted. */
export function graceForCleanUp(seconds: number): void {
  drainMilliseconds = seconds * 1_000;
}

/** Whether a signal is ending this process: what fails from then on fails because of that, and is nobody's news. */
export function isEnding(): boolean {
  return ending;
}

/** Ctrl-C, a polite kill, and the end of a supervising parent all end in the same clean-up; a second signal does not wait for it. */
export function installSignalHandlers(): void {
  let firstAt = 0;
  const end = (code: number): void => {
    if (ending) {
      // A terminal and a supervisor may send the same signal at the same time: that is one.
      if (performance.now() - firstAt > SAME_SIGNAL_MILLISECONDS) process.exit(code);
      return;
    }
    ending = true;
    firstAt = performance.now();
    setTimeout(() => process.exit(code), drainMilliseconds + GRACE_MILLISECONDS).unref();
    void cleanUp().finally(() => process.exit(code));
  };
  process.on('SIGINT', () => end(130));
  process.on('SIGTERM', () => end(143));
  process.on('SIGHUP', () => end(129));
  // Started by `assay up` or the demo: a parent that vanished, even by SIGKILL, closes this channel.
  if (process.send !== undefined) process.on('disconnect', () => end(143));
}

/** Cleans up after what nobody foresaw, then ends with `process.exitCode`; a clean-up that hangs does not keep the process. */
export function endAfterCleanUp(): void {
  ending = true;
  setTimeout(() => process.exit(), GRACE_MILLISECONDS).unref();
  void cleanUp().finally(() => process.exit());
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Runs work that keeps the event loop busy: no handler could run before its end, so meanwhile a signal ends the process at once.
 * Nothing may be half-done at that point: no child runs, no file is open.
 */
export function endableAtOnce<T>(work: () => T): T {
  const handlers = SIGNALS.map((signal) => ({ signal, listeners: process.listeners(signal) }));
  for (const { signal } of handlers) process.removeAllListeners(signal);
  try {
    return work();
  } finally {
    for (const { signal, listeners } of handlers) for (const listener of listeners) process.on(signal, listener);
  }
}
