import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { freeBytes } from '../../runtime/disk-full.ts';

const root = path.resolve(import.meta.dirname, '../..');
const FILLER = path.join(root, 'test/support/disk-filler.ts');

/** Whether this user may mount a file system of its own: root may, and others where user namespaces are allowed. */
const canMount = spawnSync('unshare', ['-rm', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0;

/** A file system of 24 MB; where that is not to be had, a reserve that leaves 8 MB of the disk. */
function fill(folder: string): ReturnType<typeof spawnSync> {
  const options = { cwd: root, timeout: 250_000 };
  const node = [process.execPath, '--import', 'tsx', FILLER, folder];
  if (!canMount) return spawnSync(node[0]!, [...node.slice(1), String(freeBytes(folder) - 8_000_000)], options);
  return spawnSync(
    'unshare',
    ['-rm', 'sh', '-c', 'mount -t tmpfs -o size=24m tmpfs "$1" && shift && exec "$@"', 'sh', folder, ...node],
    options,
  );
}

it(`a full disk is refused in clear words, loses nothing acknowledged and needs no restart (${canMount ? 'tmpfs' : 'reserve'})`, () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'assay-full-'));
  try {
    const ended = fill(folder);
    expect(ended.status, String(ended.stderr).slice(-2_000)).toBe(0);
    const result = JSON.parse(String(ended.stdout)) as Record<string, unknown>;
    expect(result).toMatchObject({ documentsLost: 0, artifactsDamaged: 0, jobsWaiting: 0 });
    expect(result.worked).toBe(result.jobs);
    expect(result.documents).toBeGreaterThan(100);
    const [full, ...kinds] = ['DISK_FULL', 'document', 'several at once', 'job', 'change', 'artifact'];
    expect(result.refused).toEqual(Object.fromEntries(kinds.map((kind) => [kind, full])));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
