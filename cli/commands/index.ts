import type { Command } from 'commander';
import { compileCommand } from './compile.ts';
import { inspectCommand } from './inspect.ts';
import { runCommand } from './run.ts';

/** Every command there is, in the order `assay --help` lists them. */
export const commands: readonly (() => Command)[] = [compileCommand, runCommand, inspectCommand];
