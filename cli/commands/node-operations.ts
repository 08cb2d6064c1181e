import { Argument, Command } from 'commander';
import { AssayError } from '../../core/errors.ts';
import type { DeadJob, Queue } from '../../prover/queue/port.ts';
import { loadNodeConfig, type NodeCommandOptions } from '../node-options.ts';
import { createOutput } from '../output.ts';

/** Names all damaged records. */
const UNREADABLE = 'unreadable';
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

export function removeCommand(): Command {
  return new Command('remove')
    .description('Throw away jobs that were given up; what is still to be done is queued again from the store')
    .addArgument(
      new Argument('<id>', `of a job that \`assay node dead\` lists, \`all\`, or \`${UNREADABLE}\`: those whose record is damaged`),
    )
    .addHelpText('after', SAME_OPTIONS)
    .action((id: string, _, command: Command) => remove(id, command.optsWithGlobals()));
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

async function letters(queue: Queue): Promise<DeadJob[]> {
  const all = await kinds();
  return (await Promise.all(all.map((kind) => queue.dead(kind)))).flat();
}

async function dead(options: NodeCommandOptions): Promise<void> {
  const output = createOutput(options.json === true);
  const found = await withQueue(options, letters);
  for (const { id, kind, attempts, data, error, isDamaged } of found) {
    const why = isDamaged
      ? `its record (${kind}) cannot be read; \`assay node remove\` throws it away`
      : `${error} (after ${attempts} attempts)`;
    output.result({ event: 'dead', id, kind, attempts, data, error, unreadable: isDamaged }, printable(`${id}: ${why}`));
  }
  output.result(
    { event: 'listed', dead: found.length },
    found.length === 0 ? 'No job was given up.' : `${found.length} jobs were given up.`,
  );
}

async function replay(id: string, options: NodeCommandOptions): Promise<void> {
  const replayed = await withQueue(options, async (queue) => {
    const chosen = chosenOf(await letters(queue), id);
    const damaged = chosen.filter(({ isDamaged }) => isDamaged);
    if (damaged.length > 0 && id !== 'all') throw unreadable(id);
    const results = await Promise.all(chosen.map((letter) => queue.replay(letter.kind, letter.id)));
    return { jobs: results.filter(Boolean).length, unreadable: damaged.length };
  });
  const left = replayed.unreadable === 0 ? '' : ` ${replayed.unreadable} cannot be read and stay: \`assay node remove\` throws them away.`;
  createOutput(options.json === true).result({ event: 'replayed', ...replayed }, `${replayed.jobs} jobs wait again.${left}`);
}

async function remove(id: string, options: NodeCommandOptions): Promise<void> {
  const removed = await withQueue(options, async (queue) => {
    const all = await letters(queue);
    const chosen = id === UNREADABLE ? all.filter(({ isDamaged }) => isDamaged) : chosenOf(all, id);
    const results = await Promise.all(chosen.map((letter) => queue.remove(letter.kind, letter.id)));
    return results.filter(Boolean).length;
  });
  createOutput(options.json === true).result({ event: 'removed', jobs: removed }, `${removed} jobs were thrown away.`);
}

/** @throws AssayError JOB_UNKNOWN */
function chosenOf(all: readonly DeadJob[], id: string): DeadJob[] {
  const chosen = all.filter((letter) => id === 'all' || letter.id === id);
  if (chosen.length > 0 || id === 'all') return chosen;
  const facts = { id: id.slice(0, 100) };
  throw new AssayError('No job of that name was given up', { code: 'JOB_UNKNOWN', facts, fix: 'see `assay node dead`' });
}

function unreadable(id: string): AssayError {
  return new AssayError('The record of the job is damaged: nobody knows what it was to do', {
    code: 'JOB_MALFORMED',
    facts: { id: id.slice(0, 100) },
    fix: 'throw it away with `assay node remove`; what is still to be done is queued again from the store, and keep others out of the Redis',
  });
}

/** What a terminal may be shown of text that anybody could have written. */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '\ufffd');
}
