import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { installCommand, missingOf, needsOf, packagesOf, testFiles } from './needs.ts';
import { forgeTally, readTally, totalOf, vitestTally, writeTally } from './tally.ts';

const folders: string[] = [];

function temporaryFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'assay-support-'));
  folders.push(folder);
  return folder;
}

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

describe('the counts of a run', () => {
  const summary = 'Ran 3 test suites in 1.24s (2.1s CPU time): 40 tests passed, 2 failed, 1 skipped (43 total tests)';

  it("are Forge's, from its last summary", () => {
    const earlier = 'Ran 1 test suite in 3ms (2ms CPU time): 1 tests passed, 0 failed, 0 skipped (1 total tests)';
    expect(forgeTally(`noise\n${earlier}\n${summary}\n\nFailing tests:\n`)).toEqual({ passed: 40, failed: 2, skipped: 1 });
  });

  it.each(['', 'Compiler run failed', summary.replace('40', '41'), `say: ${summary}`, summary.replace('2 failed, ', '')])(
    'are refused from %j',
    (output) => {
      expect(() => forgeTally(output)).toThrow();
    },
  );

  it("are vitest's, skipped and todo among the rest", () => {
    expect(vitestTally('{"numTotalTests":9,"numPassedTests":5,"numFailedTests":1}')).toEqual({ passed: 5, failed: 1, skipped: 3 });
  });

  it.each(['', '{}', '{"numTotalTests":1,"numPassedTests":"1","numFailedTests":0}', '{"numTotalTests":-1,"numPassedTests":0}'])(
    'are refused from the report %j',
    (report) => {
      expect(() => vitestTally(report)).toThrow();
    },
  );

  it('add up, and survive a file', () => {
    const file = path.join(temporaryFolder(), 'deep/report.json');
    const total = totalOf([
      { passed: 1, failed: 2, skipped: 3 },
      { passed: 10, failed: 0, skipped: 1 },
    ]);
    writeTally(file, total);
    expect(readTally(file)).toEqual({ passed: 11, failed: 2, skipped: 4 });
  });

  it('are never zero for a suite that left none', () => {
    const folder = temporaryFolder();
    expect(() => readTally(path.join(folder, 'none.json'))).toThrow('did not run to its end');
    writeFileSync(path.join(folder, 'bad.json'), '{"passed":1}');
    expect(() => readTally(path.join(folder, 'bad.json'))).toThrow();
  });
});

describe('what services suites need', () => {
  it('is named in each suite', () => {
    expect(needsOf('a.test.ts', "// needs: redis-server, chromium\nimport 'a';")).toEqual(['redis-server', 'chromium']);
    expect(() => needsOf('a.test.ts', "import 'a';")).toThrow('must name its Debian packages');
    expect(() => needsOf('a.test.ts', '// needs: redis')).toThrow('does not know');
    expect(() => needsOf('a.test.ts', '// needs: toString')).toThrow('does not know');
  });

  it('is one list without repeats, and one command', () => {
    const packages = packagesOf([
      { file: 'a', needs: ['redis-server'] },
      { file: 'b', needs: ['redis-server', 'chromium'] },
    ]);
    expect(packages).toEqual(['chromium', 'redis-server']);
    expect(installCommand(packages)).toBe('apt-get update && apt-get install -y --no-install-recommends chromium redis-server');
  });

  it('is missing unless a program on the path can be run', () => {
    const [empty, full] = [temporaryFolder(), temporaryFolder()];
    const program = path.join(full, 'redis-server');
    writeFileSync(program, '');
    chmodSync(program, 0o644);
    const searchPath = [empty, full].join(path.delimiter);
    expect(missingOf(['redis-server', 'chromium'], searchPath)).toEqual(['redis-server', 'chromium']);
    chmodSync(program, 0o755);
    expect(missingOf(['redis-server', 'chromium'], searchPath)).toEqual(['chromium']);
    expect(missingOf([], '')).toEqual([]);
  });

  it('is looked for in test files only', () => {
    const root = temporaryFolder();
    mkdirSync(path.join(root, 'test/services/deep'), { recursive: true });
    for (const name of ['b.test.ts', 'deep/a.test.ts', 'helper.ts']) writeFileSync(path.join(root, 'test/services', name), '');
    expect(testFiles(root, 'test/services')).toEqual(['test/services/b.test.ts', 'test/services/deep/a.test.ts']);
    expect(testFiles(root, 'test/long')).toEqual([]);
  });
});
