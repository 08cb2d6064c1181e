// Speaks the two things Forge asks of a compiler (`--version`, `--standard-json` on stdin) through npm's solc package.
// Forge inlines every source in its request, so imports are never resolved here: a missing one is an error in the answer.
import { createRequire } from 'node:module';

const args = process.argv.slice(2);
if (args.includes('--version')) {
  process.stdout.write(`solc, the solidity compiler commandline interface\nVersion: ${loadCompiler().version()}\n`);
} else if (args.includes('--standard-json')) {
  const request = await readAll(process.stdin);
  process.stdout.write(loadCompiler().compile(request, { import: (path) => ({ error: `${path} was not given in the request` }) }));
} else {
  process.stderr.write(`contracts/tools/solc answers --version and --standard-json only; it was called with: ${args.join(' ')}\n`);
  process.exitCode = 2;
}

/** The compiler is 0.6 s of WebAssembly start-up, so it is loaded only once a request is known to need it. */
function loadCompiler() {
  return createRequire(import.meta.url)('solc');
}

/** @param {NodeJS.ReadableStream} stream */
async function readAll(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}
