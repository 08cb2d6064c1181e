/**
 * Behind `npm test`, `npm run test:services` and `npm run test:long`: `tsx test/run.ts default|services|long`.
 * Every step runs even when an earlier one failed, the runners print their own summaries, and the exit code says whether
 * all passed. `tally N default services` adds what those suites reported to N failures from elsewhere; `packages` prints
 * the Debian packages that test:services needs.
 */
import { spawn } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { installCommand, missingOf, packagesOf, servicesSuites, testFiles } from './support/needs.ts';
import { forgeTally, readTally, type Tally, totalOf, vitestTally, writeTally } from './support/tally.ts';

interface Step {
  readonly name: string;
  /** Arguments to node: a script, then its own. */
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Reads the counts of a runner; a step without it is a check, which counts only when it fails. */
  readonly count?: (output: string) => Tally;
}

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const reports = path.join(root, 'node_modules/.cache/assay-tests');
const forge = 'contracts/tools/forge.mjs';

process.exitCode = await main(process.argv.slice(2));

async function main([command = 'default', ...rest]: readonly string[]): Promise<number> {
  switch (command) {
    case 'default':
      return announceServices(await runSuite('default', defaultSteps()));
    case 'services':
      return runServices();
    case 'long':
      return runSuite('long', [...contractTests('long'), ...vitest('long', 'test/long')]);
    case 'packages':
      console.log(packagesOf(servicesSuites(root)).join(' '));
      return 0;
    case 'tally':
      return tally(rest);
    default:
      console.error(`test/run.ts knows default, services, long, packages and tally; it was given "${command}".`);
      return 2;
  }
}

function defaultSteps(): Step[] {
  return [
    { name: 'types', command: ['node_modules/typescript/bin/tsc', '--noEmit'] },
    { name: 'lint and format', command: ['node_modules/@biomejs/biome/bin/biome', 'check'] },
    { name: 'contract format', command: [forge, 'fmt', '--check'] },
    { name: 'contract lint', command: [forge, 'lint', '--deny', 'warnings'] },
    ...contractTests('ci'),
    ...vitest('test', 'test'),
  ];
}

function contractTests(profile: string): Step[] {
  return [{ name: 'contract tests', command: [forge, 'test'], env: { FOUNDRY_PROFILE: profile }, count: forgeTally }];
}

function vitest(mode: string, folder: string): Step[] {
  if (testFiles(root, folder).length === 0) {
    console.log(`${folder} holds no suite.`);
    return [];
  }
  const report = path.join(reports, `vitest-${mode}.json`);
  const options = ['--mode', mode, '--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  rmSync(report, { force: true });
  return [
    {
      name: 'tests',
      command: ['node_modules/vitest/vitest.mjs', 'run', ...options],
      count: () => vitestTally(readFileSync(report, 'utf8')),
    },
  ];
}

/** Runs the steps, leaves their counts for `tally`, and returns the exit code. */
async function runSuite(suite: string, steps: readonly Step[]): Promise<number> {
  const report = path.join(reports, `${suite}.json`);
  rmSync(report, { force: true });
  const failures: string[] = [];
  const tallies: Tally[] = [];
  for (const step of steps) {
    console.log(`\n== ${step.name}`);
    const { code, output } = await run(step);
    const counted = countOf(step, output);
    // A runner that fails without a failing test (it crashed, or an error was thrown outside of any) still counts as one.
    if (code !== 0 && counted.failed === 0) tallies.push({ passed: 0, failed: 1, skipped: 0 });
    if (code !== 0 || counted.failed > 0) failures.push(step.name);
    tallies.push(counted);
  }
  const total = totalOf(tallies);
  writeTally(report, total);
  console.log(`\n== ${suite}: ${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
  if (failures.length > 0) console.error(`Failed: ${failures.join(', ')}.`);
  return failures.length > 0 ? 1 : 0;
}

/** A report that cannot be read is a failure, printed. */
function countOf(step: Step, output: string): Tally {
  if (step.count === undefined) return totalOf([]);
  try {
    return step.count(output);
  } catch (error) {
    console.error(`${step.name}: ${error instanceof Error ? error.message : String(error)}`);
    return { passed: 0, failed: 1, skipped: 0 };
  }
}

/** Runs one step; its output is shown as it comes and kept. */
function run(step: Step): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    const color = process.stdout.isTTY ? { FORCE_COLOR: '1' } : {};
    const child = spawn(process.execPath, step.command, {
      cwd: root,
      env: { ...process.env, ...color, ...step.env },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => {
      process.stdout.write(chunk);
      chunks.push(chunk);
    });
    child.on('close', (code) => resolve({ code: code ?? 1, output: Buffer.concat(chunks).toString('utf8') }));
  });
}

async function runServices(): Promise<number> {
  const packages = packagesOf(servicesSuites(root));
  const missing = missingOf(packages);
  if (missing.length > 0) {
    console.error(`test:services needs ${missing.join(', ')}, which ${missing.length > 1 ? 'are' : 'is'} not installed. As root:`);
    console.error(`    ${installCommand(missing)}`);
    return 1;
  }
  return runSuite('services', vitest('services', 'test/services'));
}

/** Ends `npm test`; hands the exit code through. */
function announceServices(code: number): number {
  const suites = servicesSuites(root);
  console.log('\n`npm run test:services` adds:');
  for (const { file, needs } of suites) console.log(`    ${file} (needs ${needs.length === 0 ? 'time alone' : needs.join(', ')})`);
  if (suites.length === 0) console.log('    nothing yet');
  return code;
}

/** Ends with the one line that sums the suites named and the failures that no suite saw. */
function tally([failedElsewhere = '', ...suites]: readonly string[]): number {
  if (!/^\d+$/.test(failedElsewhere) || suites.length === 0) {
    console.error('tally takes a number of failures and the names of suites.');
    return 2;
  }
  const tallies = suites.map((suite) => {
    try {
      return readTally(path.join(reports, `${suite}.json`));
    } catch (error) {
      console.error(error instanceof Error ? error.message : String(error));
      return { passed: 0, failed: 1, skipped: 0 };
    }
  });
  const total = totalOf([...tallies, { passed: 0, failed: Number(failedElsewhere), skipped: 0 }]);
  if (total.skipped > 0) console.log(`${total.skipped} skipped`);
  console.log(`${total.passed} passed, ${total.failed} failed`);
  return total.failed > 0 ? 1 : 0;
}
