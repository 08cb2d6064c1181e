import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type Ended, launcher, problemsOf, root, scratch } from './assay.ts';

const { folder, remove } = scratch('launcher');
afterAll(remove);

/** A copy of the program without packages, but for those that are named. */
function copy(name: string, packages: readonly string[] = []): string {
  const at = path.join(folder, name);
  for (const part of ['cli', 'core', 'runtime', 'package.json']) cpSync(path.join(root, part), path.join(at, part), { recursive: true });
  if (packages.length > 0) mkdirSync(path.join(at, 'node_modules'));
  for (const each of packages) symlinkSync(path.join(root, 'node_modules', each), path.join(at, 'node_modules', each));
  return at;
}

function run(at: string, args: readonly string[], node: readonly string[] = []): Ended {
  const { status, stdout, stderr } = spawnSync(process.execPath, [...node, path.join(at, 'cli/assay.mjs'), ...args], { encoding: 'utf8' });
  return { code: status, stdout, stderr };
}

/** As an older Node calls itself. */
function calledItself(version: string): string[] {
  const code = `Object.defineProperty(process,"versions",{value:{...process.versions,node:"${version}"}})`;
  return ['--import', `data:text/javascript,${encodeURIComponent(code)}`];
}

describe('the launcher', () => {
  it.each([
    ['nothing', [], 'tsx'],
    ['the loader alone', ['tsx'], 'commander'],
    ['too little for one command', ['tsx', 'commander'], 'pino'],
  ] as const)('says what to do where %s is installed', (name, packages, missing) => {
    const at = copy(name.replaceAll(' ', '-'), packages);
    const { code, stdout, stderr } = run(at, ['node', 'check']);
    expect([code, stdout, problemsOf(stderr)]).toEqual([2, '', []]);
    expect(stderr).toBe(
      `A package that this program needs is not installed [NOT_INSTALLED] (package: ${missing}, folder: ${at}) Fix: run \`npm install\` in ${at}\n`,
    );
    const json = run(at, ['node', 'check', '--json']);
    expect([json.code, JSON.parse(json.stdout)]).toMatchObject([2, { error: { code: 'NOT_INSTALLED', facts: { package: missing } } }]);
  });

  it('says so where the packages are those of another platform', () => {
    const at = copy('foreign');
    const tsx = path.join(at, 'node_modules/tsx');
    mkdirSync(tsx, { recursive: true });
    writeFileSync(path.join(tsx, 'package.json'), '{"name": "tsx", "type": "module", "exports": {"./esm/api": "./api.js"}}');
    const words = '\\nYou installed esbuild for another platform than the one you are currently using.\\nThis will not work.';
    writeFileSync(path.join(tsx, 'api.js'), `export function register() { throw new Error('${words}'); }`);
    const { code, stderr } = run(at, ['selftest']);
    expect([code, problemsOf(stderr)]).toEqual([2, []]);
    expect(stderr).toContain('[NOT_INSTALLED] (package: esbuild for ');
  });

  it.each(['18.20.4', '20.18.3', '16.20.2'])('refuses Node %s', (version) => {
    for (const at of [root, copy(`old-${version}`)]) {
      const { code, stdout, stderr } = run(at, ['--version'], calledItself(version));
      expect([code, stdout]).toEqual([2, '']);
      expect(stderr).toMatch(
        /^This version of Node is too old \[NODE_TOO_OLD\] \(found: \S+, needed: 20\.19\) Fix: install Node 20\.19 .*\n$/,
      );
    }
  });

  it.each(['20.19.0', '21.0.0', '24.11.1'])('takes Node %s', (version) => {
    expect(run(root, ['--version'], calledItself(version))).toEqual({ code: 0, stdout: '0.1.0\n', stderr: '' });
  });

  it('wants what package.json wants, and is found through a link', () => {
    const { engines } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { engines: { node: string } };
    expect(readFileSync(launcher, 'utf8')).toContain(`OLDEST = [${engines.node.replace('>=', '').split('.').join(', ')}]`);
    const link = path.join(folder, 'assay');
    symlinkSync(launcher, link);
    expect(execFileSync(link, ['--version'], { encoding: 'utf8' })).toBe('0.1.0\n');
  });
});
