import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { commands } from '../../cli/commands/index.ts';

const withInner = (command: Command): Command[] => [command, ...command.commands.flatMap(withInner)];

describe('--help', () => {
  // A default that JSON has no form for (a bigint, say) needs a description beside it, or the help text ends in a crash.
  it.each(Object.entries(commands))('of `assay %s` can be printed, with every option', async (_, { load }) => {
    for (const command of withInner(await load())) {
      const help = command.helpInformation();
      for (const option of command.options) expect(help).toContain(option.flags);
    }
  });
});
