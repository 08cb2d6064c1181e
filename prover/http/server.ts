import type { Socket } from 'node:net';
import cors from '@fastify/cors';
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { AssayError } from '../../core/errors.ts';
import type { Log } from '../../runtime/log.ts';
import { Gate } from '../concurrency/gate.ts';
import { addAccess } from './access.ts';
import { addBodyBudget } from './budget.ts';
import { boundConnections } from './connections.ts';
import { errorBody, fromFastify, fromSocket, malformed, notFound, statusOf, stopping } from './errors.ts';
import type { ApiKeys } from './keys.ts';
import { refuseOtherMethods } from './methods.ts';
import { BYTES } from './route.ts';
import { addClaimRoutes } from './routes/claims.ts';
import { addInferRoutes } from './routes/infer.ts';
import { addJobRoutes } from './routes/jobs.ts';
import { addModelRoutes } from './routes/models.ts';
import { addOperationRoutes } from './routes/operations.ts';
import type { Caller, NodeService, OperationsService } from './service.ts';
import { EventStreams } from './streams.ts';
import { UploadBudget } from './uploads.ts';

export type { NodeService } from './service.ts';

export interface ListenOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly log: Log;
  /** Milliseconds that open requests get to end when the service is closed (20,000). */
  readonly closeMilliseconds?: number;
  /** Milliseconds within which a request must have arrived whole (30,000). */
  readonly requestTimeout?: number;
  /** Connections that one address, or IPv6 /64, may have open (1,024 of 4,096 in all). */
  readonly connectionsOfOne?: number;
  /** Addresses and networks of proxies whose X-Forwarded-For is believed; none unless told. */
  readonly trustedProxies?: readonly string[];
}

export interface ServerOptions extends ListenOptions {
  /** Of one API key or address. */
  readonly requestsPerMinute: number;
  /** Who may ask; everybody without. */
  readonly keys?: ApiKeys | undefined;
  /** Web origins whose pages may ask; none unless told. `*` is all of them. */
  readonly corsOrigins?: readonly string[];
  /** Questions worked on at the same time (64), and how many more may wait (1,024). */
  readonly inferConcurrency?: number;
  readonly inferWaiting?: number;
  /** Pieces of traces computed at the same time (1), and how many more may wait (32). */
  readonly traceConcurrency?: number;
  readonly traceWaiting?: number;
  /** Bytes of all request bodies held at the same time (256 MiB). */
  readonly bodyBudget?: number;
  /** Bytes of inputs that callers without a key may have kept in a day (1 GiB). */
  readonly uploadBudget?: number;
  /** Streams of events open at the same time, in all (256) and of one API key or address (32); milliseconds that one lasts (an hour). */
  readonly eventStreams?: number;
  readonly eventStreamsPerCaller?: number;
  readonly eventStreamMilliseconds?: number;
  /** Milliseconds between two looks at a job (500) and between signs of life (15,000). */
  readonly eventMilliseconds?: number;
  readonly heartbeatMilliseconds?: number;
}

export interface RunningServer {
  readonly url: string;
  /** Says so in /readyz and refuses new work from now on; everything that is held can still be read. */
  drain(): void;
  /** Says so in /readyz and takes no new connection; open requests end, streams of events are ended. */
  close(): Promise<void>;
}

const HEADERS = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
} as const;

/**
 * Starts the HTTP service and resolves with the address it listens on.
 * @throws AssayError PORT_IN_USE, LISTEN_FAILED
 */
export async function startServer(service: NodeService, options: ServerOptions): Promise<RunningServer> {
  const closing = new AbortController();
  const server = createServer(service, options, service.largestInput);
  server.addHook('onRequest', async (request) => {
    if (closing.signal.aborted && request.method === 'POST') throw stopping();
  });
  await addDocuments(server);
  if ((options.corsOrigins?.length ?? 0) > 0) {
    const origins = [...(options.corsOrigins ?? [])];
    await server.register(cors, {
      origin: origins.includes('*') ? '*' : origins,
      methods: ['GET', 'HEAD', 'POST', 'PUT', 'DELETE'],
      exposedHeaders: ['location', 'etag', 'retry-after'],
    });
  }
  await addAccess(server, options.keys, options.requestsPerMinute);
  addBodyBudget(server, options.bodyBudget ?? 256 << 20);
  const refuseOthers = refuseOtherMethods(server);
  const trace = new Gate('other traces', options.traceConcurrency ?? 1, options.traceWaiting ?? 32);
  const inputs = new Gate('other inputs', 16, 256);
  addOperationRoutes(server, service, closing.signal);
  addModelRoutes(server, service, inputs, new UploadBudget(options.uploadBudget ?? 1 << 30));
  addInferRoutes(server, service, { running: options.inferConcurrency ?? 64, waiting: options.inferWaiting ?? 1_024 });
  const { eventStreams = 256, eventStreamsPerCaller = 32, eventStreamMilliseconds = 3_600_000 } = options;
  const limits = { streams: eventStreams, perCaller: eventStreamsPerCaller, age: eventStreamMilliseconds };
  const times = { every: options.eventMilliseconds ?? 500, heartbeat: options.heartbeatMilliseconds ?? 15_000 };
  addJobRoutes(server, service, new EventStreams(limits, options.keys, closing.signal), times);
  addClaimRoutes(server, service, trace);
  refuseOthers();
  return running(server, options, closing);
}

/**
 * Health, readiness and metrics alone, for processes that answer no questions.
 * @throws AssayError PORT_IN_USE, LISTEN_FAILED
 */
