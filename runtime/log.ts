import { type Logger, pino } from 'pino';
import { AssayError } from '../core/errors.ts';

export type Log = Logger;

export interface LogOptions {
  /** Name of the process, printed with every line. */
  readonly name: string;
  readonly level?: string;
}

/** Members of a logged object that may carry a key; their values never reach the output. */
const SECRET = ['privateKey', 'key', 'mnemonic', 'password', 'apiKey', 'authorization', 'secret', 'rpc', 'redis', 'database'];

/** One JSON object a line on standard error: standard output belongs to results. */
export function createLog(options: LogOptions): Log {
  return pino(
    {
      name: options.name,
      level: options.level ?? 'info',
      redact: { paths: SECRET.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]), censor: '[secret]' },
      serializers: { error: describeError },
    },
    pino.destination({ dest: 2, sync: true }),
  );
}

/** What a log line says of an error: never a stack, and of an RPC error only its short form (URLs may carry API keys). */
export function describeError(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { message: String(error) };
  const known = (ownCause(error) ?? error) as Error & { shortMessage?: string; code?: unknown; facts?: unknown; fix?: unknown };
  const revert = revertOf(error);
  return {
    message: known.shortMessage ?? known.message.split('\n')[0],
    ...(revert === undefined ? {} : { revert }),
    ...(known.code === undefined ? {} : { code: known.code }),
    ...(known.facts === undefined ? {} : { facts: known.facts }),
    ...(known.fix === undefined ? {} : { fix: known.fix }),
  };
}

/** An error of ours that viem has wrapped, as it does with what its transport throws. */
function ownCause(error: Error): AssayError | undefined {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 10; at = at.cause, depth++)
    if (at instanceof AssayError) return at;
  return undefined;
}

/** Name of the custom error behind a refused contract call, as viem nests it. */
export function revertOf(error: unknown): string | undefined {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 10; at = at.cause, depth++) {
    const { data, signature, reason } = at as { data?: { errorName?: string }; signature?: string; reason?: string };
    const found = data?.errorName ?? reason ?? signature;
    if (typeof found === 'string') return found;
  }
  return undefined;
}
