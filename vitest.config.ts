import { defineConfig } from 'vitest/config';

/** The three suites of `npm test`, `npm run test:services` and `npm run test:long`; vitest's `--mode` picks one. */
const suites: Record<string, { include: string[]; exclude: string[]; testTimeout: number }> = {
  test: { include: ['test/**/*.test.ts'], exclude: ['test/services/**', 'test/long/**'], testTimeout: 300_000 },
  services: { include: ['test/services/**/*.test.ts'], exclude: [], testTimeout: 600_000 },
  long: { include: ['test/long/**/*.test.ts'], exclude: [], testTimeout: 1_800_000 },
};

export default defineConfig(({ mode }) => {
  const suite = suites[mode];
  if (suite === undefined) throw new Error(`There is no suite "${mode}"; vitest's --mode is one of ${Object.keys(suites).join(', ')}.`);
  return {
    test: {
      ...suite,
      environment: 'node',
      // snarkjs crashes inside worker threads, and some of its curves must end with their process.
      pool: 'forks',
      maxWorkers: 2,
      hookTimeout: suite.testTimeout,
      teardownTimeout: 10_000,
      // A committed `.only` would silently drop every other test of its file.
      allowOnly: false,
    },
  };
});
