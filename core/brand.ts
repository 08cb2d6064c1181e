declare const brand: unique symbol;

/** A value that carries its meaning in its type: a ModelId cannot be passed where a ClaimId is wanted. */
export type Brand<Value, Name extends string> = Value & { readonly [brand]: Name };

export type Hex = `0x${string}`;
/** 32 bytes as 0x-prefixed lower-case hex. */
export type Hash = Brand<Hex, 'Hash'>;
export type ModelId = Brand<Hex, 'ModelId'>;

const HASH = /^0x[0-9a-f]{64}$/;

/** Parses 32 bytes of hex; returns undefined when the text is anything else. */
export function parseHash(text: string): Hash | undefined {
  const lower = text.toLowerCase();
  return HASH.test(lower) ? (lower as Hash) : undefined;
}
