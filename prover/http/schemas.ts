import { z } from 'zod';
import { receiptSchema, signedReceiptSchema } from '../../verifier/receipt.ts';

/**
 * Everything that crosses the HTTP service, said once: requests are parsed by these schemas, /openapi.json is made of them, and the
 * tests hold answers to them.
 */

const word = z.string().regex(/^0x[0-9a-f]{64}$/, 'must be 0x and 64 lower-case hex digits');
const hex = z.string().regex(/^0x([0-9a-f]{2})*$/);
const wei = z.string().regex(/^(0|[1-9][0-9]{0,28})$/, 'must be wei in decimal digits');
const seconds = z.int().min(0);
/** A number in a path or query. */
const numeral = (low: number, high: number) =>
  z
    .string()
    .regex(/^(0|[1-9][0-9]{0,9})$/, 'must be a number')
    // Text it is on the wire alone: what reads the document is told which numbers are meant.
    .meta({ type: 'integer', minimum: low, maximum: high, pattern: undefined })
    .transform(Number)
    .pipe(z.int().min(low).max(high));
const index = numeral(0, 0xffffffff);

export const TIERS = ['optimistic', 'zk'] as const;

export const modelParams = z.object({ modelId: word.describe('registered id of the model') });
export const inputParams = z.object({ hash: word.describe('input root, or commitment') });
export const receiptParams = z.object({ id: word });
export const jobParams = z.object({ id: z.string().regex(/^job-[0-9a-f]{32}$/) });
/** A request's number, or a receipt's digest once its customer opened it. */
export const claimId = z.union([z.string().regex(/^(0|[1-9][0-9]{0,76})$/), word]);
export const claimParams = z.object({ claimId });
export const unitParams = z.object({
  claimId,
  tensor: index.describe('position of the tensor in the program'),
  height: index.describe('0: a leaf of 512 bytes; above: the 32-byte children of a node'),
  index,
});

const inferOptions = {
  tier: z.enum(TIERS).default('optimistic').describe('zk answers 202 with a job'),
  channel: word.optional().describe('coverage channel of the caller that the receipt draws on; without it the receipt is unsecured'),
  coverage: wei
    .optional()
    .describe("wei of the channel's lock that answer for the receipt; the least that makes it worth challenging unless told"),
};
const PROOF_SECONDS = { least: 1, most: 86_400, usual: 3_600 } as const;
const TIME = 'zk: time for the proof; it is given up after that';

/** For a body of bytes; with a JSON body everything is in there. */
export const inferQuery = z.strictObject({
  modelId: word.optional().describe('registered id of the model; where the body is bytes'),
  ...inferOptions,
  seconds: numeral(PROOF_SECONDS.least, PROOF_SECONDS.most).optional().describe(TIME),
});

const MOST_INPUTS = 64;
const MOST_VALUES = 1 << 24;
const LONGEST_NAME = 256;

/**
 * Lists of numbers by name. Looked at by hand, and no further than the first that is wrong: Zod tells of every one, and a body of a few
 * megabytes would keep the process for seconds.
 */
const named = (type: 'number' | 'integer', isNumber: (value: unknown) => boolean) =>
  z
    .unknown()
    .transform((given, context): Record<string, number[]> => {
      const wrong = wrongAmong(given, isNumber);
      if (wrong === undefined) return given as Record<string, number[]>;
      context.addIssue({ code: 'custom', message: wrong.says(type), path: [...wrong.path] });
      return z.NEVER;
    })
    .meta({
      type: 'object',
      propertyNames: { type: 'string', minLength: 1, maxLength: LONGEST_NAME },
      additionalProperties: { type: 'array', items: { type }, maxItems: MOST_VALUES },
      maxProperties: MOST_INPUTS,
    });

function wrongAmong(
  given: unknown,
  isNumber: (value: unknown) => boolean,
): { readonly path: readonly (string | number)[]; says(type: string): string } | undefined {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return { path: [], says: () => 'must be lists by name' };
  const names = Object.keys(given);
  if (names.length > MOST_INPUTS) return { path: [], says: () => 'too many inputs' };
  for (const name of names) {
    const values: unknown = (given as Readonly<Record<string, unknown>>)[name];
    if (name.length < 1 || name.length > LONGEST_NAME) return { path: [name], says: () => 'is no name of an input' };
    if (!Array.isArray(values) || values.length > MOST_VALUES) return { path: [name], says: (type) => `must be a list of ${type}s` };
    const at = values.findIndex((value) => !isNumber(value));
    if (at >= 0) return { path: [name, at], says: (type) => `must be of type ${type}` };
  }
  return undefined;
}

