import { Command } from 'commander';

export function inspectCommand(): Command {
  return new Command('inspect').description('Show what a compiled model holds').argument('<dir>', 'folder written by `assay compile`');
}
