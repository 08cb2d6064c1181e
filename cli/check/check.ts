import { z } from 'zod';
import { requireOurs } from '../../prover/assembly/identity.ts';
import { type NodeConfig, nodeConfigSchema } from '../../prover/configuration/config.ts';
import { checkChain } from './chain.ts';
import { configurationOf, createReport, type Finding } from './findings.ts';
import { checkApiKeys, checkDirectory, checkMachine, checkPort, checkSettings } from './machine.ts';
import { checkModels } from './models.ts';
import { checkPostgres, checkRedis } from './services.ts';

/**
 * Looks at everything a node needs before it is started, or while it runs; changes nothing.
 * @param load reads the configuration; when it cannot, its problems are all there is to tell
 */
export async function checkNode(load: () => Promise<NodeConfig>, tell: (finding: Finding) => void): Promise<readonly Finding[]> {
  const report = createReport(tell);
  const config = await configurationOf(report, load);
  if (config === undefined) return report.findings;
  report.ok('configuration', `of the role ${config.role}, ${config.models.length} models`);
  checkSettings(report, config, z.toJSONSchema(nodeConfigSchema, { io: 'input' }));
  await checkApiKeys(report, config);
  const directory = await checkDirectory(report, 'node', config.data);
  if (config.redis !== undefined) await checkRedis(report, config.redis);
  const held = config.database === undefined ? undefined : await checkPostgres(report, config.database);
  const chain = config.role === 'worker' ? undefined : await checkChain(report, config);
  if (held !== undefined && chain?.owner !== undefined) {
    const ours = { chainId: chain.client.chain.id, requests: chain.deployment.requests, owner: chain.owner };
    await report.look('postgresql', async () => requireOurs(held, ours));
  }
  await checkMachine(report, config);
  await checkModels(report, config, chain);
  await checkPort(report, config, directory === 'running');
  return report.findings;
}
