import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type ChallengerConfig, challengerConfigSchema } from '../../challenger/config.ts';
import { challengerConfigProblems } from '../../challenger/config-checks.ts';
import { nodeConfigSchema } from '../../prover/configuration/config.ts';
import { loadConfig } from '../../runtime/configuration.ts';
import { CHALLENGER_PREFIX, unknownVariables, variablesOf } from '../../runtime/configuration-environment.ts';
import { configProblemsOf } from '../support/config-problems.ts';

let folder: string;
let good: Record<string, unknown>;
const in_ = (name: string): string => path.join(folder, name);

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'assay-challenger-config-'));
  writeFileSync(in_('file'), '{}');
  good = { rpc: 'http://127.0.0.1:8545', data: in_('data') };
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function load(
  given: Record<string, unknown>,
  environment: Record<string, string> = {},
  overrides: Record<string, unknown> = {},
): ChallengerConfig {
  writeFileSync(in_('challenger.json'), JSON.stringify(given));
  return loadConfig(challengerConfigSchema, {
    file: in_('challenger.json'),
    overrides,
    environment,
    prefix: CHALLENGER_PREFIX,
    check: (values) => challengerConfigProblems(values, environment),
  });
}

describe("a challenger's configuration", () => {
  it('is read, with what is left out', () => {
    expect(load({ ...good, $schema: 'challenger.schema.json' })).toMatchObject({ rpc: ['http://127.0.0.1:8545'], rate: 1, provers: [] });
    expect(load({ ...good, rpc: ['http://a', 'https://b/key'] }).rpc).toEqual(['http://a', 'https://b/key']);
  });

  it('is overridden by variables of its own, and those by the command line', () => {
    const environment = {
      ASSAY_CHALLENGER_RPC: 'http://a, http://b',
      ASSAY_CHALLENGER_RATE: '0.25',
      ASSAY_CHALLENGER_PROVERS: 'http://one, http://two',
      ASSAY_CHALLENGER_MAX_FEE_PER_GAS: '12',
      ASSAY_CHALLENGER_KEYSTORE_FILE: in_('file'),
      ASSAY_CHALLENGER_CONFIRMATIONS: '3',
      ASSAY_CHALLENGER_LOG_LEVEL: '',
    };
    expect(load({ ...good, rate: 0.5, logLevel: 'warn' }, environment, { confirmations: 4 })).toMatchObject({
      rpc: ['http://a', 'http://b'],
      rate: 0.25,
      provers: ['http://one', 'http://two'],
      maxFeePerGas: 12n,
      keystore: { file: in_('file') },
      confirmations: 4,
      logLevel: 'warn',
    });
  });

  it('is not changed by what a shell says of a node', () => {
    const environment = { ASSAY_RPC: 'http://node', ASSAY_DATA: '/node', ASSAY_LOG_LEVEL: 'loud', DATABASE_URL_FILE: in_('none') };
    expect(load(good, environment)).toEqual(load(good));
  });

  it('shares no variable with that of a node; each knows its own misspelt ones', () => {
    const members = (schema: z.ZodType) => z.toJSONSchema(schema, { io: 'input' });
    const [own, node] = [members(challengerConfigSchema), members(nodeConfigSchema)];
    const names = new Set(variablesOf(node).map(({ variable }) => variable));
    for (const { variable } of variablesOf(own, CHALLENGER_PREFIX)) expect(names).not.toContain(variable);
    const environment = { ASSAY_CHALLENGER_RATES: '1', ASSAY_CHALLENGER_RATE: '1', ASSAY_PROT: '1', ASSAY_CHALLENGER_KEY: 'secret' };
    expect(unknownVariables(own, environment, ['ASSAY_CHALLENGER_KEY'], CHALLENGER_PREFIX)).toEqual(['ASSAY_CHALLENGER_RATES']);
    expect(unknownVariables(node, environment, [])).toEqual(['ASSAY_PROT']);
  });
});

