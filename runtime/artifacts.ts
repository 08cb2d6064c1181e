import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { open, readFile, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { diskFull, isDiskFull, keepReserve, RESERVE } from './disk-full.ts';

/**
 * Files named by a hash of what they hold. The caller checks content against the name before `put` and after `get`. Writing throws
 * DISK_FULL when there is no space.
 */
export interface ArtifactStore {
  has(kind: string, hash: string): Promise<boolean>;
  /** Bytes, or undefined when there are none. */
  get(kind: string, hash: string): Promise<Uint8Array | undefined>;
  /** Durable when resolved; a name that is there already is left as it is. */
  put(kind: string, hash: string, bytes: Uint8Array): Promise<void>;
  remove(kind: string, hash: string): Promise<void>;
}

const NAME = /^0x[0-9a-f]{64}$/;
const KIND = /^[a-z]{1,20}$/;

/** Names come from the network: nothing but a hash may become part of a path. @throws RangeError */
export function checkArtifactName(kind: string, hash: string): void {
  if (!KIND.test(kind) || !NAME.test(hash)) throw new RangeError(`not an artifact name: ${kind}/${hash}`);
}

/** Content-addressed files below a directory: `<kind>/<hash>`, each written beside its place and then moved there. */
export function openArtifacts(directory: string, reserve = RESERVE): ArtifactStore {
  const fileOf = (kind: string, hash: string): string => {
    checkArtifactName(kind, hash);
    return path.join(directory, kind, hash);
  };
  return {
    has: (kind, hash) =>
      stat(fileOf(kind, hash)).then(
        () => true,
        () => false,
      ),
    get: async (kind, hash) => {
      try {
        return new Uint8Array(await readFile(fileOf(kind, hash)));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
        throw error;
      }
    },
    put: async (kind, hash, bytes) => {
      const file = fileOf(kind, hash);
      mkdirSync(path.dirname(file), { recursive: true });
      keepReserve(directory, reserve);
      const temporary = `${file}.${randomBytes(6).toString('hex')}`;
      try {
        await writeDurably(temporary, bytes);
        await rename(temporary, file);
      } catch (error) {
        await rm(temporary, { force: true });
        throw isDiskFull(error) ? diskFull(directory, error) : error;
      }
    },
    remove: (kind, hash) => rm(fileOf(kind, hash), { force: true }),
  };
}

async function writeDurably(file: string, bytes: Uint8Array): Promise<void> {
  const handle = await open(file, 'wx', 0o600);
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
}
