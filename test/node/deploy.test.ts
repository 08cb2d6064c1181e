import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { NODE_ROLES, nodeConfigSchema } from '../../prover/configuration/config.ts';
import { createMetrics } from '../../prover/metrics.ts';
import { variablesOf } from '../../runtime/configuration-environment.ts';
import { rooms } from '../architecture/rules.ts';

const root = path.resolve(import.meta.dirname, '../..');
const deploy = path.join(root, 'deploy');
const text = (name: string): string => readFileSync(path.join(deploy, name), 'utf8');
const members = z.toJSONSchema(nodeConfigSchema, { io: 'input' });
const variables = [
  ...variablesOf(members).map(({ variable }) => variable),
  ...['REDIS_URL_FILE', 'DATABASE_URL_FILE', 'ASSAY_KEYSTORE_PASSWORD', 'ASSAY_NODE_KEY'],
];
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'assay-deploy-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the units for systemd', () => {
  const units = ['assay-node.service', 'assay-worker@.service'];
  const hasSystemd = spawnSync('systemd-analyze', ['--version']).status === 0;

  /** Sections of a unit, each with its settings in order. @throws Error on a line that is none */
  function read(unit: string): Map<string, [name: string, value: string][]> {
    const sections = new Map<string, [string, string][]>();
    let at: [string, string][] | undefined;
    for (const line of unit.split('\n')) {
      if (line === '' || line.startsWith('#')) continue;
      const section = /^\[(\w+)\]$/.exec(line)?.[1];
      const setting = /^([A-Za-z]+)=(.*)$/.exec(line);
      if (section !== undefined) {
        at = [];
        sections.set(section, at);
      } else if (setting !== null && at !== undefined) at.push([setting[1]!, setting[2]!]);
      else throw new Error(`no line of a unit: ${line}`);
    }
    return sections;
  }

  it.each(units)('%s is one, and names what is there', (name) => {
    const unit = read(text(`systemd/${name}`));
    const service = unit.get('Service') ?? [];
    const all = (setting: string): string[] => service.filter(([key]) => key === setting).map(([, value]) => value);
    expect([...unit.keys()]).toEqual(['Unit', 'Service', 'Install']);
    expect(all('ExecStart')).toHaveLength(1);
    const launcher = /\/opt\/assay\/(\S+) node /.exec(all('ExecStart')[0]!)?.[1];
    expect(existsSync(path.join(root, launcher ?? 'none'))).toBe(true);
    for (const assignment of all('Environment')) {
      const variable = assignment.split('=')[0]!;
      if (variable !== 'NODE_ENV') expect(variables, variable).toContain(variable);
    }
    // Longer than a node takes by default to drain and to close.
    expect(Number(all('TimeoutStopSec')[0])).toBeGreaterThan(20 + 15);
    expect(all('RestartPreventExitStatus')).toEqual(['1 2']);
  });

  it.each(units)('%s is what systemd takes, where there is one', (name) => {
    if (!hasSystemd) return console.warn('systemd-analyze is not installed: units were read by this test alone');
    const verify = (content: string): string => {
      const file = path.join(folder, name);
      writeFileSync(file, content.replaceAll('/usr/bin/node', process.execPath));
      const { stdout, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', file], { encoding: 'utf8' });
      return `${stdout}${stderr}`;
    };
    expect(verify(text(`systemd/${name}`))).toBe('');
    expect(verify(text(`systemd/${name}`).replace('TimeoutStopSec', 'TimeoutStopTime'))).toContain('TimeoutStopTime');
  });
});

