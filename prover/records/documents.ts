import { z } from 'zod';
import { UNIT_KINDS, type Unit, unitKey } from '../../core/dispute/units.ts';
import { AssayError } from '../../core/errors.ts';
import { FAULT_KINDS, type Fault } from '../models/fault.ts';
import type { Store } from '../store/port.ts';

/**
 * What the node remembers; JSON only, integers beyond 2^53 as decimal text. What is read back is checked: a store may be shared with
 * other machines. Nothing that runs with every block or every upload lists history: small collections point at what is active.
 */

const word = z.string().regex(/^0x[0-9a-f]{64}$/);
const digits = z.string().regex(/^[0-9]{1,78}$/);
const bytes = z.string().regex(/^0x([0-9a-f]{2})*$/);
const seconds = z.int().min(0);

/** `waiting`: bytes of the input are not in hand, or it cannot be taken yet, for the reason. `queued`: work. `answered`: ours on chain. `passed`: not ours, with the reason. */
export const requestSchema = z.object({
  requestId: digits,
  modelId: word,
  /** 0 proved, 1 optimistic. */
  tier: z.int().min(0).max(1),
  /** Input root, or commitment for a proved model of input form 2; name of the bytes. */
  input: word,
  fee: digits,
  coverage: digits,
  callbackGas: z.int().min(0),
  earlyDelivery: z.boolean().default(false),
  /** Seconds of the chain's time. */
  deadline: seconds,
  /** Where the requester says that the input bytes are; a hint. */
  inputUri: z.string().max(2_048).optional(),
  state: z.enum(['waiting', 'queued', 'answered', 'passed']),
  reason: z.string().optional(),
});
export type RequestDocument = z.output<typeof requestSchema>;

/** What of a request decides whether it can be taken by now. */
export const postponedSchema = requestSchema.pick({ tier: true, fee: true, coverage: true, callbackGas: true, deadline: true });
export type PostponedDocument = z.output<typeof postponedSchema>;

const faultSchema = z.object({
  kind: z.enum(FAULT_KINDS),
  position: z.int().min(0),
  element: z.int().min(0),
  honest: z.number(),
  altered: z.number(),
});

/** A claim of ours, on a request or by a receipt that its customer opened. Kept, with its input, until its lock is released. */
export const claimSchema = z.object({
  /** Decimal number of the request, or 0x-digest of the receipt. */
  claimId: z.union([digits, word]),
  modelId: word,
  input: word,
  /** Output bytes; 0x for a receipt, of which the chain holds the root alone. */
  output: bytes,
  fault: faultSchema.nullable(),
  /** `prepared`: not seen on chain. `void`: was prepared, and another answered or its time is over. */
  state: z.enum(['prepared', 'open', 'final', 'faulted', 'void']),
  /** Unix seconds of the claim; 0 until it is on chain. */
  claimedAt: seconds,
  /** Key in `claims-open` while the claim is open. */
  due: z.string().optional(),
  /** Unix seconds of the chain at which it was over. */
  endedAt: seconds.optional(),
});
export type ClaimDocument = z.output<typeof claimSchema>;

/** A demand on one of our claims that waits for its answer. */
export const demandSchema = z.object({
  claimId: z.union([digits, word]),
  unit: z.object({
    kind: z.enum(UNIT_KINDS),
    position: seconds,
    height: seconds,
    index: seconds,
    elementType: seconds,
    length: seconds,
  }),
  /** Unix seconds. */
  deadline: seconds,
});
export type DemandDocument = z.output<typeof demandSchema>;

/** A proof to make, for a request (`request-<ordered id>`) or for a job of the HTTP service. */
export const proofSchema = z.object({
  id: z.string().regex(/^[A-Za-z0-9_-]{1,80}$/),
  modelId: word,
  /** Name of the input bytes. */
  input: word,
  /** First public signal. */
  context: digits,
  /** Unix seconds: of the chain for a request, of the machine for a job of the HTTP service. Nothing is begun or goes on after it. */
  deadline: seconds,
  state: z.enum(['queued', 'running', 'done', 'failed']),
  /** 0 to 1. */
  progress: z.number().min(0).max(1),
  key: bytes.optional(),
  proof: bytes.optional(),
  output: bytes.optional(),
  error: z.object({ code: z.string(), message: z.string() }).optional(),
  /** The request it answers; null for a job of the HTTP service. */
  requestId: digits.nullable(),
  /** Unix seconds of the machine. */
  createdAt: seconds,
});
export type ProofDocument = z.output<typeof proofSchema>;

/** A coverage channel of ours as the chain role last saw it; gone when it is closed. */
export const channelSchema = z.object({
  channel: word,
  /** Lower case. */
  customer: z.string().regex(/^0x[0-9a-f]{40}$/),
  /** Wei that answer for the channel's receipts, those of open claims included. */
  lock: digits,
  /** Wei of the lock that open claims hold. */
  disputed: digits,
  /** Unix seconds; no receipt opens later. */
  expiry: seconds,
});
export type ChannelDocument = z.output<typeof channelSchema>;

