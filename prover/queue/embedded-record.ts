import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { StateDirectory } from '../../runtime/state-directory.ts';
import { HIGHEST_PRIORITY, LARGEST_DATA, LONGEST_ID } from './port.ts';

/** A job as it lies on the disk, under its kind and id. */
const entrySchema = z.strictObject({
  kind: z.string(),
  id: z.string().min(1).max(LONGEST_ID),
  data: z.json(),
  priority: z.int().min(-HIGHEST_PRIORITY).max(HIGHEST_PRIORITY),
  /** Order of arrival; of death, once dead. */
  sequence: z
    .int()
    .min(0)
    .max(2 ** 52),
  limit: z.int().min(1),
  attempts: z.int().min(0),
  state: z.enum(['waiting', 'dead']),
  error: z.string().optional(),
});
export type Entry = z.output<typeof entrySchema>;

export function placeOf({ kind, id }: Pick<Entry, 'kind' | 'id'>): string[] {
  return ['job', kind, id];
}

/** All jobs on the disk; without an entry where it holds what no node writes. One that is damaged must not keep the others from work. */
export function* readEntries({ database }: Pick<StateDirectory, 'database'>): Generator<{ place: string[]; entry: Entry | undefined }> {
  // Keys first: a value that cannot be decoded would end the walk.
  const places = [...database.getKeys({ start: ['job', ''], end: ['job', '\u{10ffff}'] })];
  for (const place of places) yield { place, entry: entryAt(database, place) };
}

function entryAt(database: StateDirectory['database'], place: string[]): Entry | undefined {
  try {
    const entry = entrySchema.parse(database.get(place));
    const isItsPlace = place.length === 3 && place[1] === entry.kind && place[2] === entry.id;
    return isItsPlace && Buffer.byteLength(JSON.stringify(entry.data)) <= LARGEST_DATA ? entry : undefined;
  } catch {
    return undefined;
  }
}

/** Kind of a damaged job, as its place says; one that says none is shown as `unknown`. */
export function kindOf(place: readonly unknown[]): string {
  return typeof place[1] === 'string' ? place[1] : 'unknown';
}

/** How a damaged job is called: as its place says, or a name made of that. */
export function nameOf(place: readonly unknown[]): string {
  const id = place.length === 3 ? place[2] : undefined;
  if (typeof id === 'string' && id.length >= 1 && id.length <= LONGEST_ID) return id;
  return `unknown-${createHash('sha256').update(place.map(String).join('\0')).digest('hex').slice(0, 16)}`;
}
