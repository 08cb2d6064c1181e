import type { Address } from 'viem';
import { keccak256, toHash } from '../../core/keccak.ts';
import { RECEIPT_TYPES, type Receipt, type SignedReceipt } from '../../verifier/receipt.ts';
import type { ReceiptSigner } from './signer.ts';

/** What of a coverage channel a receipt draws on. */
export interface Backing {
  readonly channel: string;
  readonly nonce: bigint;
  readonly coverage: bigint;
  /** Running sum of unexpired coverage, this one included. */
  readonly outstanding: bigint;
  /** Last second at which the receipt can be opened. */
  readonly expiry: number;
}

/** What a receipt is about. */
export interface Answer {
  readonly modelId: string;
  readonly inputRoot: string;
  readonly outputRoot: string;
}

export interface MadeReceipt extends SignedReceipt {
  /** Hash of digest and signature. */
  readonly id: string;
  /** EIP-712 digest: the claim's id once its customer opens it. */
  readonly digest: string;
}

const ZERO_WORD = `0x${'0'.repeat(64)}`;
/** No lock answers for such a receipt; the signature alone does. */
export const UNSECURED: Backing = { channel: ZERO_WORD, nonce: 0n, coverage: 0n, outstanding: 0n, expiry: 0 };

const TIME_DIGITS = 12;
/** Seconds after the time in its name at which a receipt has expired at the latest. */
const LONGEST_LIFE = 2 * 86_400;

/** What all names of receipts of a time begin with, and all earlier ones come before. */
function namePrefix(milliseconds: number): string {
  return `0x${Math.max(0, milliseconds).toString(16).padStart(TIME_DIGITS, '0')}`;
}

/**
 * Name under which a receipt is kept: the millisecond, then as much of its id as a word has room for. Names of one time lie together, so
 * storing the millionth costs what the first did, and the oldest are found without reading any; nobody can guess one.
 * @param expiry last second at which it can be opened; 0 where it cannot. One far off moves the time in the name
 */
export function receiptName(id: string, milliseconds: number, expiry = 0): string {
  return `${namePrefix(Math.max(milliseconds, (expiry - LONGEST_LIFE) * 1000))}${id.slice(2 + TIME_DIGITS)}`;
}

/** What the names of all receipts come before that had expired at a second, in unix seconds. */
export function namesExpiredAt(second: number): string {
  return namePrefix((second - LONGEST_LIFE) * 1000);
}

const WORD = 32;
const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const FIELDS = RECEIPT_TYPES.Receipt;
const TYPE_HASH = keccak256(text(`Receipt(${FIELDS.map(({ name, type }) => `${type} ${name}`).join(',')})`));
const DOMAIN_TYPE_HASH = keccak256(text('EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)'));
const PREFIX = Uint8Array.of(0x19, 0x01);

/** ABI encoding of one static value: numbers, addresses and hashes fill the right of a word. */
function writeWord(words: Buffer, position: number, value: string): void {
  const hex = value.startsWith('0x') ? value.slice(2) : BigInt(value).toString(16);
  words.write(hex.padStart(2 * WORD, '0'), position * WORD, 'hex');
}

/**
 * Makes receipts: hashes and signs what verifier/receipt.ts checks, with no general EIP-712 encoder in the way. Cost: some 0.1 ms,
 * nearly all of it the signature.
 */
export class ReceiptMaker {
  readonly domain: SignedReceipt['domain'];
  private readonly separator: Uint8Array;
  private readonly owner: Address;
  private readonly signer: ReceiptSigner;

  /** @param owner whose stake answers for the signer's key @param domain chain, and the stake vault that knows the key */
  constructor(owner: Address, signer: ReceiptSigner, domain: SignedReceipt['domain']) {
    this.owner = owner;
    this.signer = signer;
    this.domain = domain;
    const words = Buffer.alloc(5 * WORD);
    [DOMAIN_TYPE_HASH, keccak256(text('Assay')), keccak256(text('1'))].forEach((hash, i) => {
      words.set(hash, i * WORD);
    });
    writeWord(words, 3, String(domain.chainId));
    writeWord(words, 4, domain.verifyingContract);
    this.separator = keccak256(words);
  }

  /** @param issuedAt unix seconds */
  async make(answer: Answer, backing: Backing, issuedAt: number): Promise<MadeReceipt> {
    const receipt: Receipt = {
      prover: this.owner,
      modelId: answer.modelId,
      inputRoot: answer.inputRoot,
      outputRoot: answer.outputRoot,
      issuedAt: String(issuedAt),
      channel: backing.channel,
      nonce: String(backing.nonce),
      coverage: String(backing.coverage),
      outstanding: String(backing.outstanding),
      expiry: String(backing.expiry),
    };
    const digest = this.digest(receipt);
    const made = this.signer.sign(digest);
    const signature = made instanceof Uint8Array ? made : await made;
    return {
      receipt,
      domain: this.domain,
      signature: toHash(signature),
      id: toHash(keccak256(digest, signature)),
      digest: toHash(digest),
    };
  }

  private digest(receipt: Receipt): Uint8Array {
    const words = Buffer.alloc((1 + FIELDS.length) * WORD);
    words.set(TYPE_HASH);
    FIELDS.forEach(({ name }, i) => {
      writeWord(words, 1 + i, receipt[name]);
    });
    return keccak256(PREFIX, this.separator, keccak256(words));
  }
}
