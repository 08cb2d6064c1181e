import { availableParallelism, cpus } from 'node:os';
import { Command } from 'commander';
import { selftest } from '../../runtime/selftest.ts';
import { createOutput, type Output } from '../output.ts';
import { count } from '../text.ts';

export function selftestCommand(): Command {
  return new Command('selftest')
    .description('Check that this machine computes integer programs bit for bit; exit code 1 when it does not')
    .action((options: { readonly json: boolean }) => run(createOutput(options.json)));
}

async function run(output: Output): Promise<void> {
  const report = await selftest();
  if (!report.passed) process.exitCode = 1;
  const machine = { processor: cpus()[0]?.model ?? 'unknown', cores: availableParallelism(), node: process.version };
  const faults = report.faults.map(
    ({ face, instruction, kind, element }) => `WRONG  ${face}: instruction ${instruction} (${kind}), element ${element}`,
  );
  const line = `${count(report.values)} values of ${report.instructions} instructions compared in ${(report.milliseconds / 1000).toFixed(1)} s on ${machine.processor}`;
  const verdict = report.passed
    ? 'passed: onnxruntime and the executor agree bit for bit'
    : 'FAILED: do not serve from this machine; an answer of it could be slashed';
  output.result({ ...report, machine }, [line, ...faults, verdict].join('\n'));
}
