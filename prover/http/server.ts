import { createReadStream } from 'node:fs';
import rateLimit from '@fastify/rate-limit';
import Fastify, { type FastifyInstance } from 'fastify';
import { z } from 'zod';
import { AssayError } from '../../core/errors.ts';
import type { Log } from '../../runtime/log.ts';
import { fromFastify, notFound, statusOf } from './errors.ts';

/** One model as the node offers it. */
export interface OfferedModel {
  readonly modelId: string;
  readonly name: string;
  readonly tiers: readonly string[];
  readonly inputs: readonly { readonly name: string; readonly type: string; readonly dims: readonly number[] }[];
  readonly programBytes: number;
}

/** What the HTTP service offers of the node; transport stays out of the node, and the node out of transport. */
export interface NodeService {
  health(): Promise<Readonly<Record<string, unknown>>>;
  models(): readonly OfferedModel[];
  /** File that holds the program, or undefined for a model that is not served. */
  programFile(modelId: string): string | undefined;
  /** Largest input any served model takes, bytes. */
  readonly largestInput: number;
  /** Keeps input bytes under their root (and commitment) and starts what waited for them. */
  acceptInput(modelId: string, bytes: Uint8Array): Promise<{ inputRoot: string; commitment: string | null }>;
  /** Input bytes by root or commitment. */
  input(hash: string): Promise<Uint8Array | undefined>;
  /** Runs the model and signs what it answered. */
  infer(modelId: string, bytes: Uint8Array): Promise<Readonly<Record<string, unknown>>>;
  receipt(id: string): Promise<Readonly<Record<string, unknown>> | undefined>;
  /** Claim of this node by id (decimal request id); its trace is computed when asked for. */
  claim(claimId: string): Promise<Readonly<Record<string, unknown>> | undefined>;
  traceRoots(claimId: string): Promise<readonly string[] | undefined>;
  /** Bytes that would answer a demand of a node (height ≥ 1) or leaf (height 0) of a tensor (docs/dispute.md, "Answers"). */
  traceUnit(claimId: string, tensor: number, height: number, index: number): Promise<Uint8Array | undefined>;
}

export interface ServerOptions {
  readonly host: string;
  readonly port: number;
  readonly log: Log;
  readonly requestsPerMinute: number;
}

const hash = z.string().regex(/^0x[0-9a-f]{64}$/);
const claimId = z.string().regex(/^[1-9][0-9]{0,76}$/);
const small = z.coerce.number().int().min(0).max(0xffffffff);

function parse<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new AssayError(`The request is malformed at ${issue?.path.join('.') || 'its top'}: ${issue?.message ?? ''}`, {
    code: 'HTTP_MALFORMED',
    fix: 'see docs/lifecycle.md',
  });
}

/**
 * Starts the HTTP service and resolves with the address it listens on.
 * @throws AssayError PORT_IN_USE, LISTEN_FAILED
 */
export async function startServer(service: NodeService, options: ServerOptions): Promise<{ url: string; close(): Promise<void> }> {
  const server = Fastify({ logger: false, bodyLimit: Math.max(1 << 16, service.largestInput), forceCloseConnections: true });
  await server.register(rateLimit, { max: options.requestsPerMinute, timeWindow: '1 minute' });
  server.addContentTypeParser('application/octet-stream', { parseAs: 'buffer' }, (_, body, done) => done(null, body));
  server.setErrorHandler(async (raw, request, reply) => {
    const error = fromFastify(raw);
    const status = statusOf(error);
    if (status >= 500) options.log.error({ error: raw, url: request.url }, 'a request failed');
    return reply
      .status(status)
      .send({ error: { code: error.code, message: error.message, facts: printable(error.facts), fix: error.fix } });
  });
  server.setNotFoundHandler(async (request) => {
    throw notFound('route', request.url);
  });
  addRoutes(server, service);
  addTraceRoutes(server, service);
  return { url: await listen(server, options), close: () => server.close() };
}

