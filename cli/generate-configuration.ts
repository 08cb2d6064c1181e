/**
 * `npm run config:generate`: writes deploy/*.schema.json, and the tables of members in docs/operating.md, from the schemas that node and
 * challenger read their configurations with. `--check` writes nothing and fails when they are not what would be written.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { z } from 'zod';
import { challengerConfigSchema } from '../challenger/config.ts';
import { nodeConfigSchema } from '../prover/configuration/config.ts';
import { CHALLENGER_PREFIX, memberAt, NODE_PREFIX, variablesOf } from '../runtime/configuration-environment.ts';

type Schema = z.core.JSONSchema.BaseSchema;

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const PAGE = path.join(root, 'docs/operating.md');

/** Whose configuration: what its table and its variables are called by. */
const PROCESSES = [
  { name: 'node', schema: nodeConfigSchema, prefix: NODE_PREFIX },
  { name: 'challenger', schema: challengerConfigSchema, prefix: CHALLENGER_PREFIX },
] as const;

/** The files as they should be. */
export function generated(): readonly { readonly file: string; readonly text: string }[] {
  let page = readFileSync(PAGE, 'utf8');
  const files = PROCESSES.map(({ name, schema, prefix }) => {
    const json = { ...z.toJSONSchema(schema, { io: 'input' }), title: `Configuration of \`assay ${name}\`` };
    page = withTable(page, name, memberTable(json, prefix));
    return { file: path.join(root, `deploy/${name}.schema.json`), text: `${JSON.stringify(json, null, 2)}\n` };
  });
  return [...files, { file: PAGE, text: page }];
}

/** A page with its table replaced. @throws Error when the page has no place for it */
function withTable(page: string, name: string, table: string): string {
  const opening = `<!-- ${name} members: written by \`npm run config:generate\` -->`;
  const closing = `<!-- end of ${name} members -->`;
  const [begin, end] = [page.indexOf(opening), page.indexOf(closing)];
  if (begin < 0 || end < begin) throw new Error(`docs/operating.md must hold the lines "${opening}" and "${closing}"`);
  return `${page.slice(0, begin + opening.length)}\n\n${table}\n\n${page.slice(end)}`;
}

function memberTable(schema: Schema, prefix: string): string {
  const variables = variablesOf(schema, prefix);
  const rows = Object.keys(schema.properties ?? {})
    .filter((name) => name !== '$schema')
    .flatMap((name) => [[name], ...Object.keys(memberAt(schema, [name])?.properties ?? {}).map((inner) => [name, inner])])
    .map((at) => {
      const member = memberAt(schema, at);
      const names = variables.filter((known) => known.path.join('.') === at.join('.')).map(({ variable }) => `\`${variable}\``);
      const fallback = member?.default === undefined ? '–' : `\`${JSON.stringify(member.default)}\``;
      return `| \`${at.join('.')}\` | ${fallback} | ${names.join(', ')} | ${member?.description ?? ''}${limits(member)} |`;
    });
  return ['| member | default | variable | |', '|---|---|---|---|', ...rows].join('\n');
}

function limits(member: Schema | undefined): string {
  const { minimum, maximum } = member ?? {};
  if (member?.enum !== undefined) return ` (${member.enum.map((value) => `\`${String(value)}\``).join(' ')})`;
  return minimum === undefined || maximum === undefined ? '' : ` (${minimum}–${maximum.toLocaleString('en-US')})`;
}

function main(): void {
  const stale = generated().filter(({ file, text }) => !isFresh(file, text));
  if (process.argv.includes('--check')) {
    for (const { file } of stale) console.error(`${path.relative(root, file)} is stale: npm run config:generate`);
    process.exitCode = stale.length > 0 ? 1 : 0;
  } else for (const { file, text } of stale) writeFileSync(file, text);
}

function isFresh(file: string, text: string): boolean {
  try {
    return readFileSync(file, 'utf8') === text;
  } catch {
    return false;
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) main();
