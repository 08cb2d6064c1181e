import { readFileSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const tls = path.join(import.meta.dirname, '../fixtures/tls');

/** A server that stands for the whole public network, and what processes need to be in it (public-net.mjs). */
export interface PublicNet {
  /** For a process whose names lie where these lists say, the first for its first resolution; the last one goes on. */
  environment(names: Readonly<Record<string, readonly (readonly string[])[]>>, trusting?: boolean): Record<string, string>;
  /** What was resolved and where connections went since the last call. */
  seen(): string[];
  close(): Promise<void>;
}

/** @param log file for what is seen @param answer of the server, which has a certificate for inputs.example.org and the names below it */
export async function startPublicNet(
  log: string,
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<PublicNet> {
  const server = createServer(
    { key: readFileSync(path.join(tls, 'server-key.pem')), cert: readFileSync(path.join(tls, 'server.pem')) },
    answer,
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  writeFileSync(log, '');
  return {
    environment: (names, trusting = true) => ({
      NODE_OPTIONS: `--import ${pathToFileURL(path.join(import.meta.dirname, 'public-net.mjs')).href}`,
      PUBLIC_NET: JSON.stringify({ names, port, log }),
      NODE_EXTRA_CA_CERTS: trusting ? path.join(tls, 'authority.pem') : '',
    }),
    seen: () => {
      const lines = readFileSync(log, 'utf8').split('\n').filter(Boolean);
      writeFileSync(log, '');
      return lines;
    },
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
