import type { FastifyInstance } from 'fastify';
import type { Gate } from '../../concurrency/gate.ts';
import { notFound } from '../errors.ts';
import { addRoute, BYTES } from '../route.ts';
import { claimParams, claimSchema, rootsSchema, unitParams } from '../schemas.ts';
import type { NodeService } from '../service.ts';

/**
 * Pieces of the trace behind a claim, for challengers who would rather read than pay; what is on chain is what counts.
 * @param gate bounds how many are computed at once: reading must not keep the node from answering
 */
export function addClaimRoutes(server: FastifyInstance, service: NodeService, gate: Gate): void {
  addRoute(server, {
    method: 'GET',
    url: '/v1/claims/:claimId',
    summary: 'A claim of this node',
    tag: 'claims',
    params: claimParams,
    answers: { 200: { says: 'The claim', schema: claimSchema } },
    errors: ['HTTP_NOT_FOUND'],
    handler: async ({ params }) => {
      const claim = await service.claim(params.claimId);
      if (claim === undefined) throw notFound('claim', params.claimId);
      return claim;
    },
  });
  addRoute(server, {
    method: 'GET',
    url: '/v1/claims/:claimId/roots',
    summary: 'Roots of all tensors of the run behind a claim',
    tag: 'claims',
    params: claimParams,
    answers: { 200: { says: 'The roots, in the order of the program', schema: rootsSchema } },
    errors: ['HTTP_NOT_FOUND', 'NODE_BUSY', 'MATERIAL_MISSING'],
    handler: async ({ params }) => {
      const roots = await gate.run(() => service.traceRoots(params.claimId));
      if (roots === undefined) throw notFound('claim', params.claimId);
      return { roots };
    },
  });
  addRoute(server, {
    method: 'GET',
    url: '/v1/claims/:claimId/tensors/:tensor/:height/:index',
    summary: 'A node or leaf of a tensor of that run: what would answer a demand for it',
    tag: 'claims',
    params: unitParams,
    answers: { 200: { says: 'Its bytes', type: BYTES } },
    errors: ['HTTP_NOT_FOUND', 'NODE_BUSY', 'MATERIAL_MISSING'],
    handler: async ({ params: { claimId, tensor, height, index } }, _request, reply) => {
      const bytes = await gate.run(() => service.traceUnit(claimId, tensor, height, index));
      if (bytes === undefined) throw notFound('node or leaf', claimId);
      return reply.type(BYTES).send(Buffer.from(bytes));
    },
  });
}
