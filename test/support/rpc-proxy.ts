import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Call {
  readonly id: number;
  readonly method: string;
  readonly params?: readonly unknown[];
}

/** What a proxy does to a call: an answer of its own, or undefined to let the chain's through. */
export type Meddle = (call: Call, truth: unknown, response: ServerResponse) => unknown;

/** A real HTTP server in front of a chain, which delays, refuses and lies as told. */
export interface RpcProxy {
  readonly url: string;
  /** Methods it was asked for, in order. */
  readonly asked: string[];
  /** What it does from now on; undefined: nothing. */
  meddle: Meddle | undefined;
  /** What the chain is asked instead of what was asked. */
  change: ((call: Call) => Promise<Call>) | undefined;
  stop(): Promise<void>;
}

/** A meddler that leaves the call without an answer. */
export const HANG = Symbol('hang');

export async function startRpcProxy(chain: string): Promise<RpcProxy> {
  const asked: string[] = [];
  const proxy = { url: '', asked, meddle: undefined as Meddle | undefined, change: undefined as RpcProxy['change'], stop: async () => {} };
  const server: Server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const call = JSON.parse(Buffer.concat(chunks).toString('utf8')) as Call;
    asked.push(call.method);
    const truth = await answerOf(chain, (await proxy.change?.(call)) ?? call);
    if (truth === undefined) {
      response.statusCode = 502;
      response.end();
      return;
    }
    const told = proxy.meddle?.(call, truth.result, response);
    if (told === HANG || response.writableEnded) return;
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(told === undefined ? truth : { jsonrpc: '2.0', id: call.id, result: told }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  proxy.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  proxy.stop = () =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return proxy;
}

/** What the chain says; undefined while it is away. */
async function answerOf(chain: string, call: Call): Promise<{ result?: unknown } | undefined> {
  try {
    const response = await fetch(chain, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(call) });
    return (await response.json()) as { result?: unknown };
  } catch {
    return undefined;
  }
}