export async function startOperations(service: OperationsService, options: ListenOptions): Promise<RunningServer> {
  const closing = new AbortController();
  const server = createServer(service, options, 0);
  const refuseOthers = refuseOtherMethods(server);
  addOperationRoutes(server, service, closing.signal);
  refuseOthers();
  return running(server, options, closing);
}

async function running(server: FastifyInstance, options: ListenOptions, closing: AbortController): Promise<RunningServer> {
  const sockets = new Set<Socket>();
  server.server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  let closed: Promise<void> | undefined;
  return {
    url: await listen(server, options),
    drain: () => closing.abort(),
    close: () => {
      closing.abort();
      closed ??= closeServer(server, sockets, options.closeMilliseconds ?? 20_000);
      return closed;
    },
  };
}

/** Open requests end; a connection is closed as soon as nothing is asked on it any more, and every one when time is up. */
async function closeServer(server: FastifyInstance, sockets: ReadonlySet<Socket>, milliseconds: number): Promise<void> {
  const idle = setInterval(() => {
    server.server.closeIdleConnections();
    // One that was opened ahead of its first request counts as busy there.
    for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
  }, 20);
  const late = setTimeout(() => server.server.closeAllConnections(), milliseconds);
  try {
    await server.close();
  } finally {
    clearInterval(idle);
    clearTimeout(late);
  }
}

function createServer(service: OperationsService, options: ListenOptions, largestInput: number): FastifyInstance {
  const { requestTimeout = 30_000, log } = options;
  const server = Fastify({
    logger: false,
    bodyLimit: 1 << 16,
    requestTimeout,
    trustProxy: [...(options.trustedProxies ?? [])],
    // Nobody may hold a connection on which nothing moves; events send a sign of life more often.
    connectionTimeout: 120_000,
    keepAliveTimeout: 65_000,
    forceCloseConnections: 'idle',
    frameworkErrors: (error, request, reply) => void answerError(error, request, reply, log),
    http: { maxHeaderSize: 16_384, headersTimeout: Math.min(15_000, requestTimeout), connectionsCheckingInterval: 2_000 },
    clientErrorHandler: (error, socket) => {
      const known = fromSocket((error as NodeJS.ErrnoException).code);
      if (!socket.writable) {
        socket.destroy();
        return;
      }
      const body = JSON.stringify(errorBody(known));
      const head = [`HTTP/1.1 ${statusOf(known)} Refused`, 'content-type: application/json', `content-length: ${Buffer.byteLength(body)}`];
      socket.end(`${head.join('\r\n')}\r\nconnection: close\r\n\r\n${body}`);
    },
  });
  boundConnections(server.server, options.trustedProxies ?? [], options.connectionsOfOne ?? 1_024);
  // Schemas of routes are for the documents alone: bodies are parsed by the schemas that those were made of.
  server.setValidatorCompiler(() => () => true);
  server.setSerializerCompiler(() => JSON.stringify);
  server.addContentTypeParser(BYTES, { parseAs: 'buffer', bodyLimit: Math.max(1 << 16, largestInput) }, (_, body, done) =>
    done(null, body),
  );
  server.addHook('onRequest', (_request, reply, done) => {
    service.metrics.httpActive.inc();
    // Also where the client has gone, and nothing is answered.
    reply.raw.once('close', () => service.metrics.httpActive.dec());
    reply.headers(HEADERS);
    done();
  });
  server.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'none';
    service.metrics.httpSeconds.observe({ route, status: reply.statusCode }, reply.elapsedTime / 1000);
    if (log.isLevelEnabled('debug')) {
      const milliseconds = Math.round(reply.elapsedTime);
      log.debug({ method: request.method, route, status: reply.statusCode, milliseconds, ...whoAsked(request) }, 'answered');
    }
    done();
  });
  server.setErrorHandler((error, request, reply) => answerError(error, request, reply, log));
  // An expectation other than 100-continue: Node would refuse it without a word.
  server.server.on('checkExpectation', (_request, response) => {
    const error = malformed('The request expects what this service does not do');
    const body = JSON.stringify(errorBody(error));
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), connection: 'close' };
    response.writeHead(statusOf(error), headers).end(body);
  });
  server.setNotFoundHandler(async (request) => {
    throw notFound('route', request.url);
  });
  return server;
}

function answerError(raw: unknown, request: FastifyRequest, reply: FastifyReply, log: Log): FastifyReply {
  const error = fromFastify(raw);
  const status = statusOf(error);
  if (status >= 500 && error.code !== 'NODE_BUSY')
    log.error({ error: raw, url: request.url.slice(0, 200), ...whoAsked(request) }, 'a request failed');
  if (status === 401) reply.header('www-authenticate', 'Bearer');
  if (status === 503) reply.header('retry-after', '5');
  return reply.status(status).type('application/json').send(errorBody(error));
}

/** For the log. What failed before anybody was told apart has no caller. */
function whoAsked({ caller, address, socket }: FastifyRequest): { readonly caller?: string; readonly address: string | undefined } {
  const known: Caller | undefined = caller;
  return { ...(known === undefined ? {} : { caller: known.id }), address: address ?? socket.remoteAddress };
}

async function addDocuments(server: FastifyInstance): Promise<void> {
  await server.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Assay node',
        version: '1',
        description: 'Answers of integer programs, with receipts or proofs. Errors: docs/errors.md.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      components: { securitySchemes: { key: { type: 'http', scheme: 'bearer' } } },
    },
  });
  await server.register(swaggerUi, { routePrefix: '/docs', staticCSP: true });
  server.get('/openapi.json', { schema: { hide: true } }, () => server.swagger());
}

async function listen(server: FastifyInstance, { host, port }: ListenOptions): Promise<string> {
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
