/**
 * Loaded before a process (`--import`): a public network in which some names lie at addresses of the test's choice. Whatever goes out to
 * an address of the public network ends at a server of the test; where each connection went is written down.
 *
 * PUBLIC_NET: {"names": {"host": [["address", …] of the first resolution, … of the next; the last one goes on]}, "port": of the test's
 * server, "log": file that gets a line for each resolution and connection}
 */

import dns from 'node:dns';
import { appendFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const { names, port, log } = JSON.parse(process.env.PUBLIC_NET);
const asked = {};
const resolve = dns.lookup;

dns.lookup = (host, options, callback) => {
  const answers = names[host];
  if (answers === undefined) return resolve(host, options, callback);
  asked[host] = (asked[host] ?? 0) + 1;
  const addresses = answers[Math.min(asked[host], answers.length) - 1];
  appendFileSync(log, `resolved ${host}\n`);
  const found = addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
  setImmediate(() => (options.all === true ? callback(null, found) : callback(null, found[0].address, found[0].family)));
};
syncBuiltinESMExports();

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
