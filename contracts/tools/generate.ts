/**
 * `npm run contracts:generate`: compiles the contracts and writes what TypeScript needs of them to contracts/client/generated,
 * one file a contract: its ABI and its creation code. The files are committed, so that a deployment needs no compiler;
 * `--check` writes nothing and fails when they are not what the sources compile to.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const CONTRACTS = [
  'ClaimBoard',
  'CoverageChannels',
  'DigitReader',
  'Groth16Verifier',
  'InstructionValidator',
  'LendingMarket',
  'ModelRegistry',
  'Requests',
  'StakeVault',
  'StepVerifier',
];
/** ABI only: what a customer's own contract implements. */
const INTERFACES = ['IAnswerReceiver'];

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
// A build of its own: code made through the intermediate representation depends on which files are compiled together, so what
// is written here always comes from all sources in one run, never from the increments of contracts/out.
const work = path.join(root, 'node_modules/.cache/assay-contracts');
const out = path.join(work, 'out');
const target = path.join(root, 'contracts/client/generated');
const HEADER = '// Written by `npm run contracts:generate` from the Solidity sources. Do not edit.\n';

interface Artifact {
  readonly abi: readonly unknown[];
  readonly bytecode: { readonly object: string };
}

const check = process.argv.includes('--check');
process.exitCode = main();

function main(): number {
  if (!build()) {
    console.error('The contracts do not compile; run `npm run contracts:build` to see why.');
    return 1;
  }
  mkdirSync(target, { recursive: true });
  const files = new Map<string, string>();
  for (const name of CONTRACTS) files.set(`${fileName(name)}.ts`, moduleOf(name, true));
  for (const name of INTERFACES) files.set(`${fileName(name)}.ts`, moduleOf(name, false));
  const stale = [...files].filter(([file, text]) => !isWritten(path.join(target, file), text));
  if (check) {
    for (const [file] of stale) console.error(`contracts/client/generated/${file} is not what the sources compile to.`);
    if (stale.length > 0) console.error('Run `npm run contracts:generate` and commit what it writes.');
    return stale.length === 0 ? 0 : 1;
  }
  for (const [file, text] of stale) writeFileSync(path.join(target, file), text);
  console.log(`${files.size} files, ${stale.length} of them changed.`);
  return 0;
}

/** Compiles everything, unless nothing that counts has changed since the last time. About a minute. */
function build(): boolean {
  const mark = path.join(work, 'sources.sha256');
  const hash = sourceHash();
  if (existsSync(mark) && readFileSync(mark, 'utf8') === hash) return true;
  const options = ['--force', '--skip', 'contracts/test/**', '--out', out, '--cache-path', path.join(work, 'cache')];
  const built = spawnSync(process.execPath, ['contracts/tools/forge.mjs', 'build', ...options], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (built.status !== 0) return false;
  writeFileSync(mark, hash);
  return true;
}

/** Of the sources, the settings and the versions of compiler and libraries. */
function sourceHash(): string {
  const sources = readdirSync(path.join(root, 'contracts/src'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.sol'))
    .map((file) => `contracts/src/${file.replaceAll(path.sep, '/')}`)
    .sort();
  const hash = createHash('sha256');
  for (const file of [...sources, 'foundry.toml', 'package.json']) hash.update(file).update(readFileSync(path.join(root, file)));
  return hash.digest('hex');
}

/** One line an ABI entry, so that a change of the surface reads as one. */
function moduleOf(name: string, withCode: boolean): string {
  const artifact = JSON.parse(readFileSync(path.join(out, `${name}.sol/${name}.json`), 'utf8')) as Artifact;
  const variable = fileName(name);
  const entries = artifact.abi.map((entry) => `  ${JSON.stringify(entry)},\n`).join('');
  const abi = `${HEADER}export const ${variable}Abi = [\n${entries}] as const;\n`;
  return withCode ? `${abi}\nexport const ${variable}Bytecode =\n  '${artifact.bytecode.object}' as const;\n` : abi;
}

/** ClaimBoard → claimBoard, IAnswerReceiver → answerReceiver. */
function fileName(contract: string): string {
  const name = /^I[A-Z]/.test(contract) ? contract.slice(1) : contract;
  return name.charAt(0).toLowerCase() + name.slice(1);
}

function isWritten(file: string, text: string): boolean {
  return existsSync(file) && readFileSync(file, 'utf8') === text;
}
