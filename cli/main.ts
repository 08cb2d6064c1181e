import { Command, CommanderError } from 'commander';
import { cleanUp, endAfterCleanUp, installSignalHandlers, isEnding } from './cleanup.ts';
import { commands } from './commands/index.ts';
import { processExitCode } from './daemon.ts';
import { presentable } from './exit.ts';
import { jsonLine } from './output.ts';

/** `assay`: parses the command line, runs one command, and ends with 0, 1 or 2 (a daemon also with 75). */
async function main(argv: readonly string[]): Promise<void> {
  // A reader that went away (`assay … | head`) is no defect of ours.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => process.exit(2));
  const json = argv.includes('--json');
  installSignalHandlers();
  // Written by libraries for who programs with them; a daemon logs them (cli/daemon.ts).
  if (process.env.ASSAY_DEBUG !== '1') process.removeAllListeners('warning');
  // What failed while nobody waited for it: told like every other error, never as a stack.
  const unforeseen = (error: unknown): void => {
    if (isEnding()) return;
    report(error, json);
    endAfterCleanUp();
  };
  process.on('unhandledRejection', unforeseen);
  process.on('uncaughtException', unforeseen);
  try {
    await (await build(argv)).parseAsync([...argv], { from: 'user' });
  } catch (error) {
    if (!isEnding()) report(error, json);
  } finally {
    await cleanUp();
  }
  // The signal that ends this process has an exit code of its own.
  if (isEnding()) return;
  // Native curves and sessions keep a process alive after use; what was written has to get out first.
  const code = process.exitCode ?? 0;
  process.stdout.write('', () => process.stderr.write('', () => process.exit(code)));
}

async function build(argv: readonly string[]): Promise<Command> {
  const assay = new Command('assay')
    .description('Attests what a machine-learning model answered: by a SNARK, or by stake that a wrong answer loses on chain.')
    .version('0.1.0');
  // One command is read from its file; of the others, and where none is named, a help text needs only names.
  const wanted = argv.find((word) => Object.hasOwn(commands, word));
  for (const [name, { summary, load }] of Object.entries(commands)) {
    const command = name === wanted ? await load() : new Command(name).description(summary);
    command.option('--json', 'print one JSON object a line');
    assay.addCommand(command);
  }
  for (const command of withInner(assay)) {
    command.exitOverride();
    // Printed by report(), in the form of every other error.
    command.configureOutput({ outputError: () => {} });
  }
  return assay;
}

function withInner(command: Command): Command[] {
  return [command, ...command.commands.flatMap(withInner)];
}

function report(error: unknown, json: boolean): void {
  // --help and --version end this way too.
  if (error instanceof CommanderError && (error.exitCode === 0 || error.code === 'commander.help')) return;
  const shown = presentable(error);
  if (json)
    process.stdout.write(`${jsonLine({ error: { code: shown.code, message: shown.message, facts: shown.facts, fix: shown.fix } })}\n`);
  else process.stderr.write(`${shown.explain()}\n`);
  if (process.env.ASSAY_DEBUG === '1' && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  process.exitCode = processExitCode(shown);
}

await main(process.argv.slice(2));
