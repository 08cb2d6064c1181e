import { secp256k1 } from '@noble/curves/secp256k1.js';
import { type Address, getAddress, hashTypedData, isAddressEqual, keccak256, recoverAddress } from 'viem';
import { z } from 'zod';
import { AssayError } from '../core/errors.ts';

const HALF_ORDER = secp256k1.Point.Fn.ORDER / 2n;

/** EIP-712 types of a receipt: what a registered key signs for an answer given off chain. */
export const RECEIPT_TYPES = {
  Receipt: [
    { name: 'prover', type: 'address' },
    { name: 'modelId', type: 'bytes32' },
    { name: 'inputRoot', type: 'bytes32' },
    { name: 'outputRoot', type: 'bytes32' },
    { name: 'issuedAt', type: 'uint64' },
    { name: 'channel', type: 'bytes32' },
    { name: 'nonce', type: 'uint64' },
    { name: 'coverage', type: 'uint128' },
    { name: 'outstanding', type: 'uint128' },
    { name: 'expiry', type: 'uint64' },
  ],
} as const;

const address = z.string().regex(/^0x[0-9a-fA-F]{40}$/);
const bytes32 = z.string().regex(/^0x[0-9a-f]{64}$/);
const uint = z.string().regex(/^(0|[1-9][0-9]{0,38})$/);

export const receiptSchema = z.strictObject({
  prover: address,
  modelId: bytes32,
  inputRoot: bytes32,
  outputRoot: bytes32,
  issuedAt: uint,
  /** Zero: unsecured; no lock answers for it, the signature alone does. */
  channel: bytes32,
  nonce: uint,
  coverage: uint,
  outstanding: uint,
  expiry: uint,
});

export const signedReceiptSchema = z.strictObject({
  receipt: receiptSchema,
  domain: z.strictObject({ chainId: z.int().min(1), verifyingContract: address }),
  signature: z.string().regex(/^0x[0-9a-f]{130}$/),
});

export type Receipt = z.output<typeof receiptSchema>;
export type SignedReceipt = z.output<typeof signedReceiptSchema>;

const ZERO = `0x${'0'.repeat(64)}`;

/** True when no lock stands behind the receipt. */
export function isUnsecured(receipt: Receipt): boolean {
  return receipt.channel === ZERO;
}

/** Digest that the prover's key signs. @param domain chain, and the stake vault that knows the prover's keys */
export function receiptDigest(receipt: Receipt, domain: SignedReceipt['domain']): `0x${string}` {
  return hashTypedData({
    domain: { name: 'Assay', version: '1', chainId: domain.chainId, verifyingContract: getAddress(domain.verifyingContract) },
    types: RECEIPT_TYPES,
    primaryType: 'Receipt',
    message: {
      prover: receipt.prover as Address,
      modelId: receipt.modelId as `0x${string}`,
      inputRoot: receipt.inputRoot as `0x${string}`,
      outputRoot: receipt.outputRoot as `0x${string}`,
      issuedAt: BigInt(receipt.issuedAt),
      channel: receipt.channel as `0x${string}`,
      nonce: BigInt(receipt.nonce),
      coverage: BigInt(receipt.coverage),
      outstanding: BigInt(receipt.outstanding),
      expiry: BigInt(receipt.expiry),
    },
  });
}

/** Name of a receipt: hash of digest and signature. */
export function receiptId(signed: SignedReceipt): `0x${string}` {
  return keccak256(`${receiptDigest(signed.receipt, signed.domain)}${signed.signature.slice(2)}`);
}

/** Who says which owner a key acts for; the stake vault does (`bindingOf`). */
export interface KeyBindings {
  bindingOf(key: Address): Promise<{ readonly owner: Address; readonly retiredAt: bigint }>;
}

function invalid(message: string, facts: Record<string, string | number> = {}): never {
  throw new AssayError(`The receipt is not valid: ${message}`, {
    code: 'RECEIPT_INVALID',
    facts,
    fix: 'do not rely on the answer; ask the prover again',
  });
}

/**
 * Checks a receipt: its form, the chain and contract it is for, a low-s signature, and that the key was bound to the
 * prover when it signed. What the answer is worth is another question: see `isUnsecured`.
 * @param expected what the customer asked for; the receipt must say the same
 * @returns the receipt and the key that signed it
 * @throws AssayError RECEIPT_INVALID
 */
export async function verifyReceipt(
  json: unknown,
  expected: {
    readonly chainId: number;
    readonly vault: Address;
    readonly modelId: string;
    readonly inputRoot: string;
    readonly outputRoot: string;
  },
  bindings: KeyBindings,
): Promise<{ readonly receipt: Receipt; readonly key: Address }> {
  const parsed = signedReceiptSchema.safeParse(json);
  if (!parsed.success) return invalid('it has the wrong form', { at: parsed.error.issues[0]?.path.join('.') ?? '' });
  const { receipt, domain, signature } = parsed.data;
  if (domain.chainId !== expected.chainId || !isAddressEqual(domain.verifyingContract as Address, expected.vault)) {
    return invalid('it is for another chain or deployment', { chainId: domain.chainId });
  }
  for (const member of ['modelId', 'inputRoot', 'outputRoot'] as const) {
    if (receipt[member] !== expected[member]) return invalid(`it is for another ${member}`, { said: receipt[member] });
  }
  if (BigInt(`0x${signature.slice(66, 130)}`) > HALF_ORDER) return invalid('its signature is not in the low-s form');
  const key = await recoverAddress({ hash: receiptDigest(receipt, domain), signature: signature as `0x${string}` }).catch(() =>
    invalid('its signature is malformed'),
  );
  const binding = await bindings.bindingOf(key);
  if (!isAddressEqual(binding.owner, receipt.prover as Address)) return invalid('its key is not registered for the prover', { key });
  if (binding.retiredAt !== 0n && BigInt(receipt.issuedAt) >= binding.retiredAt) return invalid('its key was retired before', { key });
  return { receipt, key };
}
