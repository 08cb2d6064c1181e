import type { Command } from 'commander';
import { inspectCommand } from './inspect.ts';

/** Every command there is, in the order `assay --help` lists them. */
export const commands: readonly (() => Command)[] = [inspectCommand];
