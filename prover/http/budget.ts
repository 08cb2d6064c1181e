import type { FastifyInstance, FastifyRequest } from 'fastify';
import { busy } from '../concurrency/gate.ts';

/**
 * Bounds the bytes of all bodies that are read or worked on at the same time: gates come after the body was read, and many large ones
 * would fill the memory before. A body of unstated length counts as the largest that its route takes.
 */
export function addBodyBudget(server: FastifyInstance, most: number): void {
  let held = 0;
  server.addHook('preParsing', (request, reply, payload, done) => {
    const bytes = statedBytes(request);
    if (bytes === 0) return done(null, payload);
    // One body alone is bounded by its route.
    if (held > 0 && held + bytes > most) return done(busy('other large requests'));
    held += bytes;
    // Comes for every request, whether answered or left by its client.
    reply.raw.once('close', () => {
      held -= bytes;
    });
    return done(null, payload);
  });
}

function statedBytes({ headers, routeOptions }: FastifyRequest): number {
  const limit = routeOptions.bodyLimit ?? 1 << 20;
  if (headers['transfer-encoding'] !== undefined) return limit;
  const stated = Number(headers['content-length'] ?? 0);
  return Number.isFinite(stated) && stated > 0 ? Math.min(stated, limit) : 0;
}
