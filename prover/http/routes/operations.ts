import type { FastifyInstance } from 'fastify';
import { stopping } from '../errors.ts';
import { addRoute } from '../route.ts';
import { healthSchema, type ReadyView, readySchema } from '../schemas.ts';
import type { OperationsService } from '../service.ts';

/** What watches a node asks. @param closing the node takes no new work */
export function addOperationRoutes(server: FastifyInstance, service: OperationsService, closing: AbortSignal): void {
  const readiness = async (): Promise<ReadyView> =>
    closing.aborted ? { ready: false, reasons: [stopping().message] } : service.readiness();
  addRoute(server, {
    method: 'GET',
    url: '/healthz',
    summary: 'Alive, and for whom',
    tag: 'operations',
    unlimited: true,
    answers: { 200: { says: 'It is', schema: healthSchema } },
    handler: () => service.health(),
  });
  addRoute(server, {
    method: 'GET',
    url: '/readyz',
    summary: 'Whether the node can take work now, and why not',
    tag: 'operations',
    unlimited: true,
    answers: { 200: { says: 'It can', schema: readySchema }, 503: { says: 'It cannot', schema: readySchema } },
    handler: async (_given, _request, reply) => {
      const state = await readiness();
      return reply.status(state.ready ? 200 : 503).send(state);
    },
  });
  addRoute(server, {
    method: 'GET',
    url: '/metrics',
    summary: 'Counters in the text format of Prometheus',
    tag: 'operations',
    unlimited: true,
    answers: { 200: { says: 'The counters', type: 'text/plain' } },
    handler: async (_given, _request, reply) => {
      const [{ ready }] = await Promise.all([readiness(), service.refreshMetrics()]);
      service.metrics.ready.set(ready ? 1 : 0);
      return reply.type(service.metrics.contentType).send(await service.metrics.text());
    },
  });
}
