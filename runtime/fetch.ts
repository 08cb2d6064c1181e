import { AssayError } from '../core/errors.ts';

export interface FetchLimits {
  /** Bytes of the answer; more is cut off and refused. */
  readonly mostBytes: number;
  /** Milliseconds for the whole answer. */
  readonly timeout: number;
}

/**
 * Reads bytes over HTTP from somebody who is not trusted: bounded in size and time, redirects refused. Undefined when
 * the other side does not have them or does not answer properly; the caller checks what it gets against a hash.
 */
export async function fetchBytes(url: string, limits: FetchLimits, signal?: AbortSignal): Promise<Uint8Array | undefined> {
  const timeout = AbortSignal.timeout(limits.timeout);
  try {
    const response = await fetch(checkedUrl(url), {
      redirect: 'error',
      signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
    });
    if (!response.ok || response.body === null) {
      await response.body?.cancel();
      return undefined;
    }
    return await readBounded(response.body, limits.mostBytes);
  } catch (error) {
    if (error instanceof AssayError) throw error;
    return undefined;
  }
}

/** @throws AssayError URL_INVALID */
function checkedUrl(url: string): URL {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || (parsed.protocol !== 'http:' && parsed.protocol !== 'https:')) {
    throw new AssayError('Not an address to fetch from', {
      code: 'URL_INVALID',
      facts: { url: url.slice(0, 200) },
      fix: 'give an http or https URL',
    });
  }
  return parsed;
}

async function readBounded(body: ReadableStream<Uint8Array>, mostBytes: number): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  // Leaving the loop cancels the stream.
  for await (const chunk of body) {
    size += chunk.length;
    if (size > mostBytes) return undefined;
    chunks.push(chunk);
  }
  return Uint8Array.from(Buffer.concat(chunks));
}
