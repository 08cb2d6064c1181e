import { privateKeyToAddress } from 'viem/accounts';
import { z } from 'zod';
import { type ChallengerConfig, challengerConfigSchema } from '../../challenger/config.ts';
import { CHALLENGER_PREFIX } from '../../runtime/configuration-environment.ts';
import { fetchBytes } from '../../runtime/fetch.ts';
import { hotKey } from '../accounts.ts';
import { checkBalance, checkNetwork } from './chain.ts';
import { configurationOf, createReport, type Finding, type Report } from './findings.ts';
import { checkDirectory, checkSecrets, checkSelftest, checkVariables } from './machine.ts';

/** Gas of a dispute, roughly: demands down to an element, the commitment and the proof. */
const GAS_OF_DISPUTE = 5_000_000n;
const MOST_HEALTH_BYTES = 1 << 16;

/**
 * Looks at everything a challenger needs before it is started, or while it runs; changes nothing.
 * @param load reads the configuration; when it cannot, its problems are all there is to tell
 */
export async function checkChallenger(
  load: () => Promise<ChallengerConfig>,
  tell: (finding: Finding) => void,
): Promise<readonly Finding[]> {
  const report = createReport(tell);
  const config = await configurationOf(report, load);
  if (config === undefined) return report.findings;
  report.ok('configuration', `${config.rate * 100} % of all claims are re-executed, ${config.provers.length} nodes to ask`);
  checkVariables(report, z.toJSONSchema(challengerConfigSchema, { io: 'input' }), CHALLENGER_PREFIX);
  checkSecrets(report, config.keystore);
  if (config.rate === 0) report.warn('configuration', 'rate is 0: no claim is ever looked at', 'raise it');
  await checkDirectory(report, 'challenger', config.data);
  const reached = await checkNetwork(report, config.rpc, config.deployment);
  if (reached !== undefined) {
    const { client } = reached;
    await report.look('key', async () => {
      const key = privateKeyToAddress(await hotKey('challenger', client.chain.id, config.keystore));
      report.ok('key', `${key} pays for demands and earns rewards`);
      await checkBalance(report, client, key, { name: 'disputes', gas: GAS_OF_DISPUTE, why: 'without gas no claim is disputed' });
    });
  }
  for (const url of config.provers) await checkProver(report, url, config.fetchSeconds);
  await checkSelftest(report);
  return report.findings;
}

/** A node that is away is no failure: what it would hand out may come from elsewhere, or be demanded on chain. */
async function checkProver(report: Report, url: string, seconds: number): Promise<void> {
  const { host } = new URL(url);
  const limits = { mostBytes: MOST_HEALTH_BYTES, timeout: Math.min(seconds, 10) * 1_000 };
  const answer = await fetchBytes(`${url.replace(/\/+$/, '')}/healthz`, limits);
  if (answer === undefined) report.warn('node', `${host} does not answer`, 'check its address in provers, and that it runs');
  else report.ok('node', `${host} answers`);
}
