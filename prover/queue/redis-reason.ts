/** What a Redis or the way to it says, in words for who set the address. @param message without the address; it is not repeated where it is known */
export function redisReason(url: string, message: string): string {
  const known = KNOWN.find(([pattern]) => pattern.test(message))?.[1];
  const isTls = new URL(url).protocol === 'rediss:';
  const mayBePlain = isTls && /ETIMEDOUT|ECONNRESET|EPROTO|socket disconnected|wrong version/i.test(message);
  const text = known ?? message.slice(0, 300);
  return mayBePlain ? `${text}; the address says TLS (rediss): does it speak that?` : text;
}

const KNOWN: readonly (readonly [RegExp, string])[] = [
  [/^NOAUTH/, 'it wants a password'],
  [/^WRONGPASS|invalid password/, 'user or password is wrong'],
  [/^READONLY/, 'it is a replica that cannot be written to'],
  [/^OOM/, 'its memory is full'],
  [/^MISCONF/, 'it cannot write to its disk, and takes nothing until it can'],
  [/DB index is out of range/, 'it has no database of that number'],
];
