import path from 'node:path';

/** A source as the rules see it: its path from the repository root, and its text. */
export type Sources = ReadonlyMap<string, string>;

/** One broken rule, in the words a reader needs to mend it. */
export interface Violation {
  readonly file: string;
  readonly reason: string;
}

/** Which rooms a room may import, beside itself. Nobody imports bench or test; they import anything. */
const allowedRooms: Readonly<Record<string, readonly string[]>> = {
  core: [],
  runtime: ['core'],
  circuits: ['core', 'runtime'],
  'contracts/client': ['core'],
  verifier: ['core', 'contracts/client'],
  prover: ['core', 'runtime', 'circuits', 'verifier', 'contracts/client'],
  challenger: ['core', 'runtime', 'verifier', 'contracts/client'],
  cli: ['core', 'runtime', 'circuits', 'contracts/client', 'verifier', 'prover', 'challenger'],
  bench: ['core', 'runtime', 'circuits', 'contracts/client', 'verifier', 'prover', 'challenger', 'cli', 'test'],
  test: ['core', 'runtime', 'circuits', 'contracts/client', 'verifier', 'prover', 'challenger', 'cli', 'bench'],
};

/** Every room that holds TypeScript. */
export const rooms: readonly string[] = Object.keys(allowedRooms);

/** snarkjs and those of its siblings that are GPL-3.0. */
export const gplPackages: readonly string[] = [
  'snarkjs',
  'circomlibjs',
  'ffjavascript',
  'r1csfile',
  'fastfile',
  'wasmcurves',
  'wasmbuilder',
  '@iden3/binfileutils',
  '@iden3/bigarray',
];

/** Rooms that a customer embeds: they must stay free of the GPL, whatever they import included. */
const gplFreeRooms: readonly string[] = ['contracts/client', 'verifier'];

/** Packages whose whole point is files, sockets or native sessions: not for core. */
const ioPackages: readonly string[] = [
  'bullmq',
  'fastify',
  'ioredis',
  'lmdb',
  'onnxruntime-node',
  'pino',
  'pino-pretty',
  'prom-client',
  'tsx',
  'viem',
];

const lineLimit = 400;

/** The room of a file: the longest room name that is one of its folders; undefined for files outside all rooms. */
export function roomOf(file: string): string | undefined {
  return rooms.filter((room) => file.startsWith(`${room}/`)).sort((a, b) => b.length - a.length)[0];
}

/** What a module names in its imports, re-exports, dynamic imports, import types and requires. Comments do not count. */
export function importsOf(source: string): string[] {
  const code = withoutComments(source);
  const statement = /^[ \t]*(?:import|export)\s+(?:[\w$*{}\s,]+?\s+from\s+|[\w$*{}\s,]*\}\s*from\s*)?['"]([^'"\n]+)['"]/gm;
  const call = /\b(?:import|require)\(\s*['"`]([^'"`\n]+)['"`]/g;
  return [...code.matchAll(statement), ...code.matchAll(call)].flatMap((match) => match[1] ?? []);
}

/** The file a relative import means, as a path from the root; undefined for packages and builtins. */
export function targetOf(file: string, specifier: string): string | undefined {
  return specifier.startsWith('.') ? path.posix.normalize(path.posix.join(path.posix.dirname(file), specifier)) : undefined;
}

/** The package behind an import: `@scope/name` or `name`, without the path inside it. */
export function packageOf(specifier: string): string | undefined {
  if (specifier.startsWith('.') || specifier.startsWith('/') || specifier.startsWith('node:')) return undefined;
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

/** Imports against the direction of the house. */
export function forbiddenArrows(sources: Sources): Violation[] {
  const violations: Violation[] = [];
  for (const [file, specifier] of edges(sources)) {
    const room = roomOf(file);
    const target = targetOf(file, specifier);
    if (room === undefined || target === undefined) continue;
    const targetRoom = roomOf(target);
    if (targetRoom === room || (targetRoom !== undefined && allowedRooms[room]?.includes(targetRoom))) continue;
    if (targetRoom === undefined && (room === 'test' || room === 'bench') && !target.startsWith('..')) continue;
    violations.push({ file, reason: `${room} may not import ${targetRoom ?? 'from outside the rooms'}: ${specifier}` });
  }
  return violations;
}

/** Files that import each other in a circle, type imports included; each circle once, from its first file in order. */
export function cycles(sources: Sources): Violation[] {
  const next = graphOf(sources);
  const state = new Map<string, 'open' | 'done'>();
  const found = new Map<string, Violation>();
  const visit = (file: string, trail: readonly string[]): void => {
    if (state.get(file) === 'done') return;
    if (state.get(file) === 'open') {
      const circle = trail.slice(trail.indexOf(file));
      const key = [...circle].sort().join(' ');
      found.set(key, { file, reason: `files import each other: ${[...circle, file].join(' → ')}` });
      return;
    }
    state.set(file, 'open');
    for (const target of next.get(file) ?? []) visit(target, [...trail, file]);
    state.set(file, 'done');
  };
  for (const file of [...next.keys()].sort()) visit(file, []);
  return [...found.values()];
}

/** Core computes: no builtin module, no I/O package, no process, no network, no clock but the one it is given. */
export function coreInputOutput(sources: Sources): Violation[] {
  const violations: Violation[] = [];
  for (const [file, source] of sources) {
    if (roomOf(file) !== 'core') continue;
    for (const specifier of importsOf(source)) {
      if (specifier.startsWith('node:') || isBareBuiltin(specifier)) violations.push({ file, reason: `core may not use ${specifier}` });
      if (ioPackages.includes(packageOf(specifier) ?? '')) violations.push({ file, reason: `core may not use ${specifier}` });
    }
    const code = withoutComments(source);
    for (const [, name] of code.matchAll(/(?<![.\w$'"`])(process|fetch|XMLHttpRequest|WebSocket)\s*[.([]/g)) {
      violations.push({ file, reason: `core may not use ${name}` });
    }
  }
  return violations;
}

