import fc from 'fast-check';
import { type Hex, hexToBytes, recoverAddress, toHex } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import { describe, expect, it } from 'vitest';
import { AssayError } from '../../core/errors.ts';
import { fromHex } from '../../core/keccak.ts';
import { ReceiptMaker, receiptName, UNSECURED } from '../../prover/service/receipts.ts';
import { accountSigner, isNativeSigning, keySigner, signWithNoble } from '../../prover/service/signer.ts';
import { receiptDigest, receiptId, signedReceiptSchema } from '../../verifier/receipt.ts';

const KEY = `0x${'4c'.repeat(32)}` as Hex;
const account = privateKeyToAccount(KEY);
const OWNER = '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed';
const DOMAIN = { chainId: 31_337, verifyingContract: '0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359' };
const word = fc.uint8Array({ minLength: 32, maxLength: 32 });
const seed = { seed: 20_260_101 };

describe('signing', () => {
  it('is native here, and makes the very bytes that viem and noble make', async () => {
    expect(isNativeSigning).toBe(true);
    const signer = keySigner(KEY);
    expect(signer.address).toBe(account.address);
    await fc.assert(
      fc.asyncProperty(word, async (digest) => {
        const expected = await account.sign({ hash: toHex(digest) });
        expect(toHex(await signer.sign(digest))).toBe(expected);
        expect(toHex(signWithNoble(digest, hexToBytes(KEY)))).toBe(expected);
        expect(toHex(await accountSigner(account).sign(digest))).toBe(expected);
      }),
      { ...seed, numRuns: 100 },
    );
  });

  it('holds for every valid key, in the low-s form', async () => {
    const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
    await fc.assert(
      fc.asyncProperty(fc.bigInt({ min: 1n, max: order - 1n }), word, async (secret, digest) => {
        const signer = keySigner(`0x${secret.toString(16).padStart(64, '0')}`);
        const signature = await signer.sign(digest);
        expect(await recoverAddress({ hash: toHex(digest), signature: toHex(signature) })).toBe(signer.address);
        expect(BigInt(toHex(signature.subarray(32, 64))) <= order / 2n).toBe(true);
      }),
      { ...seed, numRuns: 100 },
    );
  });

  it.each([
    ['zero', `0x${'00'.repeat(32)}`],
    ['the group order', '0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141'],
    ['31 bytes', `0x${'11'.repeat(31)}`],
    ['33 bytes', `0x${'11'.repeat(33)}`],
    ['no hex', `0x${'zz'.repeat(32)}`],
  ])('refuses %s as a key, without repeating it', (_, key) => {
    let thrown: unknown;
    try {
      keySigner(key as Hex);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(AssayError);
    expect((thrown as AssayError).code).toBe('KEY_INVALID');
    expect((thrown as AssayError).explain()).not.toContain(key.slice(2));
  });
});

describe('a receipt', () => {
  const maker = new ReceiptMaker(OWNER, keySigner(KEY), DOMAIN);
  const uint = (bits: number) => fc.bigInt({ min: 0n, max: (1n << BigInt(bits)) - 1n });

  it('has the digest and the name that the verifier computes, whatever its numbers', async () => {
    const backings = fc.record({
      channel: word.map((bytes) => toHex(bytes)),
      nonce: uint(64),
      coverage: uint(128),
      outstanding: uint(128),
      expiry: fc.integer({ min: 0, max: 2 ** 40 }),
    });
    await fc.assert(
      fc.asyncProperty(word, word, word, backings, fc.nat(), async (model, input, output, backing, issuedAt) => {
        const answer = { modelId: toHex(model), inputRoot: toHex(input), outputRoot: toHex(output) };
        const { id, digest, ...signed } = await maker.make(answer, backing, issuedAt);
        expect(signedReceiptSchema.parse(signed)).toEqual(signed);
        expect(digest).toBe(receiptDigest(signed.receipt, signed.domain));
        expect(id).toBe(receiptId(signed));
        expect(await recoverAddress({ hash: digest as Hex, signature: signed.signature as Hex })).toBe(account.address);
        expect(signed.receipt).toMatchObject({ ...answer, nonce: String(backing.nonce), expiry: String(backing.expiry) });
      }),
      { ...seed, numRuns: 100 },
    );
  });

  it('is named by its time and the end of its hash, so that names sort by time', () => {
    const hash = `0x${'ab'.repeat(32)}`;
    expect(receiptName(hash, 0x0123456789ab)).toBe(`0x0123456789ab${'ab'.repeat(26)}`);
    const times = [0, 1, 999, 1_790_000_000_000, 1_790_000_000_001, 2 ** 47];
    expect(times.map((time) => receiptName(hash, time)).sort()).toEqual(times.map((time) => receiptName(hash, time)));
  });

  it('differs in its digest with every member', async () => {
    const answer = { modelId: toHex(new Uint8Array(32)), inputRoot: toHex(new Uint8Array(32)), outputRoot: toHex(new Uint8Array(32)) };
    const one = `0x${'01'.repeat(32)}`;
    const made = [
      await maker.make(answer, UNSECURED, 1),
      ...(await Promise.all(Object.keys(answer).map((member) => maker.make({ ...answer, [member]: one }, UNSECURED, 1)))),
      await maker.make(answer, UNSECURED, 2),
      await maker.make(answer, { ...UNSECURED, channel: one }, 1),
      await maker.make(answer, { ...UNSECURED, nonce: 1n }, 1),
      await maker.make(answer, { ...UNSECURED, coverage: 1n }, 1),
      await maker.make(answer, { ...UNSECURED, outstanding: 1n }, 1),
      await maker.make(answer, { ...UNSECURED, expiry: 1 }, 1),
      await new ReceiptMaker(OWNER, keySigner(KEY), { ...DOMAIN, chainId: 1 }).make(answer, UNSECURED, 1),
    ];
    expect(new Set(made.map(({ digest }) => digest)).size).toBe(made.length);
    expect(fromHex(made[0]!.signature)).toHaveLength(65);
  });
});
