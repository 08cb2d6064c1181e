import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { goldenFiles } from '../golden/generate.ts';

const files = goldenFiles();

describe('golden vectors are what their generator writes', () => {
  test.each([...files.keys()])('%s', (name) => {
    expect(readFileSync(new URL(`../golden/${name}`, import.meta.url), 'utf8')).toBe(files.get(name));
  });
});
