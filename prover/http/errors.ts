import { AssayError } from '../../core/errors.ts';

/** HTTP status of every error code that the service answers with; a code that is not here is a defect and answers 500. */
export const HTTP_STATUS: Readonly<Record<string, number>> = {
  HTTP_BODY_TOO_LARGE: 413,
  HTTP_MALFORMED: 400,
  HTTP_NOT_FOUND: 404,
  HTTP_RATE_LIMITED: 429,
  INPUT_SHAPE: 400,
  NODE_BUSY: 503,
  TENSOR_SIZE: 400,
};

export function statusOf(error: AssayError): number {
  return HTTP_STATUS[error.code] ?? 500;
}

/** Fastify's own refusals (body too large, no such route, malformed JSON) in the project's form. */
export function fromFastify(error: unknown): AssayError {
  if (error instanceof AssayError) return error;
  const known = error as { statusCode?: number; message?: string };
  const status = known.statusCode ?? 500;
  if (status === 413) return new AssayError('The request body is too large', { code: 'HTTP_BODY_TOO_LARGE', fix: 'send fewer bytes' });
  if (status === 429) return new AssayError('Too many requests', { code: 'HTTP_RATE_LIMITED', fix: 'wait, then send fewer' });
  if (status >= 400 && status < 500)
    return new AssayError(`The request is malformed: ${known.message ?? ''}`, { code: 'HTTP_MALFORMED', fix: 'see docs/lifecycle.md' });
  return new AssayError('The node could not answer', { code: 'INTERNAL', fix: 'see the log of the node', cause: error });
}

export function notFound(what: string, id: string): AssayError {
  return new AssayError(`No such ${what}`, { code: 'HTTP_NOT_FOUND', facts: { id: id.slice(0, 80) }, fix: 'see GET /v1/models' });
}
