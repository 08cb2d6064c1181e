/** What Node's network codes mean to who set an address. */
const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'it closes the connection',
  UND_ERR_SOCKET: 'it closes the connection',
  ENOTFOUND: 'there is no host of that name',
  EAI_AGAIN: 'its name cannot be resolved now',
  EHOSTUNREACH: 'there is no way to that host',
  ENETUNREACH: 'there is no way to that host',
  ETIMEDOUT: 'no answer in time',
  UND_ERR_CONNECT_TIMEOUT: 'no answer in time',
};

/**
 * Why an HTTP address did not answer, in few words. Takes nothing from messages: they repeat the address, whose path may be a key.
 * @param error of fetch or viem, with its causes
 */
export function whyUnanswered(error: unknown): string {
  let isMalformed = false;
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 10; at = at.cause, depth++) {
    const { code, status, name } = at as { code?: unknown; status?: unknown; name: string };
    if (typeof status === 'number') return `it answers HTTP ${status}`;
    if (typeof code === 'number' && name === 'RpcRequestError') return `it answers JSON-RPC error ${code}`;
    if (typeof code === 'string') {
      const word = WORDS[code] ?? tlsWord(code);
      if (word !== undefined) return word;
    }
    // Ports of other protocols, by the rules of fetch.
    if (at.message === 'bad port') return 'no HTTP is spoken on that port';
    if (name === 'TimeoutError') return 'no answer in time';
    isMalformed ||= at instanceof SyntaxError;
  }
  return isMalformed ? 'what it answers is not JSON' : 'no proper answer';
}

function tlsWord(code: string): string | undefined {
  if (code === 'EPROTO' || code.startsWith('ERR_SSL_')) return 'it does not speak TLS: is it http instead of https?';
  if (/CERT|SELF_SIGNED|UNABLE_TO_/.test(code)) return `its certificate is not trusted (${code})`;
  return undefined;
}
