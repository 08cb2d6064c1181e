import { type ChildProcess, spawn } from 'node:child_process';
import { createServer, type Server } from 'node:net';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { createPublicClient, http } from 'viem';
import { afterEach, describe, expect, it } from 'vitest';
import { AssayError } from '../../core/errors.ts';
import { type Anvil, startAnvil } from '../support/anvil.ts';
import { freePort } from '../support/port.ts';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const started: (Anvil | Server)[] = [];

afterEach(async () => {
  for (const running of started.splice(0)) await ('stop' in running ? running.stop() : running.close());
});

async function chain(...[options]: Parameters<typeof startAnvil>): Promise<Anvil> {
  const anvil = await startAnvil(options);
  started.push(anvil);
  return anvil;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function refusal(promise: Promise<unknown>): Promise<AssayError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof AssayError)) throw new Error(`expected an AssayError, got ${String(error)}`);
  return error;
}

describe('startAnvil', () => {
  it('serves a chain of the id asked for on a free port, and two at once', async () => {
    const [first, second] = await Promise.all([chain({ chainId: 4_242 }), chain()]);
    expect(first.port).not.toBe(second.port);
    expect(await createPublicClient({ transport: http(first.url) }).getChainId()).toBe(4_242);
    expect(await createPublicClient({ transport: http(second.url) }).getChainId()).toBe(31_337);
  });

  it('is gone after stop, which may be called twice', async () => {
    const anvil = await chain({ port: await freePort() });
    expect(isAlive(anvil.pid)).toBe(true);
    await anvil.stop();
    await anvil.stop();
    expect(isAlive(anvil.pid)).toBe(false);
    await expect(fetch(anvil.url)).rejects.toThrow();
  });

  it('says that a port is in use', async () => {
    const server = createServer();
    started.push(server);
    const port = await freePort();
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    const error = await refusal(startAnvil({ port }));
    expect(error.code).toBe('ANVIL_PORT_IN_USE');
    expect(error.facts).toEqual({ port });
  });

  it('says that the binary is missing', async () => {
    expect((await refusal(startAnvil({ binary: '/nowhere/anvil' }))).code).toBe('ANVIL_MISSING');
  });

  it('shows what Anvil printed when it refuses an option', async () => {
    const error = await refusal(startAnvil({ hardfork: 'no-such-fork' }));
    expect(error.code).toBe('ANVIL_FAILED');
    expect(error.explain()).toContain('no-such-fork');
  });

  it('gives up a chain that does not come up', async () => {
    expect((await refusal(startAnvil({ startTimeout: 1 }))).explain()).toContain('did not come up in time');
  });

  it('does not outlive an owner that is killed', async () => {
    const owner = ownerOfAChain('setInterval(() => {}, 1000);');
    const url = await owner.url;
    expect(await answers(url)).toBe(true);
    owner.process.kill('SIGKILL');
    await expect.poll(() => answers(url), { timeout: 10_000 }).toBe(false);
  });

  it('lets an owner end that forgot to stop it', async () => {
    const owner = ownerOfAChain('');
    const [code, url] = await Promise.all([owner.exitCode, owner.url]);
    expect(code).toBe(0);
    await expect.poll(() => answers(url), { timeout: 10_000 }).toBe(false);
  });
});

async function answers(url: string): Promise<boolean> {
  return fetch(url).then(
    () => true,
    () => false,
  );
}

/** Another process that starts a chain, prints its address, and goes on with `rest`. */
function ownerOfAChain(rest: string): { process: ChildProcess; url: Promise<string>; exitCode: Promise<number | null> } {
  const module = pathToFileURL(path.join(root, 'runtime/anvil.ts')).href;
  const script = `const { startAnvil } = await import(${JSON.stringify(module)}); console.log((await startAnvil()).url); ${rest}`;
  const owner = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', script], { cwd: root });
  const exitCode = new Promise<number | null>((resolve) => owner.once('exit', resolve));
  const url = new Promise<string>((resolve, reject) => {
    owner.stdout.once('data', (chunk: Buffer) => resolve(chunk.toString('utf8').trim()));
    owner.once('exit', (code) => reject(new Error(`the owner ended with ${code} before it had a chain`)));
  });
  return { process: owner, url, exitCode };
}
