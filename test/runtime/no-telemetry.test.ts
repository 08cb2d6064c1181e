import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';

const root = path.resolve(import.meta.dirname, '../..');
const files = ['core', 'runtime', 'prover', 'challenger', 'cli', 'circuits', 'verifier'].flatMap((room) =>
  readdirSync(path.join(root, room), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => path.join(room, name)),
);

it('onnxruntime leaves nothing behind and reports nothing', () => {
  const home = mkdtempSync(path.join(tmpdir(), 'assay-home-'));
  // None of the variables by which it recognises that it is being tested.
  execFileSync(process.execPath, ['cli/assay.mjs', 'selftest'], { cwd: root, env: { PATH: process.env.PATH ?? '', HOME: home } });
  expect(readdirSync(home, { recursive: true })).toEqual([]);
  rmSync(home, { recursive: true, force: true });
});

it('whoever loads it switches that off first', () => {
  const loading = files.filter((file) => /^import (?!type).*'onnxruntime-node'/m.test(readFileSync(path.join(root, file), 'utf8')));
  expect(loading.length).toBeGreaterThan(0);
  for (const file of loading) {
    const imports = readFileSync(path.join(root, file), 'utf8').match(/^import .*$/gm) ?? [];
    expect(imports[0], file).toMatch(/no-telemetry\.ts'/);
  }
});
