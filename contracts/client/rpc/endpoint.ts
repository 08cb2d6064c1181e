import { HttpRequestError, http, RpcRequestError } from 'viem';

/** One JSON-RPC call, as it goes over the wire. */
export interface RpcCall {
  readonly method: string;
  readonly params?: unknown;
}

/** Why an endpoint is not asked for now. */
export type AsideReason = 'wrong chain' | 'other block' | 'behind';

const LONGEST_REST = 60_000;
const FIRST_REST = 250;
const REST_OF_LIMITED = 1_000;
/** Milliseconds that a call waits for an endpoint that rests after failures, where no other is well. */
const LONGEST_WAIT = 2_000;
/** JSON-RPC errors that are the endpoint's and not the call's: another endpoint may do better. */
const OWN_FAULTS = new Set([-32_603, -32_005, -32_002, -32_004, -32_601, 429]);
const MISSING =
  /header not found|block not found|unknown block|missing trie node|not available|rate limit|too many requests|beyond|timed? ?out/i;
const REVERT = /revert/i;

/** One endpoint and how it has behaved. Nothing here repeats its address: that may carry an API key. */
export class Endpoint {
  /** Place in the configured list. */
  readonly index: number;
  readonly host: string;
  /** Newest block it told of. */
  head = -1n;
  aside: AsideReason | undefined;
  /** The chain it said it is on; unknown before it was asked. */
  chainId: number | undefined;
  private readonly send: (call: RpcCall) => Promise<unknown>;
  private restUntil = 0;
  private limitedUntil = 0;
  /** Failures one after the other; those of calls that were under way together are one. */
  private failures = 0;
  private failedAt = Number.NEGATIVE_INFINITY;

  /** @param timeout milliseconds for one call */
  constructor(index: number, url: string, timeout: number) {
    this.index = index;
    this.host = new URL(url).host;
    const { request } = http(url, { retryCount: 0, raw: true, timeout })({ retryCount: 0 });
    this.send = request as (call: RpcCall) => Promise<unknown>;
  }

  /** Milliseconds until it should be asked again: after failures it rests, longer each time; after 429 as long as it says. */
  resting(): number {
    return Math.max(0, Math.max(this.restUntil, this.limitedUntil) - performance.now());
  }

  /** Milliseconds that a call waits for it where no other is well: a limit is kept to, but what failed may be there again at any time. */
  patience(): number {
    const limited = Math.max(0, this.limitedUntil - performance.now());
    return Math.max(limited, Math.min(LONGEST_WAIT, this.resting()));
  }

  /**
   * @throws EndpointFailed when the endpoint failed and another may do better; viem's RpcRequestError when the call itself is refused
   */
  async ask(call: RpcCall): Promise<unknown> {
    const began = performance.now();
    // One call tries whether it is there again; others go elsewhere meanwhile.
    if (this.failures > 0) this.rest();
    let answer: unknown;
    try {
      answer = await this.send(call);
    } catch (cause) {
      this.failed(began, restOf(cause));
      throw new EndpointFailed(this, cause);
    }
    const { result, error } = answer as { readonly result?: unknown; readonly error?: { code: number; message: string; data?: unknown } };
    if (error === undefined) {
      this.answered();
      return result;
    }
    const refused = new RpcRequestError({ body: { method: call.method }, error, url: this.host });
    if (!isOwnFault(error)) {
      this.answered();
      throw refused;
    }
    this.failed(began, error.code === -32_005 || error.code === 429 ? REST_OF_LIMITED : undefined);
    throw new EndpointFailed(this, refused);
  }

  private answered(): void {
    this.failures = 0;
    this.restUntil = 0;
  }

  private failed(began: number, limit: number | undefined): void {
    const now = performance.now();
    if (limit !== undefined) {
      this.limitedUntil = Math.max(this.limitedUntil, now + limit);
      return;
    }
    // What was asked before the last failure was known tells of the same trouble.
    if (began < this.failedAt) return;
    this.failures++;
    this.failedAt = now;
    this.rest();
  }

  private rest(): void {
    this.restUntil = performance.now() + Math.min(LONGEST_REST, FIRST_REST * 2 ** Math.min(this.failures - 1, 8));
  }
}

/** An endpoint that did not answer, or not properly. */
export class EndpointFailed extends Error {
  readonly endpoint: Endpoint;

  constructor(endpoint: Endpoint, cause: unknown) {
    super(`endpoint ${endpoint.index} failed`, { cause });
    this.endpoint = endpoint;
  }
}

function isOwnFault({ code, message }: { readonly code: number; readonly message: string }): boolean {
  if (REVERT.test(message)) return false;
  return OWN_FAULTS.has(code) || (code === -32_000 && MISSING.test(message));
}

/** Milliseconds that a rate limit asks for; undefined for other failures. */
function restOf(error: unknown): number | undefined {
  if (!(error instanceof HttpRequestError) || error.status !== 429) return undefined;
  const after = error.headers?.get('retry-after') ?? '';
  const told = /^\d{1,6}$/.test(after) ? Number(after) * 1000 : Date.parse(after) - Date.now();
  return Number.isFinite(told) && told > 0 ? Math.min(LONGEST_REST, told) : REST_OF_LIMITED;
}
