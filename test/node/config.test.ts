import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generated } from '../../cli/generate-configuration.ts';
import { type NodeConfig, nodeConfigSchema } from '../../prover/configuration/config.ts';
import { nodeConfigProblems } from '../../prover/configuration/config-checks.ts';
import { type ConfigError, loadConfig } from '../../runtime/configuration.ts';
import { configProblemsOf } from '../support/config-problems.ts';

let folder: string;
let good: Record<string, unknown>;
const modelId = `0x${'ab'.repeat(32)}`;

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'assay-config-'));
  mkdirSync(path.join(folder, 'model'));
  writeFileSync(path.join(folder, 'model/program.assay'), '');
  writeFileSync(path.join(folder, 'file'), '{}');
  good = {
    rpc: 'http://127.0.0.1:8545',
    data: path.join(folder, 'data'),
    models: [{ modelId, directory: path.join(folder, 'model') }],
  };
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function load(
  given: Record<string, unknown>,
  environment: Record<string, string> = {},
  overrides: Record<string, unknown> = {},
): NodeConfig {
  const file = path.join(folder, 'node.json');
  writeFileSync(file, JSON.stringify(given));
  return loadConfig(nodeConfigSchema, {
    file,
    overrides,
    environment,
    check: (values) => nodeConfigProblems(values, environment),
  });
}

const apart = { redis: 'redis://127.0.0.1:6379', database: 'postgres://assay@127.0.0.1/assay' };
const in_ = (name: string): string => path.join(folder, name);

describe('a configuration', () => {
  it('is read, with what is left out', () => {
    expect(load(good)).toMatchObject({ role: 'all', rpc: ['http://127.0.0.1:8545'], port: 8645, corsOrigins: [] });
    expect(load({ ...good, $schema: 'node.schema.json', rpc: ['http://a', 'https://b/key'] }).rpc).toEqual(['http://a', 'https://b/key']);
  });

  it.each(['api', 'worker', 'chain'])('of the role %s needs no directory of its own', (role) => {
    const { data: _, ...rest } = good;
    const config = load({ ...rest, ...apart, role });
    expect([config.role, config.data]).toEqual([role, undefined]);
  });

  it('of a worker needs no chain', () => {
    const { rpc: _, ...rest } = good;
    expect(load({ ...rest, ...apart, role: 'worker' }).rpc).toBeUndefined();
  });

  it('is overridden by the environment, and that by the command line', () => {
    const environment = {
      ASSAY_PORT: '9001',
      ASSAY_MINIMUM_FEE: '12',
      ASSAY_RPC: 'http://a, http://b',
      ASSAY_CORS_ORIGINS: 'https://c',
      ASSAY_MODELS: JSON.stringify([{ modelId: `0x${'cd'.repeat(32)}`, directory: in_('model') }]),
      ASSAY_PROOF_MEMORY_MIB: '512',
      ASSAY_KEYSTORE_FILE: in_('file'),
      ASSAY_LOG_LEVEL: '',
      REDIS_URL: 'redis://one',
      DATABASE_URL: 'postgres://one/assay',
      ASSAY_DATABASE: 'postgres://two/assay',
    };
    const config = load({ ...good, logLevel: 'warn', keystore: { file: 'none', passwordFile: in_('file') } }, environment, { port: 9002 });
    expect(config).toMatchObject({
      port: 9002,
      minimumFee: 12n,
      rpc: ['http://a', 'http://b'],
      corsOrigins: ['https://c'],
      models: [{ modelId: `0x${'cd'.repeat(32)}` }],
      proofMemoryMiB: 512,
      keystore: { file: in_('file'), passwordFile: in_('file') },
      logLevel: 'warn',
      redis: 'redis://one',
      database: 'postgres://two/assay',
    });
  });
});

