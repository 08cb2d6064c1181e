import type { Command } from 'commander';
import { auditCommand } from './audit.ts';
import { compileCommand } from './compile.ts';
import { inspectCommand } from './inspect.ts';
import { proveCommand } from './prove.ts';
import { runCommand } from './run.ts';
import { selftestCommand } from './selftest.ts';
import { setupCommand } from './setup.ts';
import { verifyCommand } from './verify.ts';

/** Every command there is, in the order `assay --help` lists them. */
export const commands: readonly (() => Command)[] = [
  compileCommand,
  runCommand,
  inspectCommand,
  setupCommand,
  proveCommand,
  verifyCommand,
  auditCommand,
  selftestCommand,
];
