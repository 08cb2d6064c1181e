import { z } from 'zod';
import { AssayError } from './errors.ts';

/** One tensor of a case: shape and values in row-major order; integers are exact up to 2^53. */
export interface CaseTensor {
  readonly name: string;
  readonly type: string;
  readonly dims: readonly number[];
  readonly data: Float32Array | Float64Array;
}

/** One example for a model: inputs, and where known the float outputs and the label. */
export interface Case {
  readonly inputs: readonly CaseTensor[];
  readonly outputs: readonly CaseTensor[];
  readonly label?: number;
}

const MAX_CASES = 20_000;
const MAX_ELEMENTS = 1 << 26;

const tensorSchema = z.object({
  name: z.string().max(1000),
  type: z.string().max(20).default('float32'),
  dims: z.array(z.number().int().min(0).max(MAX_ELEMENTS)).max(8),
  encoding: z.literal('base64-le-f32').optional(),
  data: z.union([z.string(), z.array(z.union([z.number(), z.boolean()]))]),
});

const caseSchema = z.object({
  label: z.number().int().optional(),
  inputs: z.array(tensorSchema).min(1).max(64),
  outputs: z.array(tensorSchema).max(64).default([]),
});

const fileSchema = z.union([z.object({ cases: z.array(caseSchema).min(1).max(MAX_CASES) }), caseSchema]);

function invalid(message: string, facts: Record<string, string | number>, cause?: unknown): never {
  throw new AssayError(message, {
    code: 'CASES_INVALID',
    facts,
    fix: 'see docs/compiling.md: {"cases":[{"inputs":[{"name","type","dims","data"}]}]}',
    ...(cause === undefined ? {} : { cause }),
  });
}

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const VALUE_OF = new Int8Array(128).fill(-1);
for (let i = 0; i < DIGITS.length; i++) VALUE_OF[DIGITS.charCodeAt(i)] = i;

/** Standard base64 to bytes; undefined on any foreign character. */
function decodeBase64(text: string): Uint8Array | undefined {
  const body = text.replace(/=+$/, '');
  const bytes = new Uint8Array(Math.floor((body.length * 3) / 4));
  let buffer = 0;
  let bits = 0;
  let to = 0;
  for (let i = 0; i < body.length; i++) {
    const code = body.charCodeAt(i);
    const value = code < 128 ? VALUE_OF[code]! : -1;
    if (value < 0) return undefined;
    buffer = ((buffer << 6) | value) & 0xffffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes[to++] = (buffer >> bits) & 0xff;
    }
  }
  return bytes;
}

function parseTensor(raw: z.infer<typeof tensorSchema>): CaseTensor {
  const count = raw.dims.reduce((product, dim) => product * dim, 1);
  if (count > MAX_ELEMENTS) invalid(`tensor '${raw.name}' has more than ${MAX_ELEMENTS} elements`, { tensor: raw.name, elements: count });
  const values =
    typeof raw.data === 'string'
      ? decodeFloats(raw.name, raw.data)
      : raw.type === 'float32'
        ? Float32Array.from(raw.data, Number)
        : Float64Array.from(raw.data, Number);
  if (values.length !== count) {
    invalid(`tensor '${raw.name}' has ${values.length} values where dims ${raw.dims.join('x')} need ${count}`, {
      tensor: raw.name,
      values: values.length,
      expected: count,
    });
  }
  const bad = values.findIndex((v) => !Number.isFinite(v));
  if (bad >= 0) invalid(`tensor '${raw.name}' holds ${values[bad]} at element ${bad}`, { tensor: raw.name, element: bad });
  return { name: raw.name, type: raw.type, dims: raw.dims, data: values };
}

function decodeFloats(name: string, text: string): Float32Array {
  const bytes = decodeBase64(text);
  if (bytes === undefined || bytes.length % 4 !== 0)
    invalid(`tensor '${name}' is not base64 of little-endian float32 values`, { tensor: name });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float32Array.from({ length: bytes.length / 4 }, (_, i) => view.getFloat32(4 * i, true));
}

/**
 * Reads a `cases.json`: one case, or `{cases: [...]}`; long arrays may be base64 of little-endian float32 (`encoding: "base64-le-f32"`).
 * @throws AssayError CASES_INVALID naming the field
 */
export function parseCases(json: string): Case[] {
  let raw: unknown;
  try {
    raw = JSON.parse(json);
  } catch (error) {
    invalid('the cases are not JSON', { bytes: json.length }, error);
  }
  const parsed = fileSchema.safeParse(raw);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    invalid(
      `the cases do not have the expected form: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`,
      { issues: parsed.error.issues.length },
      parsed.error,
    );
  }
  const cases = 'cases' in parsed.data ? parsed.data.cases : [parsed.data];
  return cases.map((one) => ({
    inputs: one.inputs.map(parseTensor),
    outputs: one.outputs.map(parseTensor),
    ...(one.label === undefined ? {} : { label: one.label }),
  }));
}
