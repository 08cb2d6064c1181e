// Runs Forge with the arguments given: `node contracts/tools/forge.mjs test -vv`.
// The `forge` that npm puts on the path always exits with 0, even when tests fail (seen in 1.7.1), so the binary is
// taken from its platform package and its exit code is passed on.
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const child = spawn(forgeBinary(), process.argv.slice(2), { stdio: 'inherit', cwd: root });
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.on('error', (error) => stop(`Forge did not start: ${error.message}`));
child.on('exit', (code) => {
  process.exitCode = code ?? 1;
});

function forgeBinary() {
  const architecture = { x64: 'amd64', arm64: 'arm64' }[process.arch];
  const name = `@foundry-rs/forge-${process.platform}-${architecture}`;
  try {
    return createRequire(import.meta.url).resolve(`${name}/bin/forge${process.platform === 'win32' ? '.exe' : ''}`);
  } catch {
    stop(`The package ${name} is not installed. Run \`npm install\` (optional dependencies included) in ${root}.`);
  }
}

/**
 * @param {string} message
 * @returns {never}
 */
function stop(message) {
  process.stderr.write(`${message}\n`);
  process.exit(2);
}
