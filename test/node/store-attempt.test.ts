import { describe, expect, it } from 'vitest';
import { storeError, tryFor } from '../../prover/store/attempt.ts';

const url = 'postgres://assay:hidden@postgres:5432/assay';
const failed = (code: string): Error => Object.assign(new Error(`failed with ${code}`), { code });

describe('what PostgreSQL, or the way to it, says', () => {
  // EAI_AGAIN and ENOTFOUND: containers have no name while they are started again.
  it.each(['ECONNREFUSED', 'EAI_AGAIN', 'ENOTFOUND', '57P03', '08006', '40001'])('%s passes, and is tried again', async (code) => {
    expect(storeError(url, failed(code))).toMatchObject({ code: 'STORE_UNREACHABLE' });
    let tries = 0;
    const operation = async (): Promise<string> => {
      tries++;
      if (tries < 3) throw failed(code);
      return 'done';
    };
    expect(await tryFor(10_000, url, operation)).toBe('done');
    expect(tries).toBe(3);
  });

  it.each(['28P01', '42501', '3D000'])('%s is a refusal, told at once', async (code) => {
    let tries = 0;
    const operation = async (): Promise<never> => {
      tries++;
      throw failed(code);
    };
    await expect(tryFor(10_000, url, operation)).rejects.toMatchObject({ code: 'STORE_FAILED', facts: { sqlstate: code } });
    expect(tries).toBe(1);
  });

  it('the password of the address is in no error', () => {
    for (const code of ['ECONNREFUSED', '28P01']) expect(JSON.stringify(storeError(url, failed(code)))).not.toContain('hidden');
  });
});
