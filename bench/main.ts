import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';

/** `npm run bench -- NAME …`: each benchmark is a program of its own, with `--help`. */
const BENCHMARKS = ['accuracy', 'exactness', 'execute', 'operators', 'serve', 'workers', 'zk'] as const;

const [name = '', ...rest] = process.argv.slice(2);
const file = path.join(import.meta.dirname, `${name}.ts`);
if (!BENCHMARKS.some((known) => known === name) || !existsSync(file)) {
  console.error(`usage: npm run bench -- NAME …, where NAME is one of ${BENCHMARKS.join(', ')}; NAME --help tells more`);
  process.exitCode = 2;
} else {
  process.exitCode = spawnSync(process.execPath, ['--import', 'tsx', file, ...rest], { stdio: 'inherit' }).status ?? 1;
}
