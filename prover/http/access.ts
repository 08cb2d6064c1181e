import rateLimit from '@fastify/rate-limit';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { AssayError } from '../../core/errors.ts';
import { clientAddress, networkOf } from './addresses.ts';
import { rateLimited } from './errors.ts';
import type { ApiKey, ApiKeys, Scope } from './keys.ts';
import type { Caller } from './service.ts';

declare module 'fastify' {
  interface FastifyRequest {
    caller: Caller;
    /** Of the client: as trusted proxies tell it, else the other end of the connection. */
    address: string;
    /** `open`: no keys are used here. `none`, `wrong`: none was sent, or one that is not known. */
    access: ApiKey | 'open' | 'none' | 'wrong';
  }
}

/** Finds out who asks, and holds everybody to a number of requests a minute. */
export async function addAccess(server: FastifyInstance, keys: ApiKeys | undefined, requestsPerMinute: number): Promise<void> {
  server.decorateRequest('caller');
  server.decorateRequest('address');
  server.decorateRequest('access');
  server.addHook('onRequest', (request, _reply, done) => {
    const text = keys === undefined ? undefined : keyText(request);
    const key = text === undefined ? undefined : keys?.find(text);
    request.access = keys === undefined ? 'open' : text === undefined ? 'none' : (key ?? 'wrong');
    request.address = clientAddress(request.ip, request.socket.remoteAddress);
    request.caller =
      key === undefined
        ? { id: `address:${networkOf(request.address)}`, customer: undefined }
        : { id: `key:${key.id}`, customer: key.customer };
    done();
  });
  await server.register(rateLimit, {
    max: ({ access }) => (typeof access === 'object' ? (access.requestsPerMinute ?? requestsPerMinute) : requestsPerMinute),
    timeWindow: 60_000,
    cache: 20_000,
    keyGenerator: ({ caller }) => caller.id,
    errorResponseBuilder: (_request, { ttl }) => rateLimited(Math.max(1, Math.ceil(ttl / 1000))),
    // What is left is told to whoever has too little; on every answer it would cost more than counting.
    addHeaders: { 'x-ratelimit-limit': false, 'x-ratelimit-remaining': false, 'x-ratelimit-reset': false, 'retry-after': true },
    addHeadersOnExceeding: { 'x-ratelimit-limit': false, 'x-ratelimit-remaining': false, 'x-ratelimit-reset': false },
  });
  // Before the body is read: who may not ask need not send it.
  server.addHook('preParsing', (request, _reply, payload, done) => {
    const isQuestion = request.routeOptions.url === '/v1/infer';
    if (isQuestion && (request.access === 'none' || request.access === 'wrong')) done(unauthorized(request.access));
    else done(null, payload);
  });
}

/** @throws AssayError HTTP_UNAUTHORIZED, HTTP_FORBIDDEN */
export function allow(request: FastifyRequest, scope: Scope): void {
  const { access } = request;
  if (access === 'open') return;
  if (typeof access === 'string') throw unauthorized(access);
  if (access.scopes.includes(scope)) return;
  throw new AssayError('This API key may not do that', {
    code: 'HTTP_FORBIDDEN',
    facts: { key: access.id, scope },
    fix: 'ask the operator of the node for the scope',
  });
}

function unauthorized(access: 'none' | 'wrong'): AssayError {
  const message = access === 'none' ? 'This node wants an API key' : 'The API key is not known to this node';
  return new AssayError(message, { code: 'HTTP_UNAUTHORIZED', fix: 'send `Authorization: Bearer KEY`' });
}

function keyText({ headers }: FastifyRequest): string | undefined {
  const bearer = /^Bearer +([\x21-\x7e]{1,512})$/i.exec(headers.authorization ?? '')?.[1];
  const plain = headers['x-api-key'];
  return bearer ?? (typeof plain === 'string' ? plain : undefined);
}