/** The rooms that must be free of the GPL import none of its packages, themselves or through files they import. */
export function gplReached(sources: Sources): Violation[] {
  const next = graphOf(sources);
  const violations: Violation[] = [];
  const starts = [...sources.keys()].filter((file) => gplFreeRooms.includes(roomOf(file) ?? ''));
  for (const file of reachableFrom(starts, next)) {
    for (const specifier of importsOf(sources.get(file) ?? '')) {
      const name = packageOf(specifier);
      if (name !== undefined && gplPackages.includes(name)) {
        violations.push({ file, reason: `${name} is GPL-3.0; contracts/ and verifier/ must not reach it` });
      }
    }
  }
  return violations;
}

/** Solidity under contracts/src imports neither tests nor files outside it; libraries come by their remapped names. */
export function contractArrows(sources: Sources): Violation[] {
  const violations: Violation[] = [];
  for (const [file, source] of sources) {
    if (!file.startsWith('contracts/src/') || !file.endsWith('.sol')) continue;
    for (const [, specifier = ''] of withoutComments(source).matchAll(/\bimport\b[^;]*?["']([^"'\n]+)["']\s*(?:;|as\b)/g)) {
      const target = targetOf(file, specifier);
      const inside = target === undefined ? /^(@openzeppelin\/contracts|solady)\//.test(specifier) : target.startsWith('contracts/src/');
      if (!inside) violations.push({ file, reason: `contracts/src may not import ${specifier}` });
    }
  }
  return violations;
}

/** Files of more than 400 lines; generated ones are exempt. */
export function longFiles(sources: Sources): Violation[] {
  return [...sources].flatMap(([file, source]) => {
    const lines = source.split('\n').length - (source.endsWith('\n') ? 1 : 0);
    if (lines <= lineLimit || file.includes('/generated/')) return [];
    return [{ file, reason: `${lines} lines; a file holds one idea, in at most ${lineLimit}` }];
  });
}

/** Drops comments and keeps everything else; quotes inside strings and templates are respected. */
export function withoutComments(source: string): string {
  const token = /("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`)|\/\/[^\n]*|\/\*[\s\S]*?\*\//g;
  return source.replace(token, (_, text: string | undefined) => text ?? ' ');
}

function isBareBuiltin(specifier: string): boolean {
  return /^(fs|net|http|https|http2|child_process|worker_threads|dns|tls|os|path|process|crypto|dgram|cluster|stream)(\/|$)/.test(
    specifier,
  );
}

function* edges(sources: Sources): Generator<readonly [file: string, specifier: string]> {
  for (const [file, source] of sources) {
    if (file.endsWith('.sol')) continue;
    for (const specifier of importsOf(source)) yield [file, specifier];
  }
}

/** Relative imports between the files given. */
function graphOf(sources: Sources): Map<string, string[]> {
  const graph = new Map<string, string[]>([...sources.keys()].map((file) => [file, []]));
  for (const [file, specifier] of edges(sources)) {
    const target = targetOf(file, specifier);
    if (target !== undefined && sources.has(target)) graph.get(file)?.push(target);
  }
  return graph;
}

function reachableFrom(starts: readonly string[], graph: ReadonlyMap<string, readonly string[]>): Set<string> {
  const reached = new Set(starts);
  for (const file of reached) for (const target of graph.get(file) ?? []) reached.add(target);
  return reached;
}
