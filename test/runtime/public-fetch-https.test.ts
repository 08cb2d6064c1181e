import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PublicNet, startPublicNet } from '../support/public-net.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'assay-public-'));
const PUBLIC = '93.184.216.34';
let net: PublicNet;

beforeAll(async () => {
  net = await startPublicNet(path.join(folder, 'log'), ({ url }, response) => {
    if (url === '/input') response.end('the bytes');
    else if (url === '/long') response.end('x'.repeat(101));
    else if (url === '/moved') response.writeHead(302, { location: 'https://127.0.0.1/input' }).end();
    else if (url === '/slow') response.write('x');
    else response.writeHead(404).end();
  });
});
afterAll(async () => {
  await net?.close();
  rmSync(folder, { recursive: true, force: true });
});

type Names = Readonly<Record<string, readonly (readonly string[])[]>>;

/** What a process of its own gets from these addresses, and what it did for that. */
async function fetched(names: Names, urls: readonly string[], trusting = true): Promise<{ got: unknown[]; seen: string[] }> {
  const root = path.resolve(import.meta.dirname, '../..');
  const environment = { ...process.env, ...net.environment(names, trusting) };
  const text = await new Promise<string>((resolve, reject) => {
    const command = ['--import', 'tsx', 'test/support/fetch-public.ts', '100', '2000', ...urls];
    execFile(process.execPath, command, { cwd: root, env: environment }, (error, stdout) =>
      error === null ? resolve(stdout) : reject(error),
    );
  });
  const got = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
  return { got, seen: net.seen() };
}

const at = (...addresses: string[]): readonly (readonly string[])[] => [addresses];

describe('bytes at an https address of the public network', () => {
  it('are had when its certificate is good', async () => {
    const { got, seen } = await fetched({ 'inputs.example.org': at(PUBLIC) }, [
      'https://inputs.example.org/input',
      'https://inputs.example.org/none',
    ]);
    expect(got).toEqual(['the bytes', null]);
    expect(seen).toEqual(Array.from({ length: 2 }, () => ['resolved inputs.example.org', `connected ${PUBLIC}`]).flat());
  });

  it('are not had from somebody with another name, or an authority that is not known', async () => {
    const other = { 'example.net': at(PUBLIC), 'inputs.example.org': at(PUBLIC) };
    expect((await fetched(other, ['https://example.net/input'])).got).toEqual([null]);
    expect((await fetched(other, ['https://inputs.example.org/input'], false)).got).toEqual([null]);
  });

  it('are not had from elsewhere, when too many, or when they do not come', async () => {
    const names = { 'inputs.example.org': at(PUBLIC) };
    const { got, seen } = await fetched(
      names,
      ['moved', 'long', 'slow'].map((what) => `https://inputs.example.org/${what}`),
    );
    expect(got).toEqual([null, null, null]);
    // A redirection is not followed.
    expect(seen.filter((line) => line.startsWith('connected'))).toEqual([1, 2, 3].map(() => `connected ${PUBLIC}`));
  });
});

describe('a name that leads into a private network', () => {
  it.each([
    ['this machine', ['127.0.0.1']],
    ['a neighbour', ['10.0.0.1']],
    ['what a cloud tells its machines', ['169.254.169.254']],
    ['this machine, in IPv6', ['::1']],
    ['this machine, as IPv4 in IPv6', ['::ffff:127.0.0.1']],
    ['both networks', [PUBLIC, '192.168.0.1']],
  ])('is refused, and nothing is connected to: %s', async (_, addresses) => {
    const { got, seen } = await fetched({ 'a.inputs.example.org': at(...addresses) }, ['https://a.inputs.example.org/input']);
    expect([got, seen]).toEqual([['URL_PRIVATE'], ['resolved a.inputs.example.org']]);
  });

  it('only the second time: the address that was looked at is the one that is connected to', async () => {
    const names = { 'a.inputs.example.org': [[PUBLIC], ['127.0.0.1']] };
    const { got, seen } = await fetched(names, ['https://a.inputs.example.org/input', 'https://a.inputs.example.org/input']);
    expect(got).toEqual(['the bytes', 'URL_PRIVATE']);
    expect(seen).toEqual(['resolved a.inputs.example.org', `connected ${PUBLIC}`, 'resolved a.inputs.example.org']);
  });
});
