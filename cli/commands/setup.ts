import { randomBytes } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { Command, InvalidArgumentError, Option } from 'commander';
import type { Progress } from '../../circuits/prove.ts';
import { readSetupRecord, type SetupRecord } from '../../circuits/setup/files.ts';
import { setupDevelopment, setupFromKey, setupFromPtau } from '../../circuits/setup.ts';
import { AssayError } from '../../core/errors.ts';
import { cancellable } from '../abort.ts';
import { createOutput, type Output } from '../output.ts';
import { count, facts, seconds } from '../text.ts';

interface Options {
  readonly dev: boolean;
  readonly ptau?: string;
  readonly zkey?: string;
  readonly contributor?: readonly string[];
  readonly beacon?: string;
  readonly beaconExponent: number;
  readonly allowUnpublished: boolean;
  readonly cache?: string;
  readonly force: boolean;
  readonly json: boolean;
}

export function setupCommand(): Command {
  return new Command('setup')
    .description('Make the proving key of a compiled model: from published powers of tau, or a development key')
    .argument('<dir>', 'folder written by `assay compile`')
    .addOption(new Option('--ptau <file>', 'prepared powers of tau: powersOfTau28_hez_final_NN.ptau').conflicts('dev'))
    .option('--dev', 'a development key, the default without --ptau: fast, and worth nothing to strangers', false)
    .option('--contributor <name>', 'with --ptau: who contributes, in order; repeatable, at least two', append)
    .option('--beacon <hex>', 'with --ptau: public randomness fixed after the last contribution (default: drawn here)')
    .option('--beacon-exponent <n>', 'with --ptau: hash the beacon 2^n times, 10 to 63', exponent, 10)
    .option('--zkey <file>', 'with --ptau: take over a key that others made in a ceremony of their own')
    .option('--allow-unpublished', 'with --ptau: trust a file that is not one of the published ones', false)
    .option('--cache <dir>', 'keep development keys there, by the content of their circuit')
    .option('--force', 'replace a key that came from a ceremony', false)
    .action((directory: string, options: Options) => setup(directory, options, createOutput(options.json)));
}

async function setup(directory: string, options: Options, output: Output): Promise<void> {
  requireSense(options);
  await protectCeremony(directory, options);
  const started = performance.now();
  const onProgress = phasePrinter(output);
  const record = await cancellable((signal) => make(directory, options, { signal, onProgress }));
  const took = (performance.now() - started) / 1000;
  if (record.development) {
    process.stderr.write(
      'warning: this is a DEVELOPMENT key: whoever ran this setup can forge proofs, so consumers refuse it by its provenance; make a real one with --ptau\n',
    );
  }
  if (ceremonial(options) && options.beacon === undefined)
    process.stderr.write('warning: without --beacon one was drawn here: the ceremony rests on this machine and on the powers of tau\n');
  const { ceremony, ...described } = record;
  const contributions = ceremony?.contributions.map(({ kind, name }) => (name === '' ? kind : `${kind} "${name}"`)) ?? [];
  output.result({ event: 'set-up', directory, seconds: took, ...described, contributions }, describe(record, contributions, took));
}

function make(
  directory: string,
  options: Options,
  child: { readonly signal: AbortSignal; readonly onProgress: (progress: Progress) => void },
): Promise<SetupRecord> {
  const { ptau, zkey, allowUnpublished } = options;
  if (ptau === undefined) {
    return setupDevelopment(directory, { ...child, ...(options.cache === undefined ? {} : { cacheDirectory: options.cache }) });
  }
  if (zkey !== undefined) return setupFromKey(directory, { ptau, zkey }, { ...child, allowUnpublished });
  return setupFromPtau(directory, ptau, {
    ...child,
    allowUnpublished,
    contributors: options.contributor ?? [],
    beacon: { hash: (options.beacon ?? randomBytes(32).toString('hex')).replace(/^0x/, ''), iterationsExponent: options.beaconExponent },
  });
}

/** Whether this machine plays a ceremony itself. */
function ceremonial({ ptau, zkey }: Options): boolean {
  return ptau !== undefined && zkey === undefined;
}

function requireSense({ ptau, zkey, contributor = [], beacon, cache }: Options): void {
  if (ptau === undefined && (zkey !== undefined || contributor.length > 0 || beacon !== undefined))
    throw new AssayError('A ceremony needs powers of tau', { code: 'USAGE', fix: 'add --ptau FILE' });
  if (zkey !== undefined && (contributor.length > 0 || beacon !== undefined))
    throw new AssayError('A key that others made has its contributions already', {
      code: 'USAGE',
      fix: 'leave out --contributor and --beacon, or --zkey',
    });
  if (ptau !== undefined && cache !== undefined)
    throw new AssayError('Only development keys are cached', { code: 'USAGE', fix: 'leave out --cache' });
}

/** A ceremony cannot be repeated: its key is never lost to a second command. */
async function protectCeremony(directory: string, { ptau, force }: Options): Promise<void> {
  if (ptau !== undefined) await requireFile(ptau);
  const existing = await readSetupRecord(directory).catch(() => undefined);
  if (existing === undefined || existing.development || force) return;
  throw new AssayError('This model has a key from a ceremony already', {
    code: 'SETUP_EXISTS',
    facts: { directory, provenance: existing.provenance },
    fix: 'keep it, or add --force to replace it for good',
  });
}

async function requireFile(file: string): Promise<void> {
  const found = await stat(file).catch(() => undefined);
  if (found?.isFile()) return;
  throw new AssayError(`The powers of tau ${found === undefined ? 'do not exist' : 'are not a file'}`, {
    code: found === undefined ? 'FILE_MISSING' : 'FILE_UNUSABLE',
    facts: { file },
    fix: 'fetch powersOfTau28_hez_final_NN.ptau of the Perpetual Powers of Tau; docs/compiling.md says which',
  });
}

/** Phases of a setup by what snarkjs calls them, in words. */
const PHASES: Readonly<Record<string, string>> = {
  newZKey: 'making the first key',
  contribute: 'contributing',
  beacon: 'applying the beacon',
  verifyKey: 'verifying every point of the key',
  exportVerificationKey: 'writing the verification key',
};

/** A line a phase, and one every two seconds with how far it is. */
export function phasePrinter(output: Output): (progress: Progress) => void {
  let phase = '';
  let printed = 0;
  return (progress) => {
    const now = performance.now();
    const fresh = progress.phase !== phase;
    const name = PHASES[progress.phase] ?? progress.phase;
    if (!fresh && now - printed < 2_000) return;
    phase = progress.phase;
    printed = now;
    output.progress(fresh ? name : `${name} ${Math.floor((100 * progress.done) / Math.max(1, progress.total))} %`);
  };
}

function describe(record: SetupRecord, contributions: readonly string[], took: number): string {
  return facts([
    ['provenance', record.development ? 'DEVELOPMENT' : record.provenance],
    contributions.length === 0 ? undefined : ['ceremony', contributions.join(', ')],
    ['key hash', record.keyHash],
    ['circuit', `${count(record.constraints)} constraints, ${record.publicSignals} public signals, input ${record.inputForm}`],
    ['took', `${seconds(took)}; next: assay prove`],
  ]);
}

function append(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}

function exponent(text: string): number {
  const value = Number(text);
  if (!/^\d{2}$/.test(text) || value < 10 || value > 63) throw new InvalidArgumentError('Give a whole number from 10 to 63.');
  return value;
}
