import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { AssayError } from '../../../core/errors.ts';
import type { Gate } from '../../concurrency/gate.ts';
import { notFound } from '../errors.ts';
import { namesEntity, readRange } from '../ranges.ts';
import { addRoute, BYTES } from '../route.ts';
import { inputParams, modelParams, modelsSchema, namesSchema } from '../schemas.ts';
import type { NodeService, ProgramFile } from '../service.ts';
import type { UploadBudget } from '../uploads.ts';

/**
 * What is served, and the bytes that whoever checks an answer needs.
 * @param gate bounds how many inputs are read or written at once @param uploads what callers without a key may have kept
 */
export function addModelRoutes(server: FastifyInstance, service: NodeService, gate: Gate, uploads: UploadBudget): void {
  const programOf = (modelId: string): ProgramFile => {
    const file = service.programFile(modelId);
    if (file === undefined) throw notFound('model', modelId);
    return file;
  };
  addRoute(server, {
    method: 'GET',
    url: '/v1/models',
    summary: 'The models that are served',
    tag: 'models',
    answers: { 200: { says: 'The models', schema: modelsSchema } },
    handler: () => ({ models: service.models() }),
  });
  addRoute(server, {
    method: 'GET',
    url: '/v1/models/:modelId/program',
    summary: 'The program file, whole or in part; its ETag is its keccak256',
    tag: 'models',
    params: modelParams,
    answers: {
      200: { says: 'The file', type: BYTES },
      206: { says: 'A part of it', type: BYTES },
      304: { says: 'It is the one that If-None-Match names' },
    },
    errors: ['HTTP_NOT_FOUND', 'HTTP_RANGE'],
    handler: ({ params }, request, reply) => sendProgram(programOf(params.modelId), request, reply),
  });
  addRoute(server, {
    method: 'PUT',
    url: '/v1/models/:modelId/inputs',
    summary: 'Input bytes for a request on chain that names a root or a commitment',
    tag: 'models',
    params: modelParams,
    takesBytes: true,
    bodyLimit: Math.max(1 << 16, service.largestInput),
    answers: { 200: { says: 'The names under which they are kept', schema: namesSchema } },
    errors: ['HTTP_NOT_FOUND', 'HTTP_BODY_TOO_LARGE', 'HTTP_TYPE', 'TENSOR_SIZE', 'NODE_BUSY'],
    handler: async ({ params, bytes }, { access }) => {
      programOf(params.modelId);
      if (typeof access !== 'object') uploads.take(bytes?.length ?? 0);
      return gate.run(() => service.acceptInput(params.modelId, bytes ?? new Uint8Array()));
    },
  });
  addRoute(server, {
    method: 'GET',
    url: '/v1/inputs/:hash',
    summary: 'Input bytes by root or commitment',
    tag: 'models',
    params: inputParams,
    answers: { 200: { says: 'The bytes', type: BYTES } },
    errors: ['HTTP_NOT_FOUND', 'NODE_BUSY'],
    handler: async ({ params }, _request, reply) => {
      const bytes = await gate.run(() => service.input(params.hash));
      if (bytes === undefined) throw notFound('input', params.hash);
      return reply.type(BYTES).send(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    },
  });
}

/** Content-addressed: what a name stands for never changes, so whoever has it need not ask again. */
function sendProgram(file: ProgramFile, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const tag = `"${file.hash}"`;
  reply.header('etag', tag).header('accept-ranges', 'bytes').header('cache-control', 'public, immutable, max-age=31536000');
  if (namesEntity(request.headers['if-none-match'], tag)) return reply.status(304).send();
  reply.type(BYTES);
  const condition = request.headers['if-range'];
  const isWanted = condition === undefined || namesEntity(String(condition), tag);
  const range = isWanted ? readRange(request.headers.range, file.bytes) : undefined;
  if (range === undefined) return reply.header('content-length', file.bytes).send(contentOf(file, request));
  if (range === 'unsatisfiable') {
    reply.header('content-range', `bytes */${file.bytes}`).removeHeader('etag').header('cache-control', 'no-store');
    throw new AssayError('The file has no such part', {
      code: 'HTTP_RANGE',
      facts: { bytes: file.bytes },
      fix: 'ask for bytes that exist',
    });
  }
  const { start, end } = range;
  return reply
    .status(206)
    .header('content-range', `bytes ${start}-${end}/${file.bytes}`)
    .header('content-length', end - start + 1)
    .send(contentOf(file, request, { start, end }));
}

/** HEAD is answered without its content, which would be read all the same. */
function contentOf({ path }: ProgramFile, { method }: FastifyRequest, part: { start?: number; end?: number } = {}): Readable {
  return method === 'HEAD' ? Readable.from([]) : createReadStream(path, part);
}
