/**
 * Loaded before a process (`--import`): a public network in which some names lie at addresses of the test's choice. Whatever goes out to
 * an address of the public network ends at a server of the test; where each connection went is written down.
 *
 * PUBLIC_NET: {"names": {"host": [["address", …] of the first resolution, … of the next; the last one goes on]}, "port": of the test's
 * server, "log": file that gets a line for each resolution and connection}
 */

import { Resolver } from 'node:dns/promises';
import { appendFileSync } from 'node:fs';

const { names, port, log } = JSON.parse(process.env.PUBLIC_NET);
const asked = {};
const { resolve4, resolve6 } = Resolver.prototype;

function known(host, family) {
  const answers = names[host];
  const found = answers[Math.min(asked[host] ?? 1, answers.length) - 1].filter((address) => address.includes(':') === (family === 6));
  if (found.length > 0) return found;
  throw Object.assign(new Error('no data'), { code: 'ENODATA' });
}

Resolver.prototype.resolve4 = async function (host, ...options) {
  if (names[host] === undefined) return resolve4.call(this, host, ...options);
  asked[host] = (asked[host] ?? 0) + 1;
  appendFileSync(log, `resolved ${host}\n`);
  return known(host, 4);
};
Resolver.prototype.resolve6 = async function (host, ...options) {
  return names[host] === undefined ? resolve6.call(this, host, ...options) : known(host, 6);
};

// Below everything that could resolve once more: this is the address that a connection goes to.
const { TCP } = process.binding('tcp_wrap');
for (const [name, local] of [
  ['connect', '127.0.0.1'],
  ['connect6', '::1'],
]) {
  const connect = TCP.prototype[name];
  TCP.prototype[name] = function (request, address, at) {
    const isOther = address === local && at !== 443 && at !== port;
    if (isOther) return connect.call(this, request, address, at);
    appendFileSync(log, `connected ${address}\n`);
    return connect.call(this, request, local, port);
  };
}