export const inferBody = z
  .strictObject({
    modelId: word,
    inputs: named('number', Number.isFinite)
      .optional()
      .describe('real values of each input by name, row by row; rounded as the model says'),
    integers: named('integer', Number.isSafeInteger).optional().describe('the integers of each input by name, instead'),
    ...inferOptions,
    seconds: z.int().min(PROOF_SECONDS.least).max(PROOF_SECONDS.most).default(PROOF_SECONDS.usual).describe(TIME),
  })
  .refine(({ inputs, integers }) => (inputs === undefined) !== (integers === undefined), 'give either inputs or integers')
  .meta({ oneOf: [{ required: ['inputs'] }, { required: ['integers'] }] });

export const idempotencyKey = z
  .string()
  .regex(/^[\x21-\x7e]{1,200}$/, 'must be 1 to 200 printable characters without spaces')
  .describe('the same key and question get the same answer, also after a restart; the same key with another question is refused');
export const lastEventId = z.string().max(64).describe('id of the last event that was received: where the stream goes on');

const tensor = z.object({ name: z.string(), type: z.string(), dims: z.array(z.int()) });

export const modelSchema = z.object({
  modelId: word,
  name: z.string(),
  tiers: z.array(z.enum(TIERS)),
  inputs: z.array(tensor),
  outputs: z.array(tensor),
  /** Bytes of one input, canonical: all tensors joined, little-endian. */
  inputBytes: z.int(),
  programBytes: z.int(),
  programHash: word.describe('keccak256 of the program file'),
});
export const modelsSchema = z.object({ models: z.array(modelSchema) });

export const outputSchema = z.object({
  name: z.string(),
  dims: z.array(z.int()),
  integers: z.array(z.int()),
  values: z.array(z.number()),
});

export const answerSchema = z.object({
  id: word.describe('name of the receipt: 6 bytes of milliseconds, then the end of the hash of its digest and signature'),
  output: hex.describe('canonical bytes of all outputs, joined'),
  backing: z.enum(['unsecured', 'channel']).describe('unsecured: a signature, and no lock that answers for it'),
  receipt: receiptSchema,
  domain: signedReceiptSchema.shape.domain,
  signature: signedReceiptSchema.shape.signature,
  outputs: z.array(outputSchema).optional().describe('the output as numbers; where the question was JSON'),
});

export const JOB_STATES = ['queued', 'running', 'done', 'failed', 'cancelled'] as const;

const point = z.array(z.string());
export const jobSchema = z.object({
  id: z.string(),
  modelId: word,
  input: word.describe('root of the input, or its commitment where the proof sees that'),
  context: z.string().describe('first public signal: this deployment, request number 0, this prover, this model'),
  state: z.enum(JOB_STATES),
  progress: z.number().min(0).max(1),
  createdAt: seconds,
  deadline: seconds,
  error: z.object({ code: z.string(), message: z.string() }).optional(),
  result: z
    .object({
      proof: z.object({
        protocol: z.literal('groth16'),
        curve: z.literal('bn128'),
        pi_a: point,
        pi_b: z.array(point),
        pi_c: point,
      }),
      publicSignals: z.array(z.string()),
      output: hex,
      outputs: z.array(outputSchema),
    })
    .optional()
    .describe("snarkjs's proof.json and public.json, as `assay verify` takes them"),
});

export const namesSchema = z.object({ inputRoot: word, commitment: word.nullable() });
export const claimSchema = z.object({
  requestId: z.string(),
  modelId: word,
  input: word,
  output: hex,
  state: z.string(),
  claimedAt: seconds,
});
export const rootsSchema = z.object({ roots: z.array(word) });
export const healthSchema = z.object({
  ok: z.literal(true),
  prover: z.string(),
  key: z.string().optional().describe('hot key; workers have none'),
  models: z.int(),
});
export const readySchema = z.object({ ready: z.boolean(), reasons: z.array(z.string()) });
export const errorSchema = z.object({
  error: z.object({
    code: z.string(),
    message: z.string(),
    facts: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
    fix: z.string().optional(),
  }),
});

export type InferBody = z.output<typeof inferBody>;
export type InferQuery = z.output<typeof inferQuery>;
export type OfferedModel = z.output<typeof modelSchema>;
export type AnswerView = z.output<typeof answerSchema>;
export type OutputView = z.output<typeof outputSchema>;
export type JobView = z.output<typeof jobSchema>;
export const USUAL_SECONDS = PROOF_SECONDS.usual;
export type ClaimView = z.output<typeof claimSchema>;
export type HealthView = z.output<typeof healthSchema>;
export type ReadyView = z.output<typeof readySchema>;
