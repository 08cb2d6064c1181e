import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import * as claimBoard from '../../contracts/client/generated/claimBoard.ts';
import * as coverageChannels from '../../contracts/client/generated/coverageChannels.ts';
import * as modelRegistry from '../../contracts/client/generated/modelRegistry.ts';
import * as requests from '../../contracts/client/generated/requests.ts';
import * as stakeVault from '../../contracts/client/generated/stakeVault.ts';
import * as stepVerifier from '../../contracts/client/generated/stepVerifier.ts';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const require = createRequire(import.meta.url);

interface Slot {
  readonly label: string;
  readonly slot: string;
  readonly offset: number;
  readonly type: string;
}
interface Layout {
  readonly storage: readonly Slot[];
  readonly types: Readonly<Record<string, { readonly label: string; readonly members?: readonly Slot[] }>> | null;
}
interface Output {
  readonly errors?: readonly { readonly severity: string; readonly formattedMessage: string }[];
  readonly contracts: Readonly<Record<string, Readonly<Record<string, { readonly storageLayout: Layout }>>>>;
}

function soliditySources(folder: string): Record<string, { content: string }> {
  const sources: Record<string, { content: string }> = {};
  for (const entry of readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })) {
    if (entry.endsWith('.sol')) sources[`${folder}/${entry}`] = { content: readFileSync(path.join(root, folder, entry), 'utf8') };
  }
  return sources;
}

/** Storage of a contract and of the structs in it, one line a variable. Analysis alone: no code is generated, so this is quick. */
function layouts(names: readonly string[]): Record<string, readonly string[]> {
  const solc = require('solc') as { compile(input: string, callbacks: object): string };
  const settings = { remappings: ['@openzeppelin/contracts/=node_modules/@openzeppelin/contracts/', 'solady/=node_modules/solady/src/'] };
  const request = {
    language: 'Solidity',
    sources: soliditySources('contracts/src'),
    settings: { ...settings, evmVersion: 'prague', outputSelection: { '*': { '*': ['storageLayout'] } } },
  };
  const read = (file: string): { contents: string } => ({ contents: readFileSync(path.join(root, file), 'utf8') });
  const output = JSON.parse(solc.compile(JSON.stringify(request), { import: read })) as Output;
  expect(output.errors?.filter(({ severity }) => severity === 'error').map(({ formattedMessage }) => formattedMessage) ?? []).toEqual([]);
  return Object.fromEntries(
    names.map((name) => [name, describeLayout(output.contracts[`contracts/src/${name}.sol`]![name]!.storageLayout)]),
  );
}

function describeLayout({ storage, types }: Layout): string[] {
  const line = ({ label, slot, offset, type }: Slot): string => `${slot}+${offset} ${label}: ${types?.[type]?.label ?? type}`;
  const structs = Object.values(types ?? {}).filter(({ members }) => members !== undefined);
  return [...storage.map(line), ...structs.flatMap(({ label, members }) => members!.map((member) => `${label} ${line(member)}`))];
}

test('storage lies where it lay', async () => {
  const text = `${JSON.stringify(layouts(['ClaimBoard', 'CoverageChannels', 'ModelRegistry', 'Requests', 'StakeVault', 'StepVerifier']), null, 2)}\n`;
  await expect(text).toMatchFileSnapshot('../../contracts/snapshots/storage.json');
}, 120_000);

test('creation code grows on purpose only; deploy.test.ts holds what lies on chain below 24,576 bytes', async () => {
  const code = {
    ClaimBoard: claimBoard.claimBoardBytecode,
    CoverageChannels: coverageChannels.coverageChannelsBytecode,
    ModelRegistry: modelRegistry.modelRegistryBytecode,
    Requests: requests.requestsBytecode,
    StakeVault: stakeVault.stakeVaultBytecode,
    StepVerifier: stepVerifier.stepVerifierBytecode,
  };
  const sizes = Object.fromEntries(Object.entries(code).map(([name, hex]) => [name, (hex.length - 2) / 2]));
  await expect(`${JSON.stringify(sizes, null, 2)}\n`).toMatchFileSnapshot('../../contracts/snapshots/creation-bytes.json');
});