describe('the compose file', () => {
  const environment = z.record(z.string(), z.string());
  // Of the operator's own: where one is not there, no folder is made in its place.
  const mount = z.strictObject({
    ...{ type: z.literal('bind'), source: z.string().startsWith('./'), target: z.string(), read_only: z.literal(true) },
    bind: z.strictObject({ create_host_path: z.literal(false) }),
  });
  const service = z.object({
    image: z.string().regex(/^[a-z0-9/.-]+(:[a-z0-9.-]+)?$/),
    command: z.array(z.string()).optional(),
    environment: environment.optional(),
    secrets: z.array(z.string()).optional(),
    volumes: z.array(z.union([z.string(), mount])).optional(),
    healthcheck: z.object({ test: z.array(z.string()).min(2), interval: z.string(), timeout: z.string(), retries: z.int() }).optional(),
    depends_on: z.record(z.string(), z.object({ condition: z.literal('service_healthy') })).optional(),
    build: z.object({ context: z.string(), dockerfile: z.string() }).optional(),
    restart: z.enum(['always', 'on-failure']),
    stop_grace_period: z
      .string()
      .regex(/^\d+s$|^\d+m$/)
      .optional(),
    read_only: z.boolean().optional(),
    cap_drop: z.array(z.string()).optional(),
    init: z.boolean().optional(),
    logging: z.object({ driver: z.literal('json-file'), options: z.object({ 'max-size': z.string(), 'max-file': z.string() }) }),
  });
  const schema = z.object({
    services: z.record(z.string(), service),
    volumes: z.record(z.string(), z.null()),
    secrets: z.record(z.string(), z.object({ file: z.string().startsWith('./secrets/') })),
  });
  const compose = schema.parse(parse(text('compose/compose.yaml'), { merge: true }));
  const sourceOf = (volume: string | z.infer<typeof mount>): string => (typeof volume === 'string' ? volume.split(':')[0]! : volume.source);
  const nodes = Object.entries(compose.services).filter(([, { build }]) => build !== undefined);

  it('runs each role but all, by its name', () => {
    expect(nodes.map(([name]) => name).sort()).toEqual(NODE_ROLES.filter((role) => role !== 'all').sort());
    for (const [name, { command }] of nodes) expect(command?.slice(-2)).toEqual(['--role', name]);
  });

  it('sets variables that mean something, and gives workers no key', () => {
    for (const [, { environment: set = {} }] of nodes) expect(variables).toEqual(expect.arrayContaining(Object.keys(set)));
    const worker = compose.services.worker!;
    expect(JSON.stringify([worker.environment, worker.secrets]).toLowerCase()).not.toContain('keystore');
  });

  it('refers to secrets, volumes and services that it defines, and looks after the health of all but prometheus', () => {
    for (const [name, { secrets = [], volumes = [], depends_on = {}, healthcheck, environment: set = {} }] of Object.entries(
      compose.services,
    )) {
      for (const secret of secrets) expect(Object.keys(compose.secrets), name).toContain(secret);
      for (const used of Object.values(set).flatMap((value) => /^\/run\/secrets\/(.+)$/.exec(value)?.[1] ?? []))
        expect(secrets, name).toContain(used);
      for (const volume of volumes.map(sourceOf).filter((each) => !each.startsWith('.')))
        expect(Object.keys(compose.volumes), name).toContain(volume);
      for (const needed of Object.keys(depends_on)) expect(compose.services[needed]?.healthcheck, needed).toBeDefined();
      if (name !== 'prometheus') expect(healthcheck, name).toBeDefined();
    }
  });

  it('starts again what ended by itself, lets nodes drain, and gives them no more than they need', () => {
    for (const [name, { restart, stop_grace_period: grace, read_only, cap_drop, init }] of nodes) {
      // Not a node that a signal asked to end; the others are for nothing but to be there.
      expect(restart, name).toBe('on-failure');
      expect(Number(/^(\d+)s$/.exec(grace ?? '')?.[1]), name).toBeGreaterThan(20 + 15);
      expect({ read_only, cap_drop, init }, name).toEqual({ read_only: true, cap_drop: ['ALL'], init: true });
    }
    for (const [name, { build, restart }] of Object.entries(compose.services))
      if (build === undefined) expect(restart, name).toBe('always');
  });

  it('holds PostgreSQL for healthy once it can be reached from outside, not while it is initialised', () => {
    expect(compose.services.postgres?.healthcheck?.test.join(' ')).toContain('-h 127.0.0.1');
  });

  it('keeps a Redis that neither forgets nor evicts', () => {
    expect(compose.services.redis?.command?.join(' ')).toMatch(/--maxmemory-policy noeviction --appendonly yes/);
  });

  it('keeps what an operator lays beside it out of git', () => {
    const mounted = Object.values(compose.services).flatMap(({ volumes = [] }) => volumes.map(sourceOf));
    const own = new Set(['secrets', ...mounted.filter((each) => each.startsWith('./')).map((each) => each.slice(2))]);
    expect(own.size).toBeGreaterThan(2);
    const lines = readFileSync(path.join(root, '.gitignore'), 'utf8').split('\n');
    const ignored = lines.map((line) => line.replace(/^\/|\/$/g, ''));
    for (const name of own) expect(ignored).toContain(`deploy/compose/${name}`);
  });

  it('lets into the image what runs, by name, and nothing else that lies here', () => {
    const lines = readFileSync(path.join(root, '.dockerignore'), 'utf8').split('\n');
    const [first, ...others] = lines.filter((line) => line !== '' && !line.startsWith('#'));
    expect(first).toBe('*');
    for (const line of others) expect(line).toMatch(/^!\.?\w+(-\w+)*(\/client|\.\w+)?$/);
    const letIn = others.map((line) => line.slice(1));
    for (const name of letIn) expect(existsSync(path.join(root, name)), name).toBe(true);
    expect(letIn).toEqual(expect.arrayContaining(rooms.filter((room) => room !== 'bench' && room !== 'test')));
    // Where keys, passwords and states of a node may lie.
    for (const name of ['.assay', 'bench', 'contracts', 'deploy', 'deployments', 'node_modules', 'test']) expect(letIn).not.toContain(name);
  });

  it('is built by a Dockerfile that is there, from files that are there', () => {
    const dockerfile = text('compose/Dockerfile');
    for (const [, { build }] of nodes)
      expect(path.resolve(deploy, 'compose', build!.context, build!.dockerfile)).toBe(path.join(deploy, 'compose/Dockerfile'));
    expect(dockerfile).toMatch(/^FROM node:20-bookworm-slim$/m);
    for (const [, files] of dockerfile.matchAll(/^COPY (.+) \.\/$/gm))
      for (const file of files!.split(' ')) expect(existsSync(path.join(root, file)), file).toBe(true);
  });
});

