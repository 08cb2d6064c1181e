import { Argument, Command } from 'commander';
import { AssayError } from '../../core/errors.ts';
import type { Queue } from '../../prover/queue/port.ts';
import { loadNodeConfig, type NodeCommandOptions } from '../node-options.ts';
import { createOutput } from '../output.ts';

const SAME_OPTIONS = '\nTakes the options of `assay node`.';

export function checkCommand(): Command {
  return new Command('check')
    .description('Look at everything a node needs, and say what to mend; exit code 1 when something fails, 2 when the configuration does')
    .addHelpText('after', SAME_OPTIONS)
    .action((_, command: Command) => check(command.optsWithGlobals()));
}

export function deadCommand(): Command {
  return new Command('dead')
    .description('List the jobs that were given up, and why')
    .addHelpText('after', SAME_OPTIONS)
    .action((_, command: Command) => dead(command.optsWithGlobals()));
}

export function replayCommand(): Command {
  return new Command('replay')
    .description('Put jobs that were given up back to work')
    .addArgument(new Argument('<id>', 'of a job that `assay node dead` lists, or `all`'))
    .addHelpText('after', SAME_OPTIONS)
    .action((id: string, _, command: Command) => replay(id, command.optsWithGlobals()));
}

async function check(options: NodeCommandOptions): Promise<void> {
  const [{ checkNode }, { tellFindings }] = await Promise.all([import('../check/check.ts'), import('../check/verdict.ts')]);
  await tellFindings('node', createOutput(options.json === true), (tell) => checkNode(() => loadNodeConfig(options), tell));
}

/** Works on the queue of a node that need not run. With embedded parts it may not: one process holds a state directory. */
async function withQueue<Result>(options: NodeCommandOptions, work: (queue: Queue) => Promise<Result>): Promise<Result> {
  const [config, { openStorage }, { awaitIdentity }, { createLog }] = await Promise.all([
    loadNodeConfig(options),
    import('../../prover/assembly/storage.ts'),
    import('../../prover/assembly/identity.ts'),
    import('../../runtime/log.ts'),
  ]);
  const log = createLog({ name: 'node', level: 'error' });
  const storage = await openStorage(config, log);
  try {
    const queue = await storage.openQueue(await awaitIdentity(storage.store, { log, patience: 0 }));
    try {
      return await work(queue);
    } finally {
      await queue.close();
    }
  } finally {
    await storage.close();
  }
}

async function kinds(): Promise<readonly string[]> {
  return Object.keys((await import('../../prover/work/jobs.ts')).JOBS);
}

async function dead(options: NodeCommandOptions): Promise<void> {
  const output = createOutput(options.json === true);
  const all = await kinds();
  const letters = await withQueue(options, async (queue) => (await Promise.all(all.map((kind) => queue.dead(kind)))).flat());
  for (const { id, kind, attempts, data, error } of letters) {
    output.result({ event: 'dead', id, kind, attempts, data, error }, `${id}: ${error} (after ${attempts} attempts)`);
  }
  output.result(
    { event: 'listed', dead: letters.length },
    letters.length === 0 ? 'No job was given up.' : `${letters.length} jobs were given up.`,
  );
}

async function replay(id: string, options: NodeCommandOptions): Promise<void> {
  const all = await kinds();
  const replayed = await withQueue(options, async (queue) => {
    const letters = (await Promise.all(all.map((kind) => queue.dead(kind)))).flat();
    const chosen = letters.filter((letter) => id === 'all' || letter.id === id);
    const results = await Promise.all(chosen.map((letter) => queue.replay(letter.kind, letter.id)));
    return results.filter(Boolean).length;
  });
  if (replayed === 0 && id !== 'all') {
    throw new AssayError('No job of that name was given up', {
      code: 'JOB_UNKNOWN',
      facts: { id: id.slice(0, 100) },
      fix: 'see `assay node dead`',
    });
  }
  createOutput(options.json === true).result({ event: 'replayed', jobs: replayed }, `${replayed} jobs wait again.`);
}
