import { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import { notFound } from '../errors.ts';
import { type EventTimes, eventId, hasEnded, jobEvents } from '../events.ts';
import { addRoute, parse } from '../route.ts';
import { jobParams, jobSchema, lastEventId } from '../schemas.ts';
import type { Caller, NodeService } from '../service.ts';
import type { EventStreams } from '../streams.ts';

/** A stream that has to end and whose last event nobody takes is cut after this, milliseconds. */
const LAST_EVENT = 2_000;

/** Proof jobs. @param streams has room for so many streams of events, and ends them */
export function addJobRoutes(server: FastifyInstance, service: NodeService, streams: EventStreams, times: EventTimes): void {
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
  addRoute(server, {
    ...common,
    method: 'GET',
    url: '/v1/jobs/:id/events',
    summary: 'Server-sent events: `progress` with the job whenever it changes, `end` as the last one, or `closed` with an error',
    headers: { 'last-event-id': lastEventId },
    answers: {
      200: { says: 'The events', type: 'text/event-stream' },
      204: { says: 'The last event was seen: there is nothing to come back for' },
    },
    errors: ['HTTP_NOT_FOUND', 'NODE_BUSY', 'NODE_STOPPING'],
    head: false,
    handler: async ({ params }, request, reply) => {
      const seen = request.headers['last-event-id'];
      const lastSeen = seen === undefined ? undefined : parse(lastEventId, seen);
      const now = await jobOf(params.id, request.caller);
      if (hasEnded(now) && lastSeen === eventId(now)) return reply.status(204).send();
      const { signal, leave } = streams.enter(request);
      const gone = new AbortController();
      const look = () => service.job(params.id, request.caller);
      const events = jobEvents(look, { ...times, lastSeen, ending: signal, gone: gone.signal });
      const stream = Readable.from(events, { objectMode: false, highWaterMark: 1 });
      let cut: NodeJS.Timeout | undefined;
      const end = (): void => {
        cut = setTimeout(() => request.socket.destroy(), LAST_EVENT);
      };
      signal.addEventListener('abort', end);
      // Until its last byte is gone it holds memory, and a place.
      reply.raw.once('close', () => {
        signal.removeEventListener('abort', end);
        clearTimeout(cut);
        leave();
        gone.abort();
      });
      return reply.type('text/event-stream').header('cache-control', 'no-store').header('x-accel-buffering', 'no').send(stream);
    },
  });
}