describe('examples', () => {
  it.each(['node.example.json', 'compose/node.example.json'])('%s has the right form, and names its schema', (name) => {
    const given = JSON.parse(text(name)) as { $schema: string };
    expect(nodeConfigSchema.safeParse(given).error?.issues ?? []).toEqual([]);
    expect(existsSync(path.resolve(deploy, path.dirname(name), given.$schema))).toBe(true);
  });
});

describe('what Prometheus is told', () => {
  const rule = z.strictObject({
    alert: z.string().regex(/^Assay[A-Za-z]+$/),
    expr: z.string(),
    for: z
      .string()
      .regex(/^\d+m$/)
      .optional(),
    labels: z.strictObject({ severity: z.enum(['page', 'ticket']) }),
    annotations: z.strictObject({ summary: z.string(), runbook: z.string() }),
  });
  const { groups } = z
    .strictObject({ groups: z.array(z.strictObject({ name: z.string(), rules: z.array(rule) })) })
    .parse(parse(text('prometheus/alerts.yml')));
  const rules = groups.flatMap((group) => group.rules);
  /** GitHub's names of headings. */
  const anchors = [...readFileSync(path.join(root, 'docs/operating.md'), 'utf8').matchAll(/^#{1,4} (.+)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replaceAll(/[^a-z0-9 -]/g, '')
      .replaceAll(' ', '-'),
  );

  it.each(rules.map((each) => [each.alert, each] as const))(
    '%s asks for metrics there are, and leads to a section there is',
    async (_, each) => {
      const metrics = await createMetrics().text();
      const names = each.expr.match(/assay_[a-z_]+/g) ?? [];
      if (each.alert !== 'AssayDown') expect(names.length).toBeGreaterThan(0);
      for (const name of names) expect(metrics).toContain(`# TYPE ${name} `);
      expect(each.annotations.runbook.startsWith('docs/operating.md#')).toBe(true);
      expect(anchors).toContain(each.annotations.runbook.split('#')[1]);
    },
  );

  it('no alert fires for what a process of another role never looks at', async () => {
    const samples = (await createMetrics().text()).split('\n');
    const gauges = samples.flatMap((line) => /^# TYPE (assay_\w+) gauge$/.exec(line)?.[1] ?? []);
    const asked = gauges.filter((name) => rules.some(({ expr }) => expr.includes(name)));
    expect(asked.length).toBeGreaterThan(3);
    for (const name of asked) expect(samples.filter((line) => new RegExp(`^${name}[ {]`).test(line))).toEqual([]);
  });

  it('every increase that an alert asks for is one from zero, the first included', async () => {
    const text = await createMetrics().text();
    const increases = rules.flatMap(({ expr }) => [...expr.matchAll(/increase\((assay_\w+)(\{[^}]*\})?\[/g)]);
    expect(increases.length).toBeGreaterThan(2);
    for (const [, name, labels] of increases) expect(text).toMatch(new RegExp(`^${name}${labels ?? '\\{.+\\}'} 0$`, 'm'));
    for (const reason of ['demand', 'stake', 'rpc', 'request', 'keys']) expect(text).toContain(`assay_alarms_total{reason="${reason}"} 0`);
  });

  it('is scraped from where the compose file runs nodes', () => {
    const scrape = parse(text('prometheus/prometheus.yml')) as {
      scrape_configs: { dns_sd_configs: { names: string[]; port: number }[] }[];
    };
    expect(scrape.scrape_configs[0]?.dns_sd_configs[0]).toMatchObject({ names: ['chain', 'api', 'worker'], port: 8645 });
  });

  it('every metric is in the table of docs/operating.md, and the other way round', async () => {
    const page = readFileSync(path.join(root, 'docs/operating.md'), 'utf8');
    const documented = new Set(page.match(/\bassay_[a-z_]+/g) ?? []);
    const own = [...(await createMetrics().text()).matchAll(/^# TYPE (assay_[a-z_]+) /gm)].map(([, name]) => name!);
    expect([...documented].filter((name) => !own.includes(name))).toEqual([]);
    expect(own.filter((name) => !documented.has(name))).toEqual([]);
  });
});
