import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Command } from 'commander';
import { AssayError } from '../../core/errors.ts';
import { beforeExit } from '../cleanup.ts';
import { integer } from '../options.ts';

interface Options {
  readonly seed: number;
  readonly keep?: boolean;
  readonly json?: boolean;
}

export function demoCommand(): Command {
  return new Command('demo')
    .description('Play the whole story on a local chain: proof, stake, fraud and its end, defence')
    .option('--seed <number>', 'which fault the dishonest prover tells', integer, 1)
    .option('--keep', 'keep the folder with logs, models and state')
    .action(run);
}

async function run(options: Options): Promise<void> {
  const started = performance.now();
  const [{ createAnnounce }, { setStage }, { playSeed }, { ledgerTable }] = await Promise.all([
    import('../demo/announce.ts'),
    import('../demo/stage.ts'),
    import('../demo/play.ts'),
    import('../demo/ledger.ts'),
  ]);
  const json = options.json === true;
  const announce = createAnnounce(json, started);
  const directory = await mkdtemp(path.join(tmpdir(), 'assay-demo-'));
  if (options.keep === true) process.stderr.write(`Logs, models and state are kept in ${directory}\n`);
  else beforeExit(() => rm(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 }));
  announce('seed', { seed: options.seed });
  const stage = await setStage({ directory, announce });
  const { ok, outcomes, ledger } = await playSeed(stage, options.seed, announce);
  const milliseconds = Math.round(performance.now() - started);
  for (const entry of ledger) if (json) announce('ledger', { ...entry });
  if (!json) process.stdout.write(`${ledgerTable(ledger)}\n`);
  const done = { event: 'done', ok, seed: options.seed, milliseconds, outcomes };
  process.stdout.write(`${json ? JSON.stringify(done) : `done, ok: ${ok}, in ${(milliseconds / 1000).toFixed(1)} s`}\n`);
  if (ok) return;
  process.exitCode = 1;
  const failed = outcomes.filter((outcome) => !outcome.ok).map(({ event }) => event);
  const error = new AssayError('The demo did not end as it should', {
    code: 'DEMO_FAILED',
    facts: { failed: failed.join(', ') },
    fix: 'run it again with --keep and read the logs',
  });
  process.stderr.write(`${error.explain()}\n`);
}
