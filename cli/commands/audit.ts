import { Command } from 'commander';
import { type AuditCheck, auditKey } from '../../circuits/audit.ts';
import { AssayError } from '../../core/errors.ts';
import { checkCarrier, readModelDirectory } from '../../runtime/model-directory.ts';
import { cancellable } from '../abort.ts';
import { createOutput, type Output } from '../output.ts';
import { phasePrinter } from './setup.ts';

interface Options {
  readonly key?: string;
  readonly ptau?: string;
  readonly json: boolean;
}

export function auditCommand(): Command {
  return new Command('audit')
    .description(
      'Compile the circuit again, check program, carrier, circuit, keys and provenance, and prove a run; exit code 1 when one is wrong',
    )
    .argument('<dir>', 'folder with a setup')
    .option('--key <file>', "a proving key to check in place of the folder's own")
    .option('--ptau <file>', 'the powers of tau of the setup: also check every point of the key (minutes)')
    .action((directory: string, options: Options) => audit(directory, options, createOutput(options.json)));
}

async function audit(directory: string, { key, ptau }: Options, output: Output): Promise<void> {
  output.progress('compiling the circuit again');
  const files = { ...(key === undefined ? {} : { zkey: key }), ...(ptau === undefined ? {} : { ptau }) };
  const onProgress = phasePrinter(output);
  const report = await cancellable((signal) => auditKey(directory, { signal, onProgress, ...files }));
  const carrier = await auditCarrier(directory);
  const checks = [carrier, ...report.checks];
  const passed = report.passed && carrier.passed;
  if (!passed) process.exitCode = 1;
  const { development, provenance, pointsVerified } = report;
  if (development)
    process.stderr.write('warning: the key is a DEVELOPMENT one: it fits the program, and whoever made it can forge proofs\n');
  const lines = checks.map(({ name, passed, detail }) => `${passed ? 'ok    ' : 'WRONG '} ${name}: ${detail}`);
  const points = pointsVerified || development ? '' : '\nthe points of the key were not checked: that takes --ptau FILE';
  output.result(
    { passed, provenance: development ? 'development' : provenance, pointsVerified, checks },
    `${lines.join('\n')}${points}\n${passed ? 'passed' : 'FAILED'}`,
  );
}

async function auditCarrier(directory: string): Promise<AuditCheck> {
  try {
    await checkCarrier(await readModelDirectory(directory));
    return { name: 'carrier', passed: true, detail: 'what the program generates, byte for byte' };
  } catch (error) {
    if (!(error instanceof AssayError)) throw error;
    return { name: 'carrier', passed: false, detail: error.message };
  }
}
