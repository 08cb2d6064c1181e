import { z } from 'zod';
import { receiptSchema, signedReceiptSchema } from '../../verifier/receipt.ts';

/** What the node remembers of answers given over HTTP; see documents.ts for the rest. */

const digits = z.string().regex(/^[0-9]{1,78}$/);
const seconds = z.int().min(0);
/** `key:<id>` of the customer whose it is; null where anybody who knows the name may have it. */
const owner = z.string().nullable();

export const receiptDocument = z.object({
  receipt: receiptSchema,
  domain: signedReceiptSchema.shape.domain,
  signature: signedReceiptSchema.shape.signature,
  /** Output bytes. */
  output: z.string(),
  owner,
});
export type ReceiptDocument = z.output<typeof receiptDocument>;

/** A proof asked for over HTTP; the proof document of the same id says how far it is. */
export const jobDocument = z.object({
  owner,
  createdAt: seconds,
  /** Input bytes that are public signals; null where the proof sees their commitment. */
  publicInput: z.string().nullable(),
});
export type JobDocument = z.output<typeof jobDocument>;

/** What a customer's key stands for: the question, and the one answer it got. */
export const idempotencyDocument = z.object({
  /** SHA-256 of the question. */
  question: z.string(),
  /** Id of the receipt or of the job. */
  answer: z.string(),
  /** Unix seconds of the machine; 0 in those of earlier versions, which are kept. */
  createdAt: seconds.default(0),
});
export type IdempotencyDocument = z.output<typeof idempotencyDocument>;

/**
 * What a coverage channel has given. Kept for ever, also when the channel is closed or a reorganisation takes it back: the number of a
 * channel may come again, its nonces must not.
 */
export const coverageDocument = z.object({
  /** Last nonce given. */
  nonce: digits,
  /** Coverage of receipts that may not have expired, summed by expiry. */
  drawn: z.array(z.object({ expiry: seconds, coverage: digits })),
});
export type CoverageDocument = z.output<typeof coverageDocument>;

export const HTTP_COLLECTION = {
  jobs: 'jobs',
  /** Jobs that have not ended: what the queue must hold work for. */
  jobsOpen: 'jobs-open',
  /** `<ordered second of the deadline>/<id>`. */
  jobsByTime: 'jobs-by-time',
  idempotency: 'idempotency',
  /** `<ordered second>/<id>`: records by the time at which they were made; written first, so some lead nowhere. */
  idempotencyByTime: 'idempotency-by-time',
  coverage: 'channel-coverage',
} as const;
