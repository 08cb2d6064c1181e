import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { privateKeyToAddress } from 'viem/accounts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { newPrivateKey, PASSWORD_VARIABLE, readKeystore, writeKeystore } from '../../runtime/keystore-file.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'assay-key-'));
  process.env[PASSWORD_VARIABLE] = 'from the environment';
});
afterEach(() => {
  delete process.env[PASSWORD_VARIABLE];
  rmSync(folder, { recursive: true, force: true });
});

describe('a keystore file', () => {
  it('is read by its owner alone, and never written over', async () => {
    const file = path.join(folder, 'key.json');
    const key = newPrivateKey();
    expect(await writeKeystore(key, { file })).toBe(privateKeyToAddress(key));
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const before = readFileSync(file, 'utf8');
    expect(before).not.toContain(key.slice(2));
    await expect(writeKeystore(newPrivateKey(), { file })).rejects.toMatchObject({ code: 'FILE_UNUSABLE' });
    expect(readFileSync(file, 'utf8')).toBe(before);
    expect(await readKeystore({ file })).toBe(key);
  });

  it('opens with the password of a file, less its last line break', async () => {
    const [file, passwordFile] = [path.join(folder, 'key.json'), path.join(folder, 'password')];
    const key = newPrivateKey();
    await writeKeystore(key, { file });
    writeFileSync(passwordFile, 'from the environment\n');
    delete process.env[PASSWORD_VARIABLE];
    expect(await readKeystore({ file, passwordFile })).toBe(key);
    await expect(readKeystore({ file })).rejects.toMatchObject({ code: 'KEYSTORE_PASSWORD_MISSING' });
    writeFileSync(passwordFile, 'from the environment\n\n');
    await expect(readKeystore({ file, passwordFile })).rejects.toMatchObject({ code: 'KEYSTORE_PASSWORD' });
  });

  it('of any size, or none, is a clear error', async () => {
    const file = path.join(folder, 'large.json');
    writeFileSync(file, ' '.repeat(65 * 1024));
    await expect(readKeystore({ file })).rejects.toMatchObject({ code: 'FILE_UNUSABLE' });
    await expect(readKeystore({ file: path.join(folder, 'none') })).rejects.toMatchObject({ code: 'FILE_UNUSABLE' });
  });
});
