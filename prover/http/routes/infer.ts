import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Gate } from '../../concurrency/gate.ts';
import { allow } from '../access.ts';
import { malformed, notFound } from '../errors.ts';
import { addRoute, parse } from '../route.ts';
import { answerSchema, idempotencyKey, inferBody, inferQuery, jobSchema, receiptParams, USUAL_SECONDS } from '../schemas.ts';
import type { NodeService } from '../service.ts';

export interface InferLimits {
  /** Runs at the same time, and how many more may wait. */
  readonly running: number;
  readonly waiting: number;
}

/** A number as JSON writes it is at most this long, with its comma: for the bound of a JSON body. */
const DIGITS = 26;

function idempotencyOf(request: FastifyRequest): string | undefined {
  const header = request.headers['idempotency-key'];
  return header === undefined ? undefined : parse(idempotencyKey, header);
}

/** Questions and their receipts. */
export function addInferRoutes(server: FastifyInstance, service: NodeService, limits: InferLimits): void {
  const gate = new Gate('other questions', limits.running, limits.waiting);
  addRoute(server, {
    method: 'POST',
    url: '/v1/infer',
    summary: 'Runs a model. Optimistic: answers with the output and a signed receipt. zk: accepts a proof to make.',
    tag: 'questions',
    query: inferQuery,
    headers: { 'idempotency-key': idempotencyKey },
    json: inferBody,
    takesBytes: true,
    bodyLimit: jsonLimit(service.largestInput),
    answers: {
      200: { says: 'The output and its receipt', schema: answerSchema },
      202: { says: 'A job that makes the proof; Location says where it is', schema: jobSchema },
    },
    errors: [
      ...['HTTP_UNAUTHORIZED', 'HTTP_FORBIDDEN', 'HTTP_NOT_FOUND', 'HTTP_BODY_TOO_LARGE', 'HTTP_TYPE', 'TENSOR_SIZE', 'INPUT_VALUES'],
      ...[
        'INPUT_RANGE',
        'TIER_MISSING',
        'IDEMPOTENCY_CONFLICT',
        'CHANNEL_REFUSED',
        'CHANNEL_EXHAUSTED',
        'COVERAGE_REFUSED',
        'STEP_DIFFERS',
        'CHAIN_UNREACHABLE',
      ],
      'NODE_BUSY',
    ],
    handler: async ({ query, json, bytes }, request, reply) => {
      const modelId = json?.modelId ?? query.modelId;
      if (modelId === undefined) throw malformed('The request names no model: ?modelId=0x…');
      if (json !== undefined && Object.keys(request.query as object).length > 0) throw malformed('With a JSON body there is no query');
      const { tier, channel, coverage, seconds } = json ?? query;
      allow(request, tier === 'zk' ? 'prove' : 'infer');
      if (service.programFile(modelId) === undefined) throw notFound('model', modelId);
      const input = bytes ?? service.inputBytes(modelId, { values: json?.inputs, integers: json?.integers });
      const question = { modelId, input, caller: request.caller, idempotencyKey: idempotencyOf(request) };
      if (tier === 'zk') {
        const job = await gate.run(() => service.prove({ ...question, seconds: seconds ?? USUAL_SECONDS }));
        return reply.status(202).header('location', `/v1/jobs/${job.id}`).send(job);
      }
      return gate.run(() => service.infer({ ...question, channel, coverage, asNumbers: json !== undefined }));
    },
  });
  addRoute(server, {
    method: 'GET',
    url: '/v1/receipts/:id',
    summary: 'A receipt again, with its output',
    tag: 'questions',
    params: receiptParams,
    answers: { 200: { says: 'The receipt', schema: answerSchema } },
    errors: ['HTTP_NOT_FOUND'],
    handler: async ({ params }, request) => {
      const found = await service.receipt(params.id, request.caller);
      if (found === undefined) throw notFound('receipt', params.id);
      return found;
    },
  });
}

/** Bytes that a JSON question may take. */
export function jsonLimit(largestInput: number): number {
  return (1 << 16) + DIGITS * largestInput;
}