describe('each mistake is told once, by its member, with what to do', () => {
  const mistakes: [what: string, path: string, message: RegExp, change: () => Record<string, unknown>][] = [
    ['a member that is not there', 'speed', /no such member/, () => ({ speed: 9 })],
    ['a member misspelt', 'modles', /no such member/, () => ({ modles: [] })],
    ['a member misspelt within another', 'keystore.fil', /no such member/, () => ({ keystore: { file: in_('file'), fil: 'x' } })],
    ['no models', 'models', /is missing/, () => ({ models: undefined })],
    ['an empty list of models', 'models', /must not be empty/, () => ({ models: [] })],
    ['models that are no list', 'models', /must be a list/, () => ({ models: 'all' })],
    [
      'a model id in capitals',
      'models.0.modelId',
      /64 lower-case hex digits/,
      () => ({ models: [{ modelId: modelId.toUpperCase(), directory: in_('model') }] }),
    ],
    ['a model without a folder', 'models.0.directory', /is missing/, () => ({ models: [{ modelId }] })],
    [
      'a folder without a program',
      'models.0.directory',
      /program\.assay does not exist/,
      () => ({ models: [{ modelId, directory: folder }] }),
    ],
    [
      'a model twice',
      'models.1.modelId',
      /that of models\.0 too/,
      () => ({ models: [0, 1].map(() => ({ modelId, directory: in_('model') })) }),
    ],
    ['no rpc', 'rpc', /is missing/, () => ({ rpc: undefined })],
    ['an rpc that is no URL', 'rpc', /must be an http or https URL/, () => ({ rpc: 'localhost:8545' })],
    ['an rpc by websocket', 'rpc', /must be an http or https URL/, () => ({ rpc: 'ws://127.0.0.1:8545' })],
    ['a list of rpcs, one of them wrong', 'rpc.1', /must be an http or https URL/, () => ({ rpc: ['http://a', 'b'] })],
    ['nine rpcs', 'rpc', /at most 8/, () => ({ rpc: Array.from({ length: 9 }, (_, i) => `http://a${i}`) })],
    ['no data', 'data', /is missing/, () => ({ data: undefined })],
    ['data that is a file', 'data', /is no directory/, () => ({ data: in_('file') })],
    ['data below a file', 'data', /is no directory/, () => ({ data: in_('file/below') })],
    ['a role that is none', 'role', /must be one of all, api, worker, chain, not "prover"/, () => ({ role: 'prover' })],
    ['a worker without a Redis', 'redis', /is missing, and the role worker/, () => ({ role: 'worker', database: apart.database })],
    ['an api without a PostgreSQL', 'database', /is missing, and the role api/, () => ({ role: 'api', redis: apart.redis })],
    ['a redis that is http', 'redis', /redis or rediss URL,/, () => ({ redis: 'http://:secret@host' })],
    ['a database that is mysql', 'database', /postgres URL,/, () => ({ database: 'mysql://:secret@host/db' })],
    ['a deployment that is not there', 'deployment', /none does not exist/, () => ({ deployment: in_('none') })],
    ['a deployment that is a folder', 'deployment', /is no file/, () => ({ deployment: folder })],
    ['API keys that are not there', 'apiKeys', /does not exist/, () => ({ apiKeys: in_('none') })],
    ['a keystore that is not there', 'keystore.file', /does not exist/, () => ({ keystore: { file: in_('none') } })],
    ['a keystore without a file', 'keystore.file', /is missing/, () => ({ keystore: {} })],
    [
      'a password file that is not there',
      'keystore.passwordFile',
      /does not exist/,
      () => ({ keystore: { file: in_('file'), passwordFile: in_('none') } }),
    ],
    ['a fee as a number', 'minimumFee', /must be text, not 5/, () => ({ minimumFee: 5 })],
    ['a fee in ether', 'minimumFee', /wei in decimal digits/, () => ({ minimumFee: '0.1' })],
    ['fees the wrong way round', 'mostFee', /below minimumFee/, () => ({ minimumFee: '2', mostFee: '1' })],
    ['a port beyond all', 'port', /at most 65535, not 65536/, () => ({ port: 65_536 })],
    ['a port below none', 'port', /at least 0, not -1/, () => ({ port: -1 })],
    ['a port as text', 'port', /must be a (whole )?number, not "8645"/, () => ({ port: '8645' })],
    ['half a port', 'port', /must be a whole number, not 1\.5/, () => ({ port: 1.5 })],
    ['no host', 'host', /must be an IP address or a name/, () => ({ host: '' })],
    ['too many proofs at a time', 'proofProcesses', /at most 16/, () => ({ proofProcesses: 17 })],
    ['too little memory for a proof', 'proofMemoryMiB', /at least 64/, () => ({ proofMemoryMiB: 63 })],
    ['no run at a time', 'runConcurrency', /at least 1/, () => ({ runConcurrency: 0 })],
    ['a poll too often', 'pollMilliseconds', /at least 50/, () => ({ pollMilliseconds: 49 })],
    ['an hour and a second of draining', 'drainSeconds', /at most 3600/, () => ({ drainSeconds: 3_601 })],
    ['a log level that is none', 'logLevel', /must be one of trace/, () => ({ logLevel: 'loud' })],
    ['a fault of no kind', 'fault.kind', /must be one of/, () => ({ fault: { seed: 1, kind: 'all' } })],
    ['a proxy by name', 'trustedProxies.1', /an IP address or a network/, () => ({ trustedProxies: ['10.0.0.1', 'proxy'] })],
    ['every proxy there is', 'trustedProxies.0', /an IP address or a network/, () => ({ trustedProxies: ['0.0.0.0/0'] })],
    ['keys that outlive their answers', 'idempotencyDays', /8 days.*7 days/, () => ({ answerDays: 7, idempotencyDays: 8 })],
    ['answers that die before their keys', 'answerDays', /7 days.*6 days/, () => ({ answerDays: 6 })],
    ['requests that are not remembered for a day', 'requestDays', /at least 1/, () => ({ requestDays: 0 })],
    ['origins that are no list', 'corsOrigins', /must be a list/, () => ({ corsOrigins: '*' })],
  ];
  it.each(mistakes)('%s', (_, at, message, change) => {
    const problems = configProblemsOf(() => load({ ...good, ...change() }));
    expect(problems.map((problem) => problem.path)).toEqual([at]);
    expect(problems[0]!.message).toMatch(message);
    expect(problems[0]!.fix).not.toBe('');
  });

  it('covers every member', () => {
    const told = new Set(mistakes.map(([, at]) => at.split('.')[0]));
    const untold = [
      '$schema',
      'mostCoverage',
      'maxFeePerGas',
      'confirmations',
      'alarmSeconds',
      'collectSeconds',
      'requestsPerMinute',
      'sessionsPerModel',
      'sessionThreads',
    ];
    for (const member of Object.keys(nodeConfigSchema.shape)) {
      if (!told.has(member)) expect(untold, `no mistake is made with ${member}`).toContain(member);
    }
    for (const member of untold)
      expect(configProblemsOf(() => load({ ...good, [member]: false })).map(({ path: at }) => at)).toEqual([member]);
  });

  it('a file that may not be read', () => {
    // Root may read everything: there the mistake cannot be made.
    if (process.getuid?.() === 0) return;
    writeFileSync(in_('closed'), '', { mode: 0o000 });
    expect(configProblemsOf(() => load({ ...good, apiKeys: in_('closed') }))).toMatchObject([
      { path: 'apiKeys', message: /cannot be read/ },
    ]);
    chmodSync(in_('closed'), 0o600);
  });

  it('a variable of the wrong form, by its name', () => {
    expect(configProblemsOf(() => load(good, { ASSAY_PORT: 'high' }))).toMatchObject([
      { path: 'port', message: expect.stringMatching(/\(from ASSAY_PORT\)$/) },
    ]);
    expect(configProblemsOf(() => load(good, { ASSAY_MODELS: '[{' }))).toMatchObject([
      { path: 'models', message: expect.stringMatching(/ASSAY_MODELS/) },
    ]);
    expect(configProblemsOf(() => load(good, { DATABASE_URL: 'sqlite://file' }))).toMatchObject([
      { path: 'database', message: expect.stringMatching(/DATABASE_URL/) },
    ]);
  });

  it('a secret file that is not there, or stands beside its variable', () => {
    writeFileSync(in_('url'), 'postgres://assay@one/assay\n');
    expect(load(good, { DATABASE_URL_FILE: in_('url') }).database).toBe('postgres://assay@one/assay');
    expect(configProblemsOf(() => load(good, { DATABASE_URL_FILE: in_('none') }))).toMatchObject([
      { path: 'database', message: expect.stringMatching(/none, which cannot be read/) },
    ]);
    const both = { REDIS_URL: 'redis://one', REDIS_URL_FILE: in_('url') };
    expect(configProblemsOf(() => load(good, both))).toMatchObject([{ path: 'redis', message: expect.stringMatching(/both set/) }]);
  });

  it('a key given twice', () => {
    const keystore = { file: in_('file'), passwordFile: in_('file') };
    expect(configProblemsOf(() => load({ ...good, keystore }, { ASSAY_NODE_KEY: `0x${'11'.repeat(32)}` }))).toMatchObject([
      { path: 'keystore' },
    ]);
    expect(configProblemsOf(() => load({ ...good, keystore }, { ASSAY_KEYSTORE_PASSWORD: 'secret' }))).toMatchObject([
      { path: 'keystore.passwordFile' },
    ]);
  });

  it('a file that is no JSON object', () => {
    writeFileSync(in_('list.json'), '[]');
    expect(configProblemsOf(() => loadConfig(nodeConfigSchema, { file: in_('list.json'), overrides: {} }))).toMatchObject([{ path: '' }]);
  });

  it('a file that is no JSON: where, and nothing of what it says', () => {
    for (const [text, place] of [
      ['{\n  "rpc": "http://hunter2",,\n}', 'line 2, column 27'],
      ['{ "rpc": "http://hunter2"', 'line 1, column 26'],
      ['{ "rpc": "http://hunter2", "port": eighty }', 'line 1, column 36'],
      ['{\n  "port": tru }', 'line 2, column 14'],
      ['{\n  // hunter2\n}', 'it has no comments: line 2, column 3'],
      ['{ "port": 1 /* hunter2 */ }', 'it has no comments: line 1, column 13'],
      ['{ "port": 1, }', 'line 1, column 14'],
      ['', 'line 1, column 1'],
      ['\u0000{\u0000}', 'not even text in UTF-8'],
    ] as const) {
      writeFileSync(in_('cut.json'), text);
      const [problem] = configProblemsOf(() => loadConfig(nodeConfigSchema, { file: in_('cut.json'), overrides: {} }));
      expect(problem?.message).toContain(place);
      expect(JSON.stringify(problem)).not.toContain('hunter2');
    }
  });

  it('no file for the mark that some editors begin it with', () => {
    writeFileSync(in_('marked.json'), `\ufeff${JSON.stringify(good)}`);
    expect(loadConfig(nodeConfigSchema, { file: in_('marked.json'), overrides: {} }).models).toHaveLength(1);
  });

  it.each(['[::1]', '127.0.0.1:8645', 'http://127.0.0.1', 'a b', ''])('a host that is none: %s', (host) => {
    expect(configProblemsOf(() => load({ ...good, host }))).toMatchObject([
      { path: 'host', message: expect.stringContaining('without scheme') },
    ]);
  });

  it.each(['::1', '::', '0.0.0.0', 'localhost', 'node-1.example.org', 'api_1'])('no host for its form: %s', (host) => {
    expect(load({ ...good, host }).host).toBe(host);
  });

  it('a file that is not there', () => {
    const load_ = (): unknown => loadConfig(nodeConfigSchema, { file: in_('none.json'), overrides: {} });
    expect(load_).toThrow(expect.objectContaining({ code: 'FILE_MISSING', facts: { file: in_('none.json') } }));
  });

  // Docker makes one of a mounted file that is not there.
  it('a folder in the place of the file', () => {
    mkdirSync(in_('folder.json'));
    const load_ = (): unknown => loadConfig(nodeConfigSchema, { file: in_('folder.json'), overrides: {} });
    const facts = { file: in_('folder.json'), reason: 'EISDIR' };
    expect(load_).toThrow(expect.objectContaining({ code: 'FILE_UNUSABLE', message: expect.stringContaining('is a folder'), facts }));
  });
});

describe('many mistakes', () => {
  const wrong = { role: 'worker', port: -1, modles: [], models: [{ modelId }], keystore: { file: 'none' }, redis: 'http://:hunter2@host' };

  it('are told together', () => {
    const paths = configProblemsOf(() => load(wrong)).map(({ path: at }) => at);
    expect(paths.sort()).toEqual(['database', 'keystore.file', 'models.0.directory', 'modles', 'port', 'redis']);
  });

  it('in one paragraph that names each, suggests, and repeats no secret', () => {
    try {
      load(wrong);
      expect.unreachable();
    } catch (error) {
      const text = (error as ConfigError).explain();
      expect(text).toMatch(/wrong in 6 places.*\(1\).*\(6\)/);
      expect(text).toContain('did you mean models?');
      expect(text).not.toContain('hunter2');
      expect(text).not.toContain('\n');
    }
  });
});

describe('what is generated from the schema', () => {
  it.each(generated().map(({ file, text }) => [path.basename(file), file, text]))('%s is fresh', (_, file, text) => {
    expect(readFileSync(file, 'utf8')).toBe(text);
  });
});
