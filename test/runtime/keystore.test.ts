import { privateKeyToAddress } from 'viem/accounts';
import { describe, expect, it } from 'vitest';
import { AssayError } from '../../core/errors.ts';
import { decryptKeystore, encryptKeystore, keystoreAddress } from '../../runtime/keystore.ts';

/** The test vectors of the Web3 Secret Storage definition. */
const SECRET = '0x7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d';
const PBKDF2 = {
  crypto: {
    cipher: 'aes-128-ctr',
    cipherparams: { iv: '6087dab2f9fdbbfaddc31a909735c1e6' },
    ciphertext: '5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46',
    kdf: 'pbkdf2',
    kdfparams: { c: 262144, dklen: 32, prf: 'hmac-sha256', salt: 'ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd' },
    mac: '517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2',
  },
  id: '3198bc9c-6672-5ab3-d995-4942343ae5b6',
  version: 3,
};
const SCRYPT = {
  crypto: {
    cipher: 'aes-128-ctr',
    cipherparams: { iv: '83dbcc02d8ccb40e466191a123791e0e' },
    ciphertext: 'd172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c',
    kdf: 'scrypt',
    kdfparams: { dklen: 32, n: 262144, p: 8, r: 1, salt: 'ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19' },
    mac: '2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097',
  },
  id: '3198bc9c-6672-5ab3-d995-4942343ae5b6',
  version: 3,
};
const PASSWORD = 'testpassword';

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof AssayError) return error.code;
    throw error;
  }
  return 'none';
}

function changed(change: (file: typeof SCRYPT) => void): string {
  const file = structuredClone(SCRYPT);
  change(file);
  return JSON.stringify(file);
}

describe('a keystore', () => {
  it.each([
    ['scrypt', SCRYPT],
    ['pbkdf2', PBKDF2],
  ])('opens the public test vector of %s', (_kdf, file) => {
    expect(decryptKeystore(JSON.stringify(file), PASSWORD)).toBe(SECRET);
    expect(codeOf(() => decryptKeystore(JSON.stringify(file), `${PASSWORD}!`))).toBe('KEYSTORE_PASSWORD');
  });

  it('written here opens here, with its password alone', () => {
    const address = privateKeyToAddress(SECRET);
    const text = JSON.stringify(encryptKeystore(SECRET, address, 'päss', { n: 1024 }));
    expect(text.toLowerCase()).not.toContain(SECRET.slice(2));
    expect(keystoreAddress(text)).toBe(address.toLowerCase());
    expect(decryptKeystore(text, 'päss')).toBe(SECRET);
    // One spelling of a letter or the other is one password.
    expect(decryptKeystore(text, 'pa\u0308ss')).toBe(SECRET);
    expect(codeOf(() => decryptKeystore(text, 'pass'))).toBe('KEYSTORE_PASSWORD');
  });

  it('that was altered does not open', () => {
    const flip = (text: string): string => `${text.startsWith('0') ? '1' : '0'}${text.slice(1)}`;
    const cheap = (change: (crypto: typeof SCRYPT.crypto) => void): string => {
      const file = encryptKeystore(SECRET, privateKeyToAddress(SECRET), PASSWORD, { n: 1024 }) as unknown as typeof SCRYPT;
      change(file.crypto);
      return JSON.stringify(file);
    };
    for (const change of [
      (crypto: typeof SCRYPT.crypto) => {
        crypto.ciphertext = flip(crypto.ciphertext);
      },
      (crypto: typeof SCRYPT.crypto) => {
        crypto.mac = flip(crypto.mac);
      },
      (crypto: typeof SCRYPT.crypto) => {
        crypto.kdfparams.salt = flip(crypto.kdfparams.salt);
      },
    ])
      expect(codeOf(() => decryptKeystore(cheap(change), PASSWORD))).toBe('KEYSTORE_PASSWORD');
  });

  it('that asks for too much is refused before any work', () => {
    const bad: ((file: typeof SCRYPT) => void)[] = [
      (file) => {
        file.crypto.kdfparams.n = 2 ** 23;
      },
      (file) => {
        file.crypto.kdfparams.n = 2 ** 20;
        file.crypto.kdfparams.r = 8;
      },
      (file) => {
        file.crypto.kdfparams.n = 262143;
      },
      (file) => {
        file.crypto.kdfparams.p = 17;
      },
      (file) => {
        file.crypto.kdfparams.dklen = 16;
      },
      (file) => {
        file.crypto.cipher = 'aes-256-cbc';
      },
      (file) => {
        file.crypto.kdf = 'md5';
      },
      (file) => {
        file.crypto.ciphertext = file.crypto.ciphertext.slice(2);
      },
      (file) => {
        file.version = 1;
      },
    ];
    for (const change of bad) expect(codeOf(() => decryptKeystore(changed(change), PASSWORD))).toBe('KEYSTORE_INVALID');
    for (const text of ['', '[]', 'null', '{}', '{"crypto":7}'])
      expect(codeOf(() => decryptKeystore(text, PASSWORD))).toBe('KEYSTORE_INVALID');
  });
});
