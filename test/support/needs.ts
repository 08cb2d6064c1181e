import { accessSync, constants, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** What a services suite may need beyond npm: the Debian package, and the program that shows it is installed. */
const programOf: Readonly<Record<string, string>> = {
  'redis-server': 'redis-server',
  // The server itself lies outside of the path (test/support/postgres.ts finds it).
  postgresql: 'pg_ctlcluster',
  chromium: 'chromium',
  'qemu-user': 'qemu-aarch64',
};

/** A test file with the packages its `// needs: redis-server` line names. */
export interface Suite {
  readonly file: string;
  readonly needs: readonly string[];
}

/** Test files below a folder (given relative to `root`), sorted; none when the folder is not there. */
export function testFiles(root: string, folder: string): string[] {
  let names: string[];
  try {
    names = readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' });
  } catch {
    return [];
  }
  return names
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => path.posix.join(folder, name.split(path.sep).join('/')))
    .sort();
}

/**
 * The packages a services suite names in its first lines. Each suite must say, so that the list can be trusted; one that is here for
 * its length alone says `nothing`.
 * @throws when the line is missing or names a package this file does not know
 */
export function needsOf(file: string, source: string): string[] {
  const line = /^\/\/ needs: (.+)$/m.exec(source)?.[1];
  if (line === undefined) throw new Error(`${file} must name its Debian packages in a line such as \`// needs: redis-server\`.`);
  if (line.trim() === 'nothing') return [];
  const needs = line.split(/[\s,]+/).filter((name) => name !== '');
  const unknown = needs.find((name) => !Object.hasOwn(programOf, name));
  if (unknown !== undefined) throw new Error(`${file} needs ${unknown}, which test/support/needs.ts does not know.`);
  return needs;
}

/** The services suites of a checkout. */
export function servicesSuites(root: string): Suite[] {
  return testFiles(root, 'test/services').map((file) => ({ file, needs: needsOf(file, readFileSync(path.join(root, file), 'utf8')) }));
}

/** Packages that some suite needs, each once, sorted. */
export function packagesOf(suites: readonly Suite[]): string[] {
  return [...new Set(suites.flatMap((suite) => suite.needs))].sort();
}

/** Those of the packages whose program is not on the path. */
export function missingOf(packages: readonly string[], searchPath = process.env.PATH ?? ''): string[] {
  return packages.filter((name) => {
    const program = programOf[name];
    return program === undefined || !searchPath.split(path.delimiter).some((folder) => isExecutable(path.join(folder, program)));
  });
}

/** The command that installs packages. */
export function installCommand(packages: readonly string[]): string {
  return `apt-get update && apt-get install -y --no-install-recommends ${packages.join(' ')}`;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
