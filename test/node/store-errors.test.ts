import { describe, expect, it } from 'vitest';
import { storeError, tryFor } from '../../prover/store/attempt.ts';

const URL_ = 'postgres://assay:hunter2@db.example:5432/assay';
const failure = (message: string, code?: string): Error => Object.assign(new Error(message), code === undefined ? {} : { code });

describe('what PostgreSQL says', () => {
  it.each([
    ['STORE_UNREACHABLE', failure('connect ECONNREFUSED 10.0.0.1:5432', 'ECONNREFUSED')],
    ['STORE_UNREACHABLE', failure('Connection terminated unexpectedly')],
    ['STORE_UNREACHABLE', failure('too many connections', '53300')],
    ['STORE_FAILED', failure('The server does not support SSL connections')],
    ['STORE_FAILED', failure("Hostname/IP does not match certificate's altnames", 'ERR_TLS_CERT_ALTNAME_INVALID')],
    ['STORE_FAILED', failure('self-signed certificate', 'DEPTH_ZERO_SELF_SIGNED_CERT')],
    ['STORE_FAILED', failure('password authentication failed for user "assay"', '28P01')],
    ['DISK_FULL', failure('could not extend file', '53100')],
  ] as const)('is %s: what passes is waited for, a setting is not', async (code, error) => {
    expect(storeError(URL_, error)).toMatchObject({ code, facts: { database: 'db.example:5432/assay' } });
    expect(storeError(URL_, error).explain()).not.toContain('hunter2');
    let tries = 0;
    const tried = tryFor(150, URL_, async () => {
      tries++;
      throw error;
    });
    await expect(tried).rejects.toMatchObject({ code });
    expect(tries > 1).toBe(code === 'STORE_UNREACHABLE');
  });
});
