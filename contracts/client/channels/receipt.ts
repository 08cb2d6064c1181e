import type { Address, Hex } from 'viem';

/** Fields of a receipt as text, as it travels (verifier/receipt.ts has the meanings and the checks). */
export interface ReceiptFields {
  readonly prover: string;
  readonly modelId: string;
  readonly inputRoot: string;
  readonly outputRoot: string;
  readonly issuedAt: string;
  readonly channel: string;
  readonly nonce: string;
  readonly coverage: string;
  readonly outstanding: string;
  readonly expiry: string;
}

/** A receipt and the signature of a key bound to its prover. */
export interface SignedFields {
  readonly receipt: ReceiptFields;
  readonly signature: string;
}

/** The struct as the contract takes it. */
export function receiptOnChain(receipt: ReceiptFields) {
  return {
    prover: receipt.prover as Address,
    modelId: receipt.modelId as Hex,
    inputRoot: receipt.inputRoot as Hex,
    outputRoot: receipt.outputRoot as Hex,
    issuedAt: BigInt(receipt.issuedAt),
    channel: receipt.channel as Hex,
    nonce: BigInt(receipt.nonce),
    coverage: BigInt(receipt.coverage),
    outstanding: BigInt(receipt.outstanding),
    expiry: BigInt(receipt.expiry),
  };
}
