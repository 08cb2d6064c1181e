#!/usr/bin/env node
// The launcher: registers the TypeScript loader, then hands over to the program. What keeps it from doing so it says itself, in the form
// of every other error (core/errors.ts), and in words that an old Node understands as well.
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** As package.json says. */
const OLDEST = [20, 19];
const folder = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const running = process.versions.node;
const [major, minor] = running.split('.').map(Number);

function end(code, message, facts, fix) {
  const told = Object.keys(facts).map((name) => `${name}: ${facts[name]}`);
  if (process.argv.includes('--json')) process.stdout.write(`${JSON.stringify({ error: { code, message, facts, fix } })}\n`);
  else process.stderr.write(`${message} [${code}] (${told.join(', ')}) Fix: ${fix}\n`);
  process.exitCode = 2;
}

/** main.ts tells its own errors: what comes out of it is that it, or the loader, could not be loaded. */
function couldNotLoad(error) {
  const message = error instanceof Error ? error.message : String(error);
  const named = /Cannot find package '([^']+)'/.exec(message);
  // The loader's own compiler is a binary of one platform.
  if (named === null && !/esbuild/i.test(message)) {
    const facts = { reason: message.split('\n')[0] };
    return end('INTERNAL', 'The program could not be loaded', facts, 'this is a defect: please report it with the command that led here');
  }
  const packages = named === null ? `esbuild for ${process.platform}-${process.arch}` : named[1];
  const fix = `run \`npm install\` in ${folder}`;
  return end('NOT_INSTALLED', 'A package that this program needs is not installed', { package: packages, folder }, fix);
}

if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])) {
  const facts = { found: running, needed: OLDEST.join('.') };
  end(
    'NODE_TOO_OLD',
    'This version of Node is too old',
    facts,
    `install Node ${OLDEST.join('.')} or later, for instance from https://nodejs.org`,
  );
} else {
  import('tsx/esm/api')
    .then(({ register }) => {
      register();
      return import('./main.ts');
    })
    .catch(couldNotLoad);
}
