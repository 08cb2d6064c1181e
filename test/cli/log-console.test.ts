import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { root } from './assay.ts';

describe('what libraries print in a daemon', () => {
  it('is one line of the log each, once, and warnings are too', () => {
    const script = `
      import { logConsole } from ${JSON.stringify(path.join(root, 'cli/daemon.ts'))};
      import { createLog } from ${JSON.stringify(path.join(root, 'runtime/log.ts'))};
      process.removeAllListeners('warning');
      logConsole(createLog({ name: 'test' }));
      for (let i = 0; i < 3; i++) console.warn('IMPORTANT! %s', 'policy', { is: 'wrong' });
      console.error('two\\nlines');
      process.emitWarning('something old', 'DeprecationWarning');
    `;
    const args = ['--import', 'tsx', '--input-type=module', '--eval', script];
    const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
    const said = stderr
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { msg: string; said: string; level: number });
    expect(stdout).toBe('');
    expect(said.map((line) => [line.level, line.msg, line.said])).toEqual([
      [40, 'a library says', "IMPORTANT! policy { is: 'wrong' }"],
      [40, 'a library says', 'two\nlines'],
      [40, 'a library says', 'DeprecationWarning: something old'],
    ]);
  });
});
