import { BaseError } from 'viem';
import { AssayError } from '../../core/errors.ts';

/** HTTP status of every error code that the service answers with; a code that is not here is a defect and answers 500. */
export const HTTP_STATUS: Readonly<Record<string, number>> = {
  CHAIN_UNREACHABLE: 503,
  CHANNEL_EXHAUSTED: 409,
  CHANNEL_REFUSED: 403,
  COVERAGE_REFUSED: 422,
  DISK_FULL: 507,
  HTTP_BODY_TOO_LARGE: 413,
  HTTP_FORBIDDEN: 403,
  HTTP_HEADERS_TOO_LARGE: 431,
  HTTP_MALFORMED: 400,
  HTTP_METHOD: 405,
  HTTP_NOT_FOUND: 404,
  HTTP_RANGE: 416,
  HTTP_RATE_LIMITED: 429,
  HTTP_TIMEOUT: 408,
  HTTP_TYPE: 415,
  HTTP_UNAUTHORIZED: 401,
  IDEMPOTENCY_CONFLICT: 422,
  INPUT_RANGE: 400,
  INPUT_SHAPE: 400,
  INPUT_VALUES: 400,
  INTERNAL: 500,
  MATERIAL_MISSING: 503,
  NODE_BUSY: 503,
  NODE_STOPPING: 503,
  QUEUE_UNREACHABLE: 503,
  STEP_DIFFERS: 503,
  STORE_FAILED: 503,
  STORE_UNREACHABLE: 503,
  TENSOR_SIZE: 400,
  TIER_MISSING: 409,
};

export function statusOf(error: AssayError): number {
  return HTTP_STATUS[error.code] ?? 500;
}

const SEE = 'see /docs of this node, or docs/operating.md';

/** Fastify's own refusals (body too large, no such route, malformed JSON) in the project's form. */
export function fromFastify(error: unknown): AssayError {
  if (isChainAway(error)) {
    return new AssayError('The chain that this answer depends on cannot be asked now', {
      code: 'CHAIN_UNREACHABLE',
      fix: 'ask again in a minute, or for a receipt without coverage',
      cause: error,
    });
  }
  if (error instanceof AssayError) return error;
  const { statusCode: status = 500, message = '' } = error as { statusCode?: number; message?: string };
  if (status === 413) return new AssayError('The request body is too large', { code: 'HTTP_BODY_TOO_LARGE', fix: 'send fewer bytes' });
  if (status === 415) return new AssayError('The request body has a type that is not taken here', { code: 'HTTP_TYPE', fix: SEE });
  if (status === 408) return new AssayError('The request took too long to arrive', { code: 'HTTP_TIMEOUT', fix: 'send it faster' });
  if (status === 503) return stopping();
  if (status >= 400 && status < 500) return malformed(`The request is malformed: ${message.slice(0, 200)}`);
  return new AssayError('The node could not answer', { code: 'INTERNAL', fix: 'see the log of the node', cause: error });
}

/** Which endpoints, the log tells, not a customer; viem wraps what its transport throws. */
function isChainAway(error: unknown): boolean {
  if (error instanceof AssayError) return error.code === 'CHAIN_UNREACHABLE' || error.code === 'ENDPOINTS_DISAGREE';
  return error instanceof BaseError && error.walk((cause) => cause !== error && isChainAway(cause)) !== null;
}

/** What is wrong with bytes that never became a request, by the code of Node's parser. */
export function fromSocket(code: string | undefined): AssayError {
  if (code === 'HPE_HEADER_OVERFLOW') {
    return new AssayError('The request has too large headers', { code: 'HTTP_HEADERS_TOO_LARGE', fix: 'send fewer or shorter headers' });
  }
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return fromFastify({ statusCode: 408 });
  return malformed('The request is not HTTP');
}

export function malformed(message: string): AssayError {
  return new AssayError(message, { code: 'HTTP_MALFORMED', fix: SEE });
}

export function stopping(): AssayError {
  return new AssayError('The node is stopping', { code: 'NODE_STOPPING', fix: 'send the request again: to another node, or in a minute' });
}

export function rateLimited(seconds: number): AssayError {
  return new AssayError('Too many requests', { code: 'HTTP_RATE_LIMITED', facts: { seconds }, fix: `wait ${seconds} s, then send fewer` });
}

export function notFound(what: string, id: string): AssayError {
  return new AssayError(`No such ${what}`, { code: 'HTTP_NOT_FOUND', facts: { id: id.slice(0, 80) }, fix: 'see GET /v1/models' });
}

/** The body of an error, as docs/errors.md says. */
export function errorBody(error: AssayError): Readonly<Record<string, unknown>> {
  const facts = Object.entries(error.facts).map(([name, value]) => [name, typeof value === 'bigint' ? value.toString() : value]);
  return { error: { code: error.code, message: error.message, facts: Object.fromEntries(facts), fix: error.fix } };
}