function printable(facts: AssayError['facts']): Record<string, unknown> {
  return Object.fromEntries(Object.entries(facts).map(([name, value]) => [name, typeof value === 'bigint' ? value.toString() : value]));
}

function bytesOf(body: unknown): Uint8Array {
  if (!(body instanceof Uint8Array) || body.length === 0) {
    throw new AssayError('The request body must be bytes', {
      code: 'HTTP_MALFORMED',
      fix: 'send canonical input bytes as application/octet-stream',
    });
  }
  return body;
}

function found<Value>(value: Value | undefined, what: string, id: string): Value {
  if (value === undefined) throw notFound(what, id);
  return value;
}

function addRoutes(server: FastifyInstance, service: NodeService): void {
  server.get('/healthz', async () => service.health());
  server.get('/v1/models', async () => ({ models: service.models() }));
  server.get('/v1/models/:modelId/program', async (request, reply) => {
    const { modelId } = parse(z.object({ modelId: hash }), request.params);
    const file = found(service.programFile(modelId), 'model', modelId);
    return reply
      .type('application/octet-stream')
      .header('cache-control', 'public, immutable, max-age=31536000')
      .send(createReadStream(file));
  });
  server.put('/v1/models/:modelId/inputs', async (request) => {
    const { modelId } = parse(z.object({ modelId: hash }), request.params);
    found(service.programFile(modelId), 'model', modelId);
    return service.acceptInput(modelId, bytesOf(request.body));
  });
  server.get('/v1/inputs/:hash', async (request, reply) => {
    const { hash: name } = parse(z.object({ hash }), request.params);
    const bytes = found(await service.input(name), 'input', name);
    return reply.type('application/octet-stream').send(Buffer.from(bytes));
  });
  server.post('/v1/infer', async (request) => {
    const { modelId } = parse(z.object({ modelId: hash }), request.query);
    found(service.programFile(modelId), 'model', modelId);
    return service.infer(modelId, bytesOf(request.body));
  });
  server.get('/v1/receipts/:id', async (request) => {
    const { id } = parse(z.object({ id: hash }), request.params);
    return found(await service.receipt(id), 'receipt', id);
  });
}

/** Pieces of the trace behind a claim, for challengers who would rather read than pay; what is on chain is what counts. */
function addTraceRoutes(server: FastifyInstance, service: NodeService): void {
  server.get('/v1/claims/:claimId', async (request) => {
    const { claimId: id } = parse(z.object({ claimId }), request.params);
    return found(await service.claim(id), 'claim', id);
  });
  server.get('/v1/claims/:claimId/roots', async (request) => {
    const { claimId: id } = parse(z.object({ claimId }), request.params);
    return { roots: found(await service.traceRoots(id), 'claim', id) };
  });
  server.get('/v1/claims/:claimId/tensors/:tensor/:height/:index', async (request, reply) => {
    const at = parse(z.object({ claimId, tensor: small, height: small, index: small }), request.params);
    const bytes = found(await service.traceUnit(at.claimId, at.tensor, at.height, at.index), 'node or leaf', at.claimId);
    return reply.type('application/octet-stream').send(Buffer.from(bytes));
  });
}

async function listen(server: FastifyInstance, { host, port }: ServerOptions): Promise<string> {
  try {
    return await server.listen({ host, port });
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === 'EADDRINUSE') {
      throw new AssayError('The port of the HTTP service is in use', {
        code: 'PORT_IN_USE',
        facts: { host, port },
        fix: 'stop what listens there, or choose another with --port (0 takes a free one)',
        cause,
      });
    }
    throw new AssayError('The HTTP service cannot listen', {
      code: 'LISTEN_FAILED',
      facts: { host, port, reason: code ?? String(cause) },
      fix: 'choose an address of this machine, and a port this user may open',
      cause,
    });
  }
}