describe('each mistake is told once, by its member, with what to do', () => {
  const mistakes: [what: string, path: string, message: RegExp, change: () => Record<string, unknown>][] = [
    ['a member misspelt', 'prover', /no such member/, () => ({ prover: [] })],
    ['no rpc', 'rpc', /is missing/, () => ({ rpc: undefined })],
    ['an rpc by websocket', 'rpc', /must be an http or https URL/, () => ({ rpc: 'ws://127.0.0.1:8545' })],
    ['no data', 'data', /is missing/, () => ({ data: undefined })],
    ['data that is a file', 'data', /is no directory/, () => ({ data: in_('file') })],
    ['a deployment that is not there', 'deployment', /none does not exist/, () => ({ deployment: in_('none') })],
    ['a keystore that is not there', 'keystore.file', /does not exist/, () => ({ keystore: { file: in_('none') } })],
    ['a rate in percent', 'rate', /at most 1, not 10/, () => ({ rate: 10 })],
    ['a negative rate', 'rate', /at least 0, not -0\.1/, () => ({ rate: -0.1 })],
    ['no operation at all', 'mostOperations', /at least 1/, () => ({ mostOperations: 0 })],
    ['a prover that is no address', 'provers.1', /must be an http or https URL/, () => ({ provers: ['http://a', 'b'] })],
    ['a prover that is a file', 'provers.0', /must be an http or https URL/, () => ({ provers: ['file:///etc/passwd'] })],
    ['a fee as a number', 'maxFeePerGas', /must be text, not 5/, () => ({ maxFeePerGas: 5 })],
    ['no time to fetch', 'fetchSeconds', /at least 1/, () => ({ fetchSeconds: 0 })],
    ['too many confirmations', 'confirmations', /at most 256/, () => ({ confirmations: 257 })],
    ['a poll too often', 'pollMilliseconds', /at least 50/, () => ({ pollMilliseconds: 49 })],
    ['a log level that is none', 'logLevel', /must be one of trace/, () => ({ logLevel: 'loud' })],
  ];
  it.each(mistakes)('%s', (_, at, message, change) => {
    const problems = configProblemsOf(() => load({ ...good, ...change() }));
    expect(problems.map((problem) => problem.path)).toEqual([at]);
    expect(problems[0]!.message).toMatch(message);
    expect(problems[0]!.fix).not.toBe('');
  });

  it('covers every member', () => {
    const told = new Set(mistakes.map(([, at]) => at.split('.')[0]));
    expect(Object.keys(challengerConfigSchema.shape).filter((member) => member !== '$schema' && !told.has(member))).toEqual([]);
  });

  it('a variable of the wrong form, by its name; a key given twice', () => {
    expect(configProblemsOf(() => load(good, { ASSAY_CHALLENGER_RATE: 'often' }))).toMatchObject([
      { path: 'rate', message: expect.stringMatching(/\(from ASSAY_CHALLENGER_RATE\)$/) },
    ]);
    const keystore = { file: in_('file'), passwordFile: in_('file') };
    expect(configProblemsOf(() => load({ ...good, keystore }, { ASSAY_CHALLENGER_KEY: 'secret' }))).toMatchObject([{ path: 'keystore' }]);
    expect(configProblemsOf(() => load({ ...good, keystore }, { ASSAY_NODE_KEY: 'secret' }))).toEqual([]);
    expect(configProblemsOf(() => load({ ...good, keystore }, { ASSAY_KEYSTORE_PASSWORD: 'secret' }))).toMatchObject([
      { path: 'keystore.passwordFile' },
    ]);
  });
});

it('the example is one, and names its schema', () => {
  const deploy = path.resolve(import.meta.dirname, '../../deploy');
  const given = JSON.parse(readFileSync(path.join(deploy, 'challenger.example.json'), 'utf8')) as { $schema: string };
  expect(challengerConfigSchema.safeParse(given).error?.issues ?? []).toEqual([]);
  expect(JSON.parse(readFileSync(path.join(deploy, given.$schema), 'utf8'))).toMatchObject({
    title: expect.stringContaining('challenger'),
  });
});
