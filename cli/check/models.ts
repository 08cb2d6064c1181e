import { access } from 'node:fs/promises';
import path from 'node:path';
import { formatEther, type Hex } from 'viem';
import { SETUP_FILES } from '../../circuits/setup/files.ts';
import { modelRegistryAbi } from '../../contracts/client/generated/modelRegistry.ts';
import { requestsAbi } from '../../contracts/client/generated/requests.ts';
import { stakeVaultAbi } from '../../contracts/client/generated/stakeVault.ts';
import { bindToChain } from '../../prover/assembly/identity.ts';
import type { NodeConfig } from '../../prover/configuration/config.ts';
import { type Catalog, openCatalog, type ServedModel } from '../../prover/models/catalog.ts';
import { checkSteps } from '../../prover/models/differential.ts';
import { count } from '../text.ts';
import type { CheckedChain } from './chain.ts';
import type { Report } from './findings.ts';

/** Every model: loads, is the registered one, can be proved where it should be, and computes what the chain's step code computes. */
export async function checkModels(report: Report, config: NodeConfig, chain: CheckedChain | undefined): Promise<void> {
  for (const model of config.models) await checkModel(report, model, chain);
}

async function checkModel(report: Report, model: NodeConfig['models'][number], chain: CheckedChain | undefined): Promise<void> {
  const what = `model ${model.modelId.slice(0, 10)}…`;
  const catalog = await report.look(what, () => open(model, chain));
  if (catalog === undefined) return;
  const served = catalog.all[0]!;
  try {
    const { interface: form, instructions } = served.program;
    const bound = chain === undefined ? 'whether it is the registered one was not looked at' : 'it is the registered one';
    report.ok(what, `${form.name}, ${count(instructions.length)} instructions; ${bound}`);
    if (chain === undefined) return;
    await report.look(what, () => checkTerms(report, what, served, chain));
    await report.look(what, async () => {
      const { client, deployment } = chain;
      const { elements } = await checkSteps(served, { client, board: deployment.board });
      report.ok(what, `${count(elements)} elements of a run are what the chain's step code computes`);
    });
  } finally {
    await catalog.close();
  }
}

function open(model: NodeConfig['models'][number], chain: CheckedChain | undefined): Promise<Catalog> {
  if (chain === undefined) return openCatalog([model], async () => ({ inputForm: 0 }));
  const { client, deployment } = chain;
  const record = (modelId: Hex) =>
    client.readContract({ address: deployment.registry, abi: modelRegistryAbi, functionName: 'recordOf', args: [modelId] });
  return openCatalog([model], bindToChain({ record }));
}

async function checkTerms(report: Report, what: string, served: ServedModel, { client, deployment, owner }: CheckedChain): Promise<void> {
  const modelId = served.modelId as Hex;
  const { registry, requests, vault } = deployment;
  const terms = await client.readContract({ address: registry, abi: modelRegistryAbi, functionName: 'termsOf', args: [modelId] });
  if (terms.illFormed) report.fail(what, 'it was shown ill-formed on chain: nobody can be paid for it', 'serve another model');
  if (terms.keyBroken) report.warn(what, 'its proving key was shown unsound: its zk tier is over', 'register it again with another key');
  if (served.inputForm !== 0) {
    const key = path.join(served.directory, SETUP_FILES.zkey);
    const isThere = await access(key).then(
      () => true,
      () => false,
    );
    if (isThere) report.ok(what, 'its proving key is here: zk requests are answered');
    else report.warn(what, `${key} is missing: zk requests cannot be answered`, 'copy the setup that was registered into its folder');
  }
  if (owner === undefined) return;
  const [least, free] = await Promise.all([
    client.readContract({ address: requests, abi: requestsAbi, functionName: 'minimumCoverage', args: [modelId] }),
    client.readContract({ address: vault, abi: stakeVaultAbi, functionName: 'freeOf', args: [owner] }),
  ]);
  const text = `a claim locks at least ${formatEther(least)} ether`;
  if (free < least) report.warn(what, `${text}, and less than that is free`, 'put up more stake: `assay stake --deposit`');
  else report.ok(what, `${text}: the free stake is enough for ${least === 0n ? 'any number' : count(free / least)} at a time`);
}
