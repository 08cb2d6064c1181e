import { createHash } from 'node:crypto';
import { z } from 'zod';
import { ATTEMPTS, type DeadJob, damaged, HIGHEST_PRIORITY, LARGEST_DATA, LONGEST_ID } from './port.ts';

/** What lies in a job's data: anybody who reaches the Redis can write it. */
const envelopeSchema = z.strictObject({ id: z.string().min(1).max(LONGEST_ID), data: z.json() });
export type Envelope = z.output<typeof envelopeSchema>;

/** BullMQ's own priorities: the lowest number first, 1 at least. */
export const redisPriority = (priority: number): number => HIGHEST_PRIORITY - priority + 1;
export const portPriority = (priority: number): number => HIGHEST_PRIORITY + 1 - priority;
/** BullMQ refuses colons and whole numbers as ids. */
export const redisId = (id: string): string => `id-${encodeURIComponent(id)}`;

/** The members of BullMQ's hash that say what a dead letter was. */
export const LETTER_FIELDS = ['data', 'failedReason', 'atm', 'priority', 'opts'] as const;
/** BullMQ writes priorities up to 2^21; ours end before. */
const priorityText = z.coerce.number().pipe(z.int().min(1).max(redisPriority(-HIGHEST_PRIORITY)));
const attemptsText = z.coerce.number().pipe(z.int().min(0));
const limitSchema = z.looseObject({ attempts: z.int().min(1) });

export function envelopeOf(id: unknown, data: unknown): Envelope | undefined {
  try {
    const parsed = envelopeSchema.safeParse(data);
    if (!parsed.success || id !== redisId(parsed.data.id)) return undefined;
    return Buffer.byteLength(JSON.stringify(parsed.data.data)) <= LARGEST_DATA ? parsed.data : undefined;
  } catch {
    // Nested so deep that reading it ends the stack.
    return undefined;
  }
}

/** A dead letter as its hash says it, member by member as in LETTER_FIELDS; undefined members are missing. */
export function letterOf(kind: string, member: string, fields: readonly (string | null)[] | undefined): DeadJob {
  const [data, reason, attempts, priority] = fields ?? [];
  const envelope = envelopeOf(member, parsed(data));
  if (envelope === undefined) return damaged(kind, nameOf(member), reason ?? '');
  return {
    ...{ id: envelope.id, kind, data: envelope.data, isDamaged: false, error: reason ?? '' },
    priority: portPriority(priorityText.safeParse(priority).data ?? redisPriority(0)),
    attempts: attemptsText.safeParse(attempts ?? 0).data ?? 0,
  };
}

/** What is written over the members that BullMQ acts upon before a letter is put back to work: nothing in them is believed. */
export function freshFields(letter: DeadJob, opts: string | null | undefined): Readonly<Record<string, string | number>> {
  const priority = redisPriority(letter.priority);
  const limit = limitSchema.safeParse(parsed(opts)).data?.attempts ?? ATTEMPTS;
  return { name: letter.kind, opts: JSON.stringify(optionsOf(priority, limit)), priority, progress: '0', stacktrace: '[]', delay: 0 };
}

/** BullMQ's options of a job of ours. */
export function optionsOf(priority: number, attempts: number) {
  return { priority, attempts, backoff: { type: 'custom' }, removeOnComplete: true, removeOnFail: false, stackTraceLimit: 1 };
}

/** Members that BullMQ would follow elsewhere, and no job of ours has. */
export const FOREIGN_FIELDS = ['parent', 'parentKey', 'rjk', 'nrjid', 'deid', 'defa'];

/** How a dead letter is called whose data do not say it: as its place says, or a name made of that. */
export function nameOf(member: string): string {
  if (member.startsWith('id-')) {
    const id = decoded(member.slice(3));
    if (id !== undefined && id.length <= LONGEST_ID && redisId(id) === member) return id;
  }
  return `unknown-${createHash('sha256').update(member).digest('hex').slice(0, 16)}`;
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function parsed(text: string | null | undefined): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch {
    return undefined;
  }
}