/** Collections of the store. */
export const COLLECTION = {
  requests: 'requests',
  /** `<input>/<ordered id>`: requests whose input is not in hand. */
  requestsWaiting: 'requests-waiting',
  /** `<ordered id>`: requests that cannot be taken before stake comes free or gas is cheaper. */
  requestsPostponed: 'requests-postponed',
  /** By event: requests that could not be handled for an hour, and where their events are (prover/chain/late-requests.ts). */
  requestsLate: 'requests-late',
  /** `<ordered id>`: requests that are work, for which the queue must hold a job, and answered ones until the chain's event tells so too. */
  requestsQueued: 'requests-queued',
  /** `<ordered second>/<claim key>`: requests and claims on chain, by the time at which they may be over (prover/records/history.ts). */
  requestsByTime: 'requests-by-time',
  /** By name: until when input bytes are kept (prover/records/holds.ts). */
  inputHolds: 'input-holds',
  /** `<ordered second>/<name>`: input bytes by the time at which nothing needs them any more. */
  inputsDue: 'inputs-due',
  claims: 'claims',
  /** `<ordered second>/<claim key>`: claims on chain, by the time at which they may be final. */
  claimsOpen: 'claims-open',
  /** `<ordered second>/<claim key>`: requests and claims that ended lately (prover/chain/ends.ts). */
  ended: 'ended',
  demands: 'demands',
  /** Demands that were answered lately. */
  demandsAnswered: 'demands-answered',
  proofs: 'proofs',
  receipts: 'receipts',
  /** By digest: lies of receipts, on development chains; so that their traces can be told again. */
  receiptFaults: 'receipt-faults',
  /** Coverage channels that are open. */
  channels: 'channels',
  /** `<customer>/<channel>`. */
  channelsOf: 'channels-of',
  cursor: 'cursor',
} as const;

/** What a collection points at: the id in the collection that holds the document. */
export const pointerSchema = z.object({ id: z.string() });
export type Pointer = z.output<typeof pointerSchema>;

/** Numbers sort as text when padded to one width; a digest is its own name. */
export function orderedId(id: string | bigint): string {
  const text = id.toString();
  return text.startsWith('0x') ? text.toLowerCase() : text.padStart(20, '0');
}

/** A unit's one spelling, below its claim. */
export function demandKey(claimId: string, unit: Unit): string {
  return `${orderedId(claimId)}/${unitKey(unit)}`;
}

export function waitingKey(request: Pick<RequestDocument, 'input' | 'requestId'>): string {
  return `${request.input}/${orderedId(request.requestId)}`;
}

/** Key of a claim that may be final from a second on. */
export function dueKey(second: number, claimId: string): string {
  return `${orderedId(String(second))}/${orderedId(claimId)}`;
}

export function proofId(requestId: string): string {
  return `request-${orderedId(requestId)}`;
}

/**
 * A document of the store, checked.
 * @throws AssayError DOCUMENT_INVALID
 */
export async function load<Schema extends z.ZodType>(
  store: Store,
  schema: Schema,
  collection: string,
  id: string,
): Promise<z.output<Schema> | undefined> {
  const found = await store.get<unknown>(collection, id);
  return found === undefined ? undefined : checked(schema, collection, id, found);
}

/** @throws AssayError DOCUMENT_INVALID */
export function checked<Schema extends z.ZodType>(schema: Schema, collection: string, id: string, document: unknown): z.output<Schema> {
  const parsed = schema.safeParse(document);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new AssayError('A document of the store does not have the form that this version writes', {
    code: 'DOCUMENT_INVALID',
    facts: { collection, id, at: issue?.path.join('.') ?? '', problem: issue?.message ?? '' },
    fix: 'find out who else writes to this store; restore it from a backup where it was damaged',
  });
}

const PAGE = 256;

/** Documents whose id begins with a prefix, page by page, in order; one may be removed while it is handled. */
export async function* below<Document>(store: Store, collection: string, prefix: string): AsyncGenerator<[id: string, Document]> {
  let after = prefix;
  for (;;) {
    const page = await store.list<Document>(collection, { after, limit: PAGE });
    for (const [id, document] of page) {
      if (!id.startsWith(prefix)) return;
      yield [id, document];
    }
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return;
    after = last[0];
  }
}

/** The lie that a receipt of this digest tells, if any. */
export async function receiptFault(store: Store, digest: string): Promise<Fault | null> {
  return (await load(store, faultSchema, COLLECTION.receiptFaults, digest)) ?? null;
}

const CLOCK = 'clock';

/** Notes the newest block's time, for workers that see no chain. Unix seconds. */
export function noteChainTime(store: Store, timestamp: number): Promise<void> {
  return store.put(COLLECTION.cursor, CLOCK, timestamp);
}

/** The newest block's time as the chain role last saw it; 0 before it saw any. */
export async function chainTime(store: Store): Promise<number> {
  return (await load(store, seconds, COLLECTION.cursor, CLOCK)) ?? 0;
}
