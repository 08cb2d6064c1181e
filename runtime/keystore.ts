import { createCipheriv, createDecipheriv, pbkdf2Sync, randomBytes, randomUUID, scryptSync, timingSafeEqual } from 'node:crypto';
import { scrypt } from '@noble/hashes/scrypt.js';
import { z } from 'zod';
import { AssayError } from '../core/errors.ts';
import { keccak256 } from '../core/keccak.ts';

/** A private key, encrypted: Web3 Secret Storage, version 3. https://ethereum.org/developers/docs/data-structures-and-encoding/web3-secret-storage */

const hex = (most: number) => z.string().regex(new RegExp(`^([0-9a-fA-F]{2}){1,${most}}$`), 'must be hex digits');
const KEY_BYTES = 32;

/** Most memory that reading a key may take, bytes: a file may come from somewhere else. */
const MOST_MEMORY = 512 * 2 ** 20;
const MOST_WORK = 2 ** 24;

const scryptParameters = z
  .object({
    n: z
      .int()
      .min(2)
      .max(2 ** 22),
    r: z.int().min(1).max(64),
    p: z.int().min(1).max(16),
    dklen: z.literal(KEY_BYTES),
    salt: hex(64),
  })
  .refine(({ n }) => (n & (n - 1)) === 0, 'n must be a power of two')
  .refine(({ n, r }) => 128 * n * r <= MOST_MEMORY, 'n and r ask for too much memory')
  .refine(({ n, r, p }) => n * r * p <= MOST_WORK, 'n, r and p ask for too much work');

const pbkdf2Parameters = z.object({
  c: z.int().min(1).max(10_000_000),
  prf: z.literal('hmac-sha256'),
  dklen: z.literal(KEY_BYTES),
  salt: hex(64),
});

const cipher = {
  cipher: z.literal('aes-128-ctr'),
  cipherparams: z.object({ iv: hex(16).length(32, 'must be 16 bytes') }),
  ciphertext: hex(KEY_BYTES).length(2 * KEY_BYTES, 'must be 32 bytes'),
  mac: hex(KEY_BYTES).length(2 * KEY_BYTES, 'must be 32 bytes'),
};

const cryptoSchema = z.discriminatedUnion('kdf', [
  z.object({ ...cipher, kdf: z.literal('scrypt'), kdfparams: scryptParameters }),
  z.object({ ...cipher, kdf: z.literal('pbkdf2'), kdfparams: pbkdf2Parameters }),
]);

/** What programs that write such files put in; members that decryption has no use for are let pass. */
const keystoreSchema = z.object({ version: z.literal(3), address: z.string().optional(), crypto: cryptoSchema });

type Crypto = z.output<typeof cryptoSchema>;

export interface Keystore {
  readonly version: 3;
  readonly id: string;
  /** Without 0x, lower case, as all programs write it. */
  readonly address: string;
  readonly crypto: Crypto;
}

export interface KeystoreCost {
  /** scrypt's N, a power of two; 2^17 unless told: some 128 MiB and a tenth of a second or more. */
  readonly n?: number;
}

const bytesOf = (text: string): Buffer => Buffer.from(text, 'hex');

/**
 * The private key in a keystore file.
 * @throws AssayError KEYSTORE_INVALID (form, or parameters that ask for too much), KEYSTORE_PASSWORD (wrong password or altered file);
 *   neither repeats anything of the file or the password
 */
export function decryptKeystore(text: string, password: string): `0x${string}` {
  const { crypto } = parsedKeystore(text);
  const derived = derive(crypto, password);
  const sealed = bytesOf(crypto.ciphertext);
  const mac = Buffer.from(keccak256(derived.subarray(16, 32), sealed));
  if (!timingSafeEqual(mac, bytesOf(crypto.mac))) {
    throw new AssayError('The keystore does not open with this password', {
      code: 'KEYSTORE_PASSWORD',
      fix: 'give the password it was written with; if it is right, the file was altered: restore it',
    });
  }
  const decipher = createDecipheriv('aes-128-ctr', derived.subarray(0, 16), bytesOf(crypto.cipherparams.iv));
  return `0x${Buffer.concat([decipher.update(sealed), decipher.final()]).toString('hex')}`;
}

/** Encrypts a private key. @param address of the key */
export function encryptKeystore(privateKey: `0x${string}`, address: string, password: string, cost: KeystoreCost = {}): Keystore {
  const key = bytesOf(privateKey.slice(2));
  if (key.length !== KEY_BYTES) throw new RangeError('a private key has 32 bytes');
  const iv = randomBytes(16);
  const kdfparams = { n: cost.n ?? 2 ** 17, r: 8, p: 1, dklen: KEY_BYTES, salt: randomBytes(32).toString('hex') } as const;
  const derived = deriveScrypt(kdfparams, password);
  const sealing = createCipheriv('aes-128-ctr', derived.subarray(0, 16), iv);
  const sealed = Buffer.concat([sealing.update(key), sealing.final()]);
  const mac = Buffer.from(keccak256(derived.subarray(16, 32), sealed)).toString('hex');
  return {
    version: 3,
    id: randomUUID(),
    address: address.slice(2).toLowerCase(),
    crypto: {
      cipher: 'aes-128-ctr',
      cipherparams: { iv: iv.toString('hex') },
      ciphertext: sealed.toString('hex'),
      mac,
      kdf: 'scrypt',
      kdfparams,
    },
  };
}

/** The address that a keystore says it is of; undefined where it says none. Not checked: only the password could. */
export function keystoreAddress(text: string): `0x${string}` | undefined {
  const { address } = parsedKeystore(text);
  return address === undefined ? undefined : `0x${address.replace(/^0x/, '').toLowerCase()}`;
}

function parsedKeystore(text: string): z.output<typeof keystoreSchema> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw invalid('it is not JSON');
  }
  // Some old programs write "Crypto".
  const { Crypto, ...rest } = (typeof json === 'object' && json !== null ? json : {}) as Record<string, unknown>;
  const parsed = keystoreSchema.safeParse(Crypto === undefined ? rest : { crypto: Crypto, ...rest });
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw invalid(`${issue?.path.join('.') || 'its top'}: ${issue?.message ?? 'wrong form'}`);
}

function derive(crypto: Crypto, password: string): Buffer {
  if (crypto.kdf === 'scrypt') return deriveScrypt(crypto.kdfparams, password);
  const { c, salt } = crypto.kdfparams;
  return pbkdf2Sync(password.normalize('NFKC'), bytesOf(salt), c, KEY_BYTES, 'sha256');
}

function deriveScrypt({ n, r, p, salt }: z.output<typeof scryptParameters>, password: string): Buffer {
  const secret = password.normalize('NFKC');
  // OpenSSL refuses what the definition's own test vector, and some wallets, use: n at or above 2^(16·r).
  if (n >= 2 ** (16 * r)) return Buffer.from(scrypt(secret, bytesOf(salt), { N: n, r, p, dkLen: KEY_BYTES, maxmem: 2 * MOST_MEMORY }));
  return scryptSync(secret, bytesOf(salt), KEY_BYTES, { N: n, r, p, maxmem: 2 * MOST_MEMORY });
}

function invalid(why: string): AssayError {
  return new AssayError(`The keystore file cannot be used: ${why}`, {
    code: 'KEYSTORE_INVALID',
    fix: 'give a Web3 Secret Storage file, version 3, as `assay keystore new` or an Ethereum wallet writes it',
  });
}
