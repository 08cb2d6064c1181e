import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

export const root = path.join(import.meta.dirname, '../..');
export const launcher = path.join(root, 'cli/assay.mjs');
export const fixtures = path.join(root, 'test/fixtures/models');

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the real command line as a process of its own. */
export function assay(...args: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, [launcher, ...args], { maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : null;
      resolve({ code, stdout, stderr });
    });
  });
}

/** A folder for one test file; removed by the returned function. */
export function scratch(name: string): { readonly folder: string; readonly remove: () => void } {
  const folder = mkdtempSync(path.join(tmpdir(), `assay-${name}-`));
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** What every error looks like: one paragraph with its code and, at best, a fix; never a stack. */
export function problemsOf(stderr: string): string[] {
  const text = stderr.trimEnd();
  const problems: string[] = [];
  if (text === '') problems.push('says nothing');
  if (text.includes('\n')) problems.push('is more than one paragraph');
  if (/^\s*at .+:\d+/m.test(stderr) || /node:internal|node_modules/.test(stderr)) problems.push('shows a stack');
  if (!/\[[A-Z][A-Z0-9_]+\]/.test(text)) problems.push('gives no code');
  if (/\[INTERNAL\]/.test(text)) problems.push('calls itself a defect');
  if (!/ Fix: /.test(text)) problems.push('gives no fix');
  return problems;
}
