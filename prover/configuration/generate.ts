/**
 * `npm run config:generate`: writes deploy/node.schema.json, and the table of members in docs/operating.md, from the schema that a node
 * reads its configuration with. `--check` writes nothing and fails when they are not what would be written.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { z } from 'zod';
import { memberAt, variablesOf } from '../../runtime/configuration-environment.ts';
import { nodeConfigSchema } from './config.ts';

type Schema = z.core.JSONSchema.BaseSchema;

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const BEGIN = '<!-- node members: written by `npm run config:generate` -->';
const END = '<!-- end of node members -->';

function nodeSchema(): Schema {
  return z.toJSONSchema(nodeConfigSchema, { io: 'input' });
}

/** The files as they should be. */
export function generated(): readonly { readonly file: string; readonly text: string }[] {
  const schema = { ...nodeSchema(), title: 'Configuration of `assay node`' };
  const page = path.join(root, 'docs/operating.md');
  return [
    { file: path.join(root, 'deploy/node.schema.json'), text: `${JSON.stringify(schema, null, 2)}\n` },
    { file: page, text: withTable(readFileSync(page, 'utf8'), memberTable(schema)) },
  ];
}

/** A page with its table replaced. @throws Error when the page has no place for it */
function withTable(page: string, table: string): string {
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`docs/operating.md must hold the lines "${BEGIN}" and "${END}"`);
  return `${page.slice(0, begin + BEGIN.length)}\n\n${table}\n\n${page.slice(end)}`;
}

function memberTable(schema: Schema): string {
  const variables = variablesOf(schema);
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
