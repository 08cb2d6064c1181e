import { closeSync, openSync, readFileSync, readlinkSync, rmSync, statSync, utimesSync, writeSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { AssayError } from '../core/errors.ts';

const holderSchema = z.object({
  process: z.int().min(1),
  /** When it started, in the kernel's own unit: a process id is given again. */
  started: z.string().max(40).optional(),
  /** Where its id means something: two containers may both hold a process 1. */
  namespace: z.string().max(80).optional(),
  boot: z.string().max(80).optional(),
});
type Holder = z.output<typeof holderSchema>;

/** Milliseconds between two signs of life of a holder. */
const BEAT = 1_000;
/** Milliseconds without one after which a holder that cannot be looked up, as it is in another container, counts as gone. */
const QUIET = 10_000;
const LOOK = 250;

/**
 * Holds a directory for this process, by a file in it that names the holder. What a killed process left is taken over: at once where its id
 * can be looked up; where it ran in another container, when it has given no sign of life for ten seconds, which are waited for here.
 * @returns lets go of it @throws AssayError STATE_IN_USE; errors of the file system as they are
 */
export function holdDirectory(directory: string): () => void {
  const file = path.join(directory, 'process');
  for (let attempt = 0; ; attempt++) {
    try {
      const handle = openSync(file, 'wx', 0o600);
      write(handle, file);
      return beat(file);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || attempt > 0) throw error;
      if (!isLeft(file)) throw inUse(directory, read(file)?.process);
      rmSync(file, { force: true });
    }
  }
}

function write(handle: number, file: string): void {
  try {
    writeSync(handle, JSON.stringify(self()));
  } catch (error) {
    // A full disk: what cannot name its holder holds nothing.
    rmSync(file, { force: true });
    throw error;
  } finally {
    closeSync(handle);
  }
}

function beat(file: string): () => void {
  const timer = setInterval(() => {
    const now = new Date();
    try {
      utimesSync(file, now, now);
    } catch {
      // Gone where somebody removed the directory: nothing is held any more either way.
      clearInterval(timer);
    }
  }, BEAT);
  timer.unref();
  return () => {
    clearInterval(timer);
    rmSync(file, { force: true });
  };
}

/** Whether nobody is behind a file any more. */
function isLeft(file: string): boolean {
  const holder = read(file);
  const { boot, namespace } = self();
  // Cut off while it was written.
  if (holder === undefined) return isQuiet(file);
  if (holder.boot !== boot) return true;
  return holder.namespace === namespace ? !isAlive(holder) : isQuiet(file);
}

function read(file: string): Holder | undefined {
  try {
    return holderSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    return undefined;
  }
}

function isAlive({ process: pid, started }: Holder): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  return started === undefined || startOf(pid) === started;
}

/** Waits for a sign of life: the clock that stamps it and this process's may differ, so that only its moving counts. */
function isQuiet(file: string): boolean {
  const last = stampOf(file);
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  for (let waited = 0; waited < QUIET; waited += LOOK) {
    Atomics.wait(sleeper, 0, 0, LOOK);
    if (stampOf(file) !== last) return stampOf(file) === undefined;
  }
  return true;
}

function stampOf(file: string): number | undefined {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs;
}

function self(): Holder {
  return {
    process: process.pid,
    started: startOf(process.pid),
    namespace: told(() => readlinkSync('/proc/self/ns/pid')),
    boot: told(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()),
  };
}

/** Field 22 of its status; the second one, a name in brackets, may hold spaces. */
function startOf(pid: number): string | undefined {
  return told(() => readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ')[19]);
}

/** What the kernel tells; undefined where there is no /proc. */
function told<Result>(look: () => Result): Result | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}

function inUse(directory: string, holder: number | undefined): AssayError {
  return new AssayError('The state directory is in use by another process', {
    code: 'STATE_IN_USE',
    facts: { directory, ...(holder === undefined ? {} : { process: holder }) },
    fix: 'stop that process, or give this one a directory of its own with --data',
  });
}
