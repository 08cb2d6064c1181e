import { type ChildProcess, spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { AssayError } from '../core/errors.ts';

export interface AnvilOptions {
  /** TCP port on 127.0.0.1; 0 (the default) takes a free one. */
  readonly port?: number;
  /** EVM rules; the default is what foundry.toml compiles for. */
  readonly hardfork?: string;
  readonly chainId?: number;
  /** Seconds between blocks; without it each transaction is mined at once. */
  readonly blockTime?: number;
  /** Unlocked development accounts, and the ether each starts with. */
  readonly accounts?: number;
  readonly balance?: number;
  readonly mnemonic?: string;
  /** Unix seconds of the genesis block. */
  readonly timestamp?: number;
  /** State file: read when it exists, written on a clean stop. */
  readonly state?: string;
  readonly gasLimit?: bigint;
  readonly baseFee?: bigint;
  /** Further arguments for Anvil, as on its command line. */
  readonly arguments?: readonly string[];
  /** An Anvil other than the one that npm installed. */
  readonly binary?: string;
  /** Milliseconds until a chain that has not come up is given up; 30,000 unless told. */
  readonly startTimeout?: number;
}

/** A local chain that runs until `stop`, and never longer than this process. */
export interface Anvil {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Ends the chain and resolves when its process is gone; safe to call twice. */
  stop(): Promise<void>;
}

const defaults = { port: 0, hardfork: 'prague', chainId: 31_337, startTimeout: 30_000, stopTimeout: 5_000 };
const outputKept = 4_096;

/**
 * Starts Anvil on 127.0.0.1 and resolves when it listens (about 0.3 s).
 * The chain dies with this process, however this process ends.
 *
 * @throws AssayError ANVIL_MISSING, ANVIL_PORT_IN_USE, ANVIL_FAILED
 */
export async function startAnvil(options: AnvilOptions = {}): Promise<Anvil> {
  const binary = options.binary ?? anvilBinary();
  const child = spawn(binary, commandLine(options), { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
  const port = await listening(child, binary, options);
  const guard = guardAgainstOrphan(child);
  // A chain that nobody stopped must not keep its owner's process alive; the guard ends it with that process.
  unreference(child);
  let stopping: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    child.ref();
    child.kill('SIGTERM');
    const force = setTimeout(() => child.kill('SIGKILL'), defaults.stopTimeout);
    await ended;
    clearTimeout(force);
    guard?.kill('SIGKILL');
  };
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    pid: child.pid ?? 0,
    stop: () => (stopping ??= child.exitCode === null && child.signalCode === null ? stop() : Promise.resolve()),
  };
}

/**
 * The Anvil binary inside its platform package: no install script has to have run.
 * @throws AssayError ANVIL_MISSING
 */
export function anvilBinary(): string {
  const architecture = process.arch === 'x64' ? 'amd64' : process.arch;
  const name = `@foundry-rs/anvil-${process.platform}-${architecture}`;
  const file = `${name}/bin/anvil${process.platform === 'win32' ? '.exe' : ''}`;
  try {
    const require = createRequire(import.meta.url);
    // From the launcher package, so that a layout which does not hoist the binary's package works too.
    return createRequire(require.resolve('@foundry-rs/anvil/package.json')).resolve(file);
  } catch (cause) {
    throw new AssayError('The local chain (Anvil) is not installed', {
      code: 'ANVIL_MISSING',
      facts: { package: name },
      fix: 'run `npm install` with optional dependencies on a platform that @foundry-rs/anvil supports',
      cause,
    });
  }
}

function commandLine(options: AnvilOptions): string[] {
  const named: Record<string, string | number | bigint | undefined> = {
    host: '127.0.0.1',
    port: options.port ?? defaults.port,
    hardfork: options.hardfork ?? defaults.hardfork,
    'chain-id': options.chainId ?? defaults.chainId,
    'block-time': options.blockTime,
    accounts: options.accounts,
    balance: options.balance,
    mnemonic: options.mnemonic,
    timestamp: options.timestamp,
    state: options.state,
    'gas-limit': options.gasLimit,
    'block-base-fee-per-gas': options.baseFee,
  };
  const given = Object.entries(named).filter(([, value]) => value !== undefined);
  return [...given.flatMap(([name, value]) => [`--${name}`, String(value)]), ...(options.arguments ?? [])];
}

/** Resolves with the port once Anvil says that it listens; ends the process and throws when it does not. */
async function listening(child: ChildProcess, binary: string, options: AnvilOptions): Promise<number> {
  let output = '';
  let timer: NodeJS.Timeout | undefined;
  const milliseconds = options.startTimeout ?? defaults.startTimeout;
  try {
    return await new Promise<number>((resolve, reject) => {
      timer = setTimeout(() => reject(failed('did not come up in time', { milliseconds })), milliseconds);
      const keep = (chunk: Buffer): void => {
        output = (output + chunk.toString('utf8')).slice(-outputKept);
        const port = /Listening on 127\.0\.0\.1:(\d+)/.exec(output)?.[1];
        if (port !== undefined) resolve(Number(port));
      };
      // Both streams are read for as long as the chain runs: a full pipe would block it.
      child.stdout?.on('data', keep);
      child.stderr?.on('data', keep);
      child.once('error', (cause) => reject(notStarted(binary, cause)));
      child.once('close', (code) => reject(exited(code, output, options)));
    });
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

function exited(code: number | null, output: string, options: AnvilOptions): AssayError {
  if (/address already in use/i.test(output)) {
    return new AssayError('The local chain cannot start: its port is in use', {
      code: 'ANVIL_PORT_IN_USE',
      facts: { port: options.port ?? defaults.port },
      fix: 'stop what listens there, or choose another port (0 takes a free one)',
    });
  }
  return failed('ended before it listened', { exitCode: code, output: output.trim().slice(-500) });
}

function notStarted(binary: string, cause: Error): AssayError {
  return new AssayError('The local chain (Anvil) did not start', {
    code: 'ANVIL_MISSING',
    facts: { binary, reason: cause.message },
    fix: 'run `npm install` with optional dependencies, or name a working Anvil',
    cause,
  });
}

function failed(what: string, facts: Record<string, string | number | null>): AssayError {
  return new AssayError(`The local chain (Anvil) ${what}`, {
    code: 'ANVIL_FAILED',
    facts,
    fix: 'read what Anvil printed, and check the options given to it',
  });
}

/**
 * A shell that waits on a pipe which only this process holds open: the pipe closes when this process ends, even by
 * SIGKILL, and the shell then ends the chain. Not on Windows, where only `stop` does.
 */
function guardAgainstOrphan(child: ChildProcess): ChildProcess | undefined {
  if (process.platform === 'win32' || child.pid === undefined) return undefined;
  const guard = spawn('/bin/sh', ['-c', `read -r _; kill -9 ${child.pid}`], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
  // A guard that cannot start leaves `stop` as the only end.
  guard.on('error', () => {});
  // Once the chain has ended its process id may be another's.
  child.once('exit', () => guard.kill('SIGKILL'));
  unreference(guard);
  return guard;
}

/** Lets this process end while the child and its pipes are still open. */
function unreference(child: ChildProcess): void {
  child.unref();
  for (const stream of [child.stdin, child.stdout, child.stderr]) (stream as { unref?: () => void } | null)?.unref?.();
}
