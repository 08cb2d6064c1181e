import dns from 'node:dns';
import { syncBuiltinESMExports } from 'node:module';
import { describe, expect, it, vi } from 'vitest';
import { fetchPublic, isPublicAddress } from '../../runtime/public-fetch.ts';

const LIMITS = { mostBytes: 100, timeout: 2_000 };

describe('addresses that strangers name', () => {
  it.each([
    '127.0.0.1',
    '127.255.255.255',
    '0.0.0.0',
    '10.1.2.3',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '169.254.169.254',
    '100.64.0.1',
    '198.18.0.1',
    '224.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::ffff:127.0.0.1',
    '::ffff:8.8.8.8',
    '64:ff9b::7f00:1',
    'fe80::1',
    'fc00::1',
    'ff02::1',
    '2001:db8::1',
    '2002:7f00:1::',
    'not an address',
  ])('%s is not public', (address) => expect(isPublicAddress(address)).toBe(false));

  it.each([
    '8.8.8.8',
    '172.15.255.255',
    '172.32.0.0',
    '192.167.255.255',
    '100.63.255.255',
    '223.255.255.255',
    '2606:4700::1111',
    '2a00:1450::1',
  ])('%s is public', (address) => expect(isPublicAddress(address)).toBe(true));

  it.each([
    ['http://example.com/input', 'URL_INVALID'],
    ['file:///etc/passwd', 'URL_INVALID'],
    ['https://user:secret@example.com/', 'URL_INVALID'],
    [`https://example.com/${'a'.repeat(2_100)}`, 'URL_INVALID'],
    ['https://127.0.0.1/', 'URL_PRIVATE'],
    ['https://[::1]/', 'URL_PRIVATE'],
    ['https://2130706433/', 'URL_PRIVATE'],
    ['https://0x7f.1/', 'URL_PRIVATE'],
    ['https://169.254.169.254/latest/meta-data', 'URL_PRIVATE'],
    // A name that resolves to this machine: looked at where the connection is made.
    ['https://localhost/', 'URL_PRIVATE'],
  ])('%s is refused', async (url, code) => {
    await expect(fetchPublic(url, LIMITS)).rejects.toMatchObject({ code });
  });

  it('what does not answer is not there', async () => {
    expect(await fetchPublic('https://name.invalid/', LIMITS)).toBeUndefined();
  });
});

it('names of strangers are not resolved on the two threads where those of the chain and of Redis are', async () => {
  const system = vi.spyOn(dns, 'lookup');
  syncBuiltinESMExports();
  try {
    expect(await fetchPublic('https://inputs.invalid/', LIMITS)).toBeUndefined();
    expect(system).not.toHaveBeenCalled();
    await fetch('http://name.invalid/').catch(() => undefined);
    expect(system).toHaveBeenCalled();
  } finally {
    system.mockRestore();
    syncBuiltinESMExports();
  }
});
