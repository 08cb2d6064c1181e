import { readFileSync, writeFileSync } from 'node:fs';

/** Replaces rows of a table in a Markdown page by their first cell, and appends new ones. The table stands between `<!-- NAME -->` and `<!-- end -->`. */
export function updateTable(
  file: string,
  name: string,
  headings: readonly (readonly string[])[],
  rows: readonly (readonly string[])[],
): void {
  const text = readFileSync(file, 'utf8');
  const from = text.indexOf(`<!-- ${name} -->`);
  const to = text.indexOf('<!-- end -->', from);
  if (from < 0 || to < 0) throw new Error(`${file} has no table between <!-- ${name} --> and <!-- end -->`);
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const firstCell = (row: string): string => row.split('|')[1]!.trim();
  const known = text
    .slice(from, to)
    .split('\n')
    .slice(1)
    .filter((row) => row.startsWith('|'))
    .slice(headings.length);
  const fresh = new Map(rows.map((cells) => [cells[0]!, line(cells)]));
  const kept = known.map((row) => {
    const renewed = fresh.get(firstCell(row)) ?? row;
    fresh.delete(firstCell(row));
    return renewed;
  });
  const table = [`<!-- ${name} -->`, ...headings.map(line), ...kept, ...fresh.values(), ''].join('\n');
  writeFileSync(file, text.slice(0, from) + table + text.slice(to));
}
