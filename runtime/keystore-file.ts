import { randomBytes } from 'node:crypto';
import { open, readFile, stat } from 'node:fs/promises';
import { privateKeyToAddress } from 'viem/accounts';
import { AssayError, withFacts } from '../core/errors.ts';
import { decryptKeystore, encryptKeystore } from './keystore.ts';

/** Where a password comes from when no file is named; never from arguments, which other users of a machine can read. */
export const PASSWORD_VARIABLE = 'ASSAY_KEYSTORE_PASSWORD';

const LIMIT = 64 * 1024;

export interface KeystoreFile {
  readonly file: string;
  /** File with the password; the environment otherwise. */
  readonly passwordFile?: string | undefined;
}

/**
 * The private key of a keystore file.
 * @throws AssayError KEYSTORE_INVALID, KEYSTORE_PASSWORD, KEYSTORE_PASSWORD_MISSING, FILE_UNUSABLE
 */
export async function readKeystore({ file, passwordFile }: KeystoreFile): Promise<`0x${string}`> {
  const [text, password] = [await readSmall(file), await keystorePassword(passwordFile)];
  try {
    return decryptKeystore(text, password);
  } catch (error) {
    throw withFacts(error, { file });
  }
}

/** Writes a key encrypted, in a new file that its owner alone may read. @returns its address @throws AssayError FILE_UNUSABLE */
export async function writeKeystore(privateKey: `0x${string}`, { file, passwordFile }: KeystoreFile): Promise<`0x${string}`> {
  const password = await keystorePassword(passwordFile);
  const address = privateKeyToAddress(privateKey);
  const text = `${JSON.stringify(encryptKeystore(privateKey, address, password), null, 2)}\n`;
  try {
    // Never over another key.
    const handle = await open(file, 'wx', 0o600);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (cause) {
    throw unusable(file, cause);
  }
  return address;
}

export function newPrivateKey(): `0x${string}` {
  for (;;) {
    const key = `0x${randomBytes(32).toString('hex')}` as const;
    try {
      privateKeyToAddress(key);
      return key;
    } catch {
      // Zero or beyond the group's order: practically never.
    }
  }
}

/** @throws AssayError KEYSTORE_PASSWORD_MISSING, FILE_UNUSABLE */
export async function keystorePassword(file: string | undefined): Promise<string> {
  const given = file === undefined ? (process.env[PASSWORD_VARIABLE] ?? '') : (await readSmall(file)).replace(/\r?\n$/, '');
  if (given !== '') return given;
  if (file !== undefined) {
    const fix = 'write the password into it, or leave the file out and set ASSAY_KEYSTORE_PASSWORD';
    throw new AssayError("The file of the keystore's password is empty", { code: 'KEYSTORE_PASSWORD_MISSING', facts: { file }, fix });
  }
  throw new AssayError('The password of the keystore is missing', {
    code: 'KEYSTORE_PASSWORD_MISSING',
    facts: { variable: PASSWORD_VARIABLE },
    fix: `set ${PASSWORD_VARIABLE}, or name a file that holds it`,
  });
}

/** Text of a small file. @throws AssayError FILE_UNUSABLE */
export async function readSmall(file: string): Promise<string> {
  try {
    const { size } = await stat(file);
    if (size > LIMIT) throw new Error(`it has more than ${LIMIT} bytes`);
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw unusable(file, cause);
  }
}

function unusable(file: string, cause: unknown): AssayError {
  return new AssayError('A file of the key cannot be used', {
    code: 'FILE_UNUSABLE',
    facts: { file, reason: cause instanceof Error ? cause.message : String(cause) },
    fix: 'check that the path is right, that this user may use it, and, for a new keystore, that nothing is there yet',
    cause,
  });
}
