import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import {
  contractArrows,
  coreInputOutput,
  cycles,
  forbiddenArrows,
  gplPackages,
  gplReached,
  importsOf,
  longFiles,
  rooms,
  type Sources,
  targetOf,
  type Violation,
} from './rules.ts';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');

/** Files of the repository below some folders, by extension. */
function read(folders: readonly string[], extensions: readonly string[]): Sources {
  const sources = new Map<string, string>();
  for (const folder of folders.filter((name) => existsSync(path.join(root, name)))) {
    for (const entry of readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })) {
      const file = path.posix.join(folder, entry.split(path.sep).join('/'));
      if (extensions.some((extension) => file.endsWith(extension))) sources.set(file, readFileSync(path.join(root, file), 'utf8'));
    }
  }
  return sources;
}

function lines(violations: readonly Violation[]): string[] {
  return violations.map(({ file, reason }) => `${file}: ${reason}`);
}

describe('the house as it stands', () => {
  const typescript = read(rooms, ['.ts', '.mjs']);
  const solidity = read(['contracts/src', 'contracts/test'], ['.sol']);

  it('is read at all', () => {
    expect(typescript.has('core/errors.ts')).toBe(true);
    expect(typescript.has('runtime/anvil.ts')).toBe(true);
    expect(importsOf(typescript.get('runtime/anvil.ts') ?? '')).toContain('../core/errors.ts');
  });

  it('imports in one direction', () => expect(lines(forbiddenArrows(typescript))).toEqual([]));
  it('has no cycle between files', () => expect(lines(cycles(typescript))).toEqual([]));
  it('keeps input and output out of core', () => expect(lines(coreInputOutput(typescript))).toEqual([]));
  it('keeps the GPL out of contracts and verifier', () => expect(lines(gplReached(typescript))).toEqual([]));
  it('keeps tests out of the contracts', () => expect(lines(contractArrows(solidity))).toEqual([]));
  it('has no file too long to read', () => expect(lines(longFiles(new Map([...typescript, ...solidity])))).toEqual([]));

  it('imports only files that are there', () => {
    const missing = [...typescript].flatMap(([file, source]) =>
      // Test sources quote imports of files that do not exist, as in this one.
      file.startsWith('test/architecture/')
        ? []
        : importsOf(source)
            .map((specifier) => targetOf(file, specifier))
            .filter((target) => target !== undefined && !existsSync(path.join(root, target)))
            .map((target) => `${file}: ${target}`),
    );
    expect(missing).toEqual([]);
  });

  it('names every installed GPL package', () => {
    const manifests = [...gplPackages, 'viem'].map((name) => path.join(root, 'node_modules', name, 'package.json'));
    const licenses = manifests.map((file) => (JSON.parse(readFileSync(file, 'utf8')) as { license: string }).license);
    expect(licenses).toEqual([...gplPackages.map(() => 'GPL-3.0'), 'MIT']);
    const lock = JSON.parse(readFileSync(path.join(root, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, { license?: string }>;
    };
    const installed = Object.entries(lock.packages).filter(([, { license }]) => license?.includes('GPL'));
    const names = new Set(installed.map(([place]) => place.slice(place.lastIndexOf('node_modules/') + 'node_modules/'.length)));
    expect([...names].sort()).toEqual([...gplPackages].sort());
  });
});

describe('the rules reject', () => {
  const sources = (files: Record<string, string>): Sources => new Map(Object.entries(files));
  const files = (violations: readonly Violation[]): string[] => violations.map(({ file }) => file);

  it.each([
    ['core', '../runtime/store.ts'],
    ['core', '../contracts/client/board.ts'],
    ['runtime', '../circuits/gadget.ts'],
    ['circuits', '../verifier/verify.ts'],
    ['contracts/client', '../../runtime/store.ts'],
    ['verifier', '../runtime/store.ts'],
    ['verifier', '../circuits/gadget.ts'],
    ['prover', '../challenger/watch.ts'],
    ['challenger', '../prover/node.ts'],
    ['challenger', '../circuits/gadget.ts'],
    ['prover', '../cli/main.ts'],
    ['cli', '../bench/main.ts'],
    ['cli', '../test/support/port.ts'],
    ['verifier', '../contracts/out/Board.sol/Board.json'],
    ['core', '../../elsewhere/secret.ts'],
    ['test', '../../elsewhere/secret.ts'],
  ])('an import from %s to %s', (room, specifier) => {
    for (const form of [
      `import { a } from '${specifier}';`,
      `import type { A } from '${specifier}';`,
      `import {\n  a,\n  b as c,\n} from "${specifier}";`,
      `import * as all from '${specifier}';`,
      `import a, { b } from '${specifier}';`,
      `import '${specifier}';`,
      `export { a } from '${specifier}';`,
      `export * from '${specifier}';`,
      `const a = await import('${specifier}');`,
      `type A = import('${specifier}').A;`,
    ]) {
      expect(files(forbiddenArrows(sources({ [`${room}/file.ts`]: form }))), form).toEqual([`${room}/file.ts`]);
    }
  });

  it.each([
    ['runtime', '../core/errors.ts'],
    ['core', './ops/linear.ts'],
    ['contracts/client', '../../core/errors.ts'],
    ['verifier', '../contracts/client/board.ts'],
    ['prover', '../circuits/gadget.ts'],
    ['challenger', '../verifier/verify.ts'],
    ['cli', '../challenger/watch.ts'],
    ['test', '../package.json'],
    ['verifier', 'viem'],
  ])('but not an import from %s to %s', (room, specifier) => {
    expect(forbiddenArrows(sources({ [`${room}/file.ts`]: `import { a } from '${specifier}';` }))).toEqual([]);
  });

  it('but not an import in a comment', () => {
    const text =
      "/**\n * Example:\n import { a } from '../prover/a.ts';\n */\n// import '../prover/a.ts'\nexport const url = 'http://a/b';";
    expect(importsOf(text)).toEqual([]);
  });

  it('a cycle of two, of three, of types, and of one', () => {
    const circle = sources({
      'core/a.ts': "import './b.ts';",
      'core/b.ts': "import type { C } from './c.ts';",
      'core/c.ts': "export * from './a.ts';",
      'core/d.ts': "import './e.ts'; ",
      'core/e.ts': "import './d.ts';\nimport './a.ts';",
      'core/f.ts': "import './f.ts';",
      'core/g.ts': "import './a.ts';",
    });
    expect(files(cycles(circle))).toEqual(['core/a.ts', 'core/d.ts', 'core/f.ts']);
    expect(
      cycles(sources({ 'core/a.ts': "import './b.ts';\nimport './c.ts';", 'core/b.ts': "import './c.ts';", 'core/c.ts': '' })),
    ).toEqual([]);
  });

  it.each([
    "import { readFileSync } from 'node:fs';",
    "import net from 'node:net';",
    "import http from 'node:http';",
    "import { spawn } from 'child_process';",
    "import { open } from 'fs/promises';",
    "import { createPublicClient } from 'viem';",
    "const { readFile } = await import('node:fs/promises');",
    'export const debug = process.env.DEBUG;',
    "export const page = await fetch('http://a');",
    // Neither a comment's end nor the look of a comment inside a string hides what follows.
    "/* a */ export const home = 'http://' + process.cwd(); // fetch('b')",
  ])('input or output in core: %s', (text) => {
    expect(files(coreInputOutput(sources({ 'core/file.ts': text })))).toEqual(['core/file.ts']);
    expect(coreInputOutput(sources({ 'runtime/file.ts': text }))).toEqual([]);
  });

  it('but not words that only look like it', () => {
    const text = '// process.env\nexport const a = queue.process(1) + this.fetch(2) + reprocess.b;';
    expect(coreInputOutput(sources({ 'core/file.ts': text }))).toEqual([]);
  });

  it('the GPL in a verifier, straight or through a file it imports', () => {
    expect(files(gplReached(sources({ 'verifier/a.ts': "import * as snarkjs from 'snarkjs';" })))).toEqual(['verifier/a.ts']);
    expect(files(gplReached(sources({ 'contracts/client/a.ts': "import type { F } from '@iden3/binfileutils/src/a.js';" })))).toEqual([
      'contracts/client/a.ts',
    ]);
    const chain = { 'verifier/a.ts': "import '../core/b.ts';", 'core/b.ts': "import './c.ts';", 'core/c.ts': "import 'ffjavascript';" };
    expect(files(gplReached(sources(chain)))).toEqual(['core/c.ts']);
    expect(gplReached(sources({ 'circuits/a.ts': "import 'snarkjs';", 'verifier/a.ts': "import 'viem';" }))).toEqual([]);
  });

  it('a contract that imports a test, or a library by another name', () => {
    const contract = (text: string): Sources => sources({ 'contracts/src/dispute/Board.sol': text });
    expect(contractArrows(contract('import {Base} from "../../test/Base.sol";'))).toHaveLength(1);
    expect(contractArrows(contract('import "../../../node_modules/solady/src/a.sol";'))).toHaveLength(1);
    expect(contractArrows(contract('import {A} from "forge-std/A.sol";'))).toHaveLength(1);
    expect(contractArrows(contract('import * as A from "../../test/A.sol";\nimport "../../test/B.sol" as B;'))).toHaveLength(2);
    expect(
      contractArrows(contract('import {A} from "../Tree.sol";\nimport {B} from "solady/utils/B.sol";\n// import "forge-std/A.sol";')),
    ).toEqual([]);
  });

  it('a file of 401 lines, not one of 400', () => {
    expect(longFiles(sources({ 'core/a.ts': 'x\n'.repeat(400), 'contracts/src/A.sol': 'x\n'.repeat(401) }))).toEqual([
      { file: 'contracts/src/A.sol', reason: '401 lines; a file holds one idea, in at most 400' },
    ]);
    expect(longFiles(sources({ 'contracts/client/generated/abi.ts': 'x\n'.repeat(5_000) }))).toEqual([]);
  });
});
