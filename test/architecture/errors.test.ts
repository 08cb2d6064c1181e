import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

const root = path.join(import.meta.dirname, '../..');
const rooms = ['core', 'runtime', 'circuits', 'contracts/client', 'verifier', 'prover', 'challenger', 'cli'];
const CODE = /'([A-Z][A-Z0-9_]{3,})'/g;

/**
 * Every error code that a source can give: literals of a `code:` member, up to the end of its line or of the choice that
 * goes on below it, and of calls to a helper that takes the code as its first parameter (`function fail(code: string, …`).
 */
function codesIn(source: string): string[] {
  const helpers = [...source.matchAll(/function (\w+)(?:<[^>]*>)?\(\s*code: /g)].map((match) => match[1]!);
  const members = [...source.matchAll(/\bcode: ?((?:[^,;{}\n]|\n\s*[?:])*)/g)].map((match) => match[1]!);
  const calls = helpers.flatMap((name) =>
    [...source.matchAll(new RegExp(`\\b${name}\\(\\s*('[A-Z0-9_]+')`, 'g'))].map((match) => match[1]!),
  );
  return [...members, ...calls].flatMap((text) => [...text.matchAll(CODE)].map((match) => match[1]!));
}

function sourcesOf(folder: string): string[] {
  return readdirSync(path.join(root, folder)).flatMap((name) => {
    const file = `${folder}/${name}`;
    if (statSync(path.join(root, file)).isDirectory()) return name === 'generated' ? [] : sourcesOf(file);
    return name.endsWith('.ts') ? [file] : [];
  });
}

/** Codes of the tables in docs/errors.md: the first cell of each row. */
function documentedIn(page: string): string[] {
  return [...page.matchAll(/^\| `([A-Z0-9_]+)` \|/gm)].map((match) => match[1]!);
}

const sources = new Map(rooms.flatMap(sourcesOf).map((file) => [file, readFileSync(path.join(root, file), 'utf8')]));
// Speaks before any source can: its codes are the first argument of `end`.
const launcher = readFileSync(path.join(root, 'cli/assay.mjs'), 'utf8').replace(/\bend\(\s*'/g, "code: '");
sources.set('cli/assay.mjs', launcher);
const thrown = new Map<string, string>();
for (const [file, source] of sources) for (const code of codesIn(source)) if (!thrown.has(code)) thrown.set(code, file);
const page = readFileSync(path.join(root, 'docs/errors.md'), 'utf8');
const documented = documentedIn(page);

describe('docs/errors.md', () => {
  it('explains every code that a source can give', () => {
    expect([...thrown].filter(([code]) => !documented.includes(code)).map(([code, file]) => `${code} (${file})`)).toEqual([]);
  });

  it('explains no code that no source gives, and none twice', () => {
    expect(documented.filter((code) => !thrown.has(code))).toEqual([]);
    expect(documented.length).toBe(new Set(documented).size);
  });

  it('says for each code what it means and what to do', () => {
    const rows = page.split('\n').filter((line) => line.startsWith('| `'));
    for (const row of rows) {
      const cells = row
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim());
      expect(cells, row).toHaveLength(3);
      expect(
        cells.every((cell) => cell.length > 0),
        row,
      ).toBe(true);
    }
  });

  it('marks as verdicts exactly the codes that end with exit code 1', () => {
    const exit = sources.get('cli/exit.ts') ?? '';
    const list = /VERDICTS[^[]*\[([^\]]*)\]/.exec(exit)?.[1] ?? '';
    const verdicts = [...list.matchAll(CODE)].map((match) => match[1]!);
    expect(verdicts.length).toBeGreaterThan(0);
    const section = /## Verdicts\n([\s\S]*?)(?=\n## )/.exec(page)?.[1] ?? '';
    expect(documentedIn(section).sort()).toEqual(verdicts.sort());
  });
});

describe('the reader of codes', () => {
  it.each([
    ["throw new AssayError('a', { code: 'BAD_THING', facts: {} })", ['BAD_THING']],
    ["{ code: 'ONE', fix: 'TWO' }", []],
    ["{ code: ready ? 'IS_READY' : 'NOT_READY', facts }", ['IS_READY', 'NOT_READY']],
    ["{\n  code: unreachable\n    ? 'IS_GONE'\n    : 'IS_THERE',\n  fix: 'FIXED'\n}", ['IS_GONE', 'IS_THERE']],
    ["function fail(code: string, why: string): never {}\nfail('FAILED_SO', 'SAY_IT');\nother('NOT_ONE')", ['FAILED_SO']],
    ["function fail<T>(\n  code: string,\n) {}\nfail(\n  'FAILED_SO',\n)", ['FAILED_SO']],
    ["if (error.code === 'ENOENT') return;", []],
  ])('%j', (source, codes) => expect(codesIn(source)).toEqual(codes));
});
