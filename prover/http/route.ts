import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from 'fastify';
import { z } from 'zod';
import { AssayError } from '../../core/errors.ts';
import { HTTP_STATUS, malformed } from './errors.ts';
import { errorSchema } from './schemas.ts';

export const BYTES = 'application/octet-stream';

/** What one status answers with: JSON of a schema, another content type, or nothing. */
export interface AnswerForm {
  readonly says: string;
  readonly schema?: z.ZodType;
  readonly type?: string;
}

/** One route, said once: it is parsed by these schemas and documented by them. */
export interface Route<Params extends z.ZodType, Query extends z.ZodType, Body extends z.ZodType> {
  readonly method: HTTPMethods;
  readonly url: string;
  readonly summary: string;
  readonly tag: string;
  readonly params?: Params;
  readonly query?: Query;
  readonly headers?: Readonly<Record<string, z.ZodType>>;
  /** Schema of a JSON body. */
  readonly json?: Body;
  /** Whether the body may be (with `json`) or must be bytes. */
  readonly takesBytes?: boolean;
  readonly bodyLimit?: number;
  readonly answers: Readonly<Record<number, AnswerForm>>;
  /** Codes of errors.ts that it gives, besides those that every route does. */
  readonly errors?: readonly string[];
  /** Not counted against the caller's limit: for what watches the node. */
  readonly unlimited?: boolean;
  /** False where answering HEAD would begin to answer GET. */
  readonly head?: boolean;
  handler(given: Given<Params, Query, Body>, request: FastifyRequest, reply: FastifyReply): unknown;
}

export interface Given<Params extends z.ZodType, Query extends z.ZodType, Body extends z.ZodType> {
  readonly params: z.output<Params>;
  readonly query: z.output<Query>;
  /** The parsed JSON body; undefined where the body was bytes. */
  readonly json: z.output<Body> | undefined;
  /** The body, where it was bytes; never empty. */
  readonly bytes: Uint8Array | undefined;
}

const ALWAYS = ['HTTP_MALFORMED', 'HTTP_RATE_LIMITED', 'INTERNAL'];

/** @throws AssayError HTTP_MALFORMED that names the member */
export function parse<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw malformed(`The request is malformed at ${issue?.path.join('.').slice(0, 80) || 'its top'}: ${issue?.message.slice(0, 120) ?? ''}`);
}

export function addRoute<Params extends z.ZodType, Query extends z.ZodType, Body extends z.ZodType>(
  server: FastifyInstance,
  route: Route<Params, Query, Body>,
): void {
  const takesBody = route.json !== undefined || route.takesBytes === true;
  server.route({
    method: route.method,
    url: route.url,
    schema: documented(route),
    ...(route.bodyLimit === undefined ? {} : { bodyLimit: route.bodyLimit }),
    ...(route.head === undefined ? {} : { exposeHeadRoute: route.head }),
    ...(route.unlimited === true ? { config: { rateLimit: false } } : {}),
    handler: (request, reply) =>
      route.handler(
        {
          params: route.params === undefined ? undefined : parse(route.params, request.params),
          query: route.query === undefined ? undefined : parse(route.query, request.query),
          ...(takesBody ? readBody(route, request.body) : { json: undefined, bytes: undefined }),
        } as Given<Params, Query, Body>,
        request,
        reply,
      ),
  });
}

function readBody<Body extends z.ZodType>(
  { json, takesBytes }: Pick<Route<z.ZodType, z.ZodType, Body>, 'json' | 'takesBytes'>,
  body: unknown,
): { json: z.output<Body> | undefined; bytes: Uint8Array | undefined } {
  if (body instanceof Uint8Array && takesBytes === true) {
    if (body.length === 0) throw malformed('The request body is empty: bytes are wanted');
    return { json: undefined, bytes: body };
  }
  if (json === undefined) throw malformed(`The request body must be bytes, of type ${BYTES}`);
  return { json: parse(json, body), bytes: undefined };
}

/** JSON schema as OpenAPI 3.1 takes it: draft 2020-12. */
export function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): Record<string, unknown> {
  const { $schema: _, ...made } = z.toJSONSchema(schema, { io, unrepresentable: 'any' }) as Record<string, unknown>;
  return made;
}

function documented(route: Route<z.ZodType, z.ZodType, z.ZodType>): Record<string, unknown> {
  const content = {
    ...(route.json === undefined ? {} : { 'application/json': { schema: jsonSchema(route.json, 'input') } }),
    ...(route.takesBytes === true ? { [BYTES]: { schema: { description: 'canonical bytes' } } } : {}),
  };
  const headers = Object.entries(route.headers ?? {}).map(([name, schema]) => [name, jsonSchema(schema, 'input')]);
  return {
    summary: route.summary,
    tags: [route.tag],
    ...(route.params === undefined ? {} : { params: jsonSchema(route.params, 'input') }),
    ...(route.query === undefined ? {} : { querystring: jsonSchema(route.query, 'input') }),
    ...(headers.length === 0 ? {} : { headers: { type: 'object', properties: Object.fromEntries(headers) } }),
    ...(Object.keys(content).length === 0 ? {} : { body: { content } }),
    response: { ...answersOf(route.answers), ...errorsOf([...ALWAYS, ...(route.errors ?? [])]) },
  };
}

function answersOf(answers: Readonly<Record<number, AnswerForm>>): Record<string, unknown> {
  const forms = Object.entries(answers).map(([status, { says, schema, type }]) => {
    const json = schema === undefined ? {} : { content: { 'application/json': { schema: jsonSchema(schema, 'output') } } };
    const other = type === undefined ? {} : { content: { [type]: { schema: {} } } };
    return [status, { description: says, ...json, ...other }];
  });
  return Object.fromEntries(forms);
}

function errorsOf(codes: readonly string[]): Record<string, unknown> {
  const schema = jsonSchema(errorSchema, 'output');
  const statuses = new Map<number, string[]>();
  for (const code of codes) {
    const status = HTTP_STATUS[code];
    if (status === undefined) throw new AssayError(`No status for ${code}`, { code: 'INTERNAL' });
    statuses.set(status, [...(statuses.get(status) ?? []), code]);
  }
  return Object.fromEntries(
    [...statuses].map(([status, all]) => [status, { description: all.join(', '), content: { 'application/json': { schema } } }]),
  );
}
