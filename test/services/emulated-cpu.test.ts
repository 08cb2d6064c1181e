// needs: qemu-user
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';

const run = promisify(execFile);
const ROOT = path.resolve(import.meta.dirname, '../..');

const reportSchema = z.object({ passed: z.boolean(), faults: z.array(z.unknown()), values: z.number(), saturates: z.boolean() });

/** The self-test on an emulated x86-64 processor; half a minute of processor time. */
async function selftestOn(cpu: string): Promise<z.infer<typeof reportSchema>> {
  if (process.arch !== 'x64') throw new Error('this suite emulates x86-64 processors for an x86-64 Node: run it on such a machine');
  const script = path.join(ROOT, 'test/support/emulated-selftest.ts');
  const { stdout } = await run('qemu-x86_64', ['-cpu', cpu, process.execPath, '--import', 'tsx', script], {
    cwd: ROOT,
    timeout: 590_000,
    maxBuffer: 16 << 20,
  });
  return reportSchema.parse(JSON.parse(stdout));
}

describe('processors without VNNI compute the same bits', () => {
  test.each([
    ['Haswell', 'AVX2, where wide signed weights saturate', true],
    ['Nehalem', 'SSE alone', false],
  ])('%s: %s', { timeout: 600_000 }, async (cpu, _, saturates) => {
    const report = await selftestOn(cpu);
    expect(report.faults).toEqual([]);
    expect(report.passed).toBe(true);
    expect(report.values).toBeGreaterThan(100_000);
    // The emulated kernels are the ones we mean: Haswell's get 255·127 wrong, which is why carriers avoid it.
    expect(report.saturates).toBe(saturates);
  });
});
