import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { AssayError } from '../../core/errors.ts';

const WORK = '.setup';
/** Process number of whoever works there. */
const OWNER = 'owner';
/** Work directories of this process. */
const ours = new Set<string>();

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // A process of somebody else may not be signalled, and lives.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Whether the process that made a work directory is still at it. */
async function isInUse(work: string): Promise<boolean> {
  const pid = Number(await readFile(path.join(work, OWNER), 'utf8').catch(() => ''));
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  return pid === process.pid ? ours.has(work) : isAlive(pid);
}

/** Makes the directory unless it is there. */
async function create(work: string): Promise<boolean> {
  try {
    await mkdir(work);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

async function claim(directory: string, work: string): Promise<void> {
  if (!(await create(work))) {
    const inUse = await isInUse(work);
    // What an interrupted setup left is of no use to another one.
    if (!inUse) await rm(work, { recursive: true, force: true });
    if (inUse || !(await create(work))) {
      throw new AssayError('Another setup of this model is running', {
        code: 'SETUP_RUNNING',
        facts: { directory },
        fix: `wait for it; if there is none, remove ${work}`,
      });
    }
  }
  ours.add(work);
  await writeFile(path.join(work, OWNER), String(process.pid));
}

/**
 * Files of a setup in the making: a directory of their own, so that an interrupted setup leaves nothing that looks complete, and one setup
 * of a model at a time. @throws AssayError SETUP_RUNNING
 */
export async function withWork<T>(directory: string, act: (work: string) => Promise<T>): Promise<T> {
  const work = path.resolve(directory, WORK);
  await claim(directory, work);
  try {
    return await act(work);
  } finally {
    await rm(work, { recursive: true, force: true });
    ours.delete(work);
  }
}
