import { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import { notFound } from '../errors.ts';
import { eventId, hasEnded, jobEvents } from '../events.ts';
import { busy } from '../gate.ts';
import { addRoute, parse } from '../route.ts';
import { jobParams, jobSchema, lastEventId } from '../schemas.ts';
import type { Caller, NodeService } from '../service.ts';

export interface EventLimits {
  /** Streams of events open at the same time. */
  readonly streams: number;
  readonly every: number;
  readonly heartbeat: number;
}

/** Proof jobs. @param closing ends every stream of events */
export function addJobRoutes(server: FastifyInstance, service: NodeService, limits: EventLimits, closing: AbortSignal): void {
  const jobOf = async (id: string, caller: Caller) => {
    const job = await service.job(id, caller);
    if (job === undefined) throw notFound('job', id);
    return job;
  };
  const job = { says: 'The job', schema: jobSchema };
  const common = { tag: 'jobs', params: jobParams, errors: ['HTTP_NOT_FOUND'] } as const;
  addRoute(server, {
    ...common,
    method: 'GET',
    url: '/v1/jobs/:id',
    summary: 'How far a proof is, and its result',
    answers: { 200: job },
    handler: ({ params }, request) => jobOf(params.id, request.caller),
  });
  addRoute(server, {
    ...common,
    method: 'DELETE',
    url: '/v1/jobs/:id',
    summary: 'Gives up a proof; one that has ended stays as it is',
    answers: { 200: job },
    handler: async ({ params }, request) => {
      const cancelled = await service.cancelJob(params.id, request.caller);
      if (cancelled === undefined) throw notFound('job', params.id);
      return cancelled;
    },
  });
  let open = 0;
  addRoute(server, {
    ...common,
    method: 'GET',
    url: '/v1/jobs/:id/events',
    summary: 'Server-sent events: `progress` with the job whenever it changes, `end` as the last one',
    headers: { 'last-event-id': lastEventId },
    answers: {
      200: { says: 'The events', type: 'text/event-stream' },
      204: { says: 'The last event was seen: there is nothing to come back for' },
    },
    errors: ['HTTP_NOT_FOUND', 'NODE_BUSY'],
    head: false,
    handler: async ({ params }, request, reply) => {
      const seen = request.headers['last-event-id'];
      const lastSeen = seen === undefined ? undefined : parse(lastEventId, seen);
      const now = await jobOf(params.id, request.caller);
      if (hasEnded(now) && lastSeen === eventId(now)) return reply.status(204).send();
      if (open >= limits.streams) throw busy('other streams of events');
      open++;
      const gone = new AbortController();
      const signal = AbortSignal.any([gone.signal, closing]);
      const events = jobEvents(() => service.job(params.id, request.caller), { ...limits, lastSeen, signal });
      const stream = Readable.from(events, { objectMode: false, highWaterMark: 1 });
      stream.once('close', () => {
        open--;
        gone.abort();
      });
      return reply.type('text/event-stream').header('cache-control', 'no-store').header('x-accel-buffering', 'no').send(stream);
    },
  });
}
