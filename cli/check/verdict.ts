import type { Output } from '../output.ts';
import { type Finding, lineOf } from './findings.ts';

/**
 * Prints findings as they are made, and the sum of them; leaves exit code 1 where something fails, 2 where the configuration does.
 * @param name how it is called: `node`
 */
export async function tellFindings(
  name: string,
  output: Output,
  check: (tell: (finding: Finding) => void) => Promise<readonly Finding[]>,
): Promise<void> {
  const findings = await check((finding) => output.result({ event: 'finding', ...finding }, lineOf(finding)));
  const failed = findings.filter(({ status }) => status === 'fail');
  const warned = findings.filter(({ status }) => status === 'warn').length;
  const isConfigured = findings.some(({ what, status }) => what === 'configuration' && status === 'ok');
  output.result(
    { event: 'checked', ok: failed.length === 0, failures: failed.length, warnings: warned },
    failed.length === 0 ? `The ${name} can start; ${warned} warnings.` : `${failed.length} failures, ${warned} warnings.`,
  );
  if (failed.length > 0) process.exitCode = isConfigured ? 1 : 2;
}
