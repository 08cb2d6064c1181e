import path from 'node:path';
import { Command } from 'commander';
import { LADDER, random, randomInputs } from '../test/circuits/build.ts';
import { CASE_HEADINGS, caseCells, caseNames, proveCase } from './zk-cases.ts';
import { ProofChain } from './zk-chain.ts';
import { type ZkFigures, zkFigures } from './zk-figures.ts';
import { FORM_HEADINGS, formCells, publicForms } from './zk-forms.ts';
import { updateTable } from './zk-table.ts';

/** The shapes on which the field publishes numbers, or those named. */
export async function* benchZk(names: readonly string[] = Object.keys(LADDER)): AsyncGenerator<ZkFigures> {
  for (const name of names) {
    const make = LADDER[name];
    if (make === undefined) throw new Error(`there is no shape ${name}; there are ${Object.keys(LADDER).join(', ')}`);
    const program = make();
    yield await zkFigures(name, program, randomInputs(program, random(1)));
  }
}

const DOCUMENT = path.join(import.meta.dirname, '../docs/circuits.md');

interface Options {
  readonly cases?: string;
  readonly forms: boolean;
  readonly write: boolean;
}

/** Every small model of a folder, or those named whatever their size, proved and verified on a local chain. */
async function benchCases(folder: string, named: readonly string[], write: boolean): Promise<void> {
  const chain = await ProofChain.start();
  try {
    for (const name of named.length > 0 ? named : caseNames(folder)) {
      const result = await proveCase(folder, name, chain, named.length > 0 ? Number.POSITIVE_INFINITY : undefined);
      console.log(JSON.stringify(result));
      if (write) updateTable(DOCUMENT, 'zk cases', CASE_HEADINGS, [caseCells(result)]);
    }
  } finally {
    await chain.stop();
  }
}

async function benchForms(write: boolean): Promise<void> {
  for await (const figures of publicForms()) {
    console.log(JSON.stringify(figures));
    if (write) updateTable(DOCUMENT, 'public signals', FORM_HEADINGS, [formCells(figures)]);
  }
}

if (process.argv[1] === import.meta.filename) {
  const program = new Command()
    .description('Measures the zk tier: the shapes on which the field publishes, models of a case folder, or forms of public signals')
    .argument('[names...]', 'shapes, or with --cases models of any size; all of them (with --cases the small ones) unless named')
    .option('--cases <folder>', 'models of this folder instead, verified on a local chain as well')
    .option('--forms', 'rows and gas of each form of input and output instead', false)
    .option('--write', 'put the rows into the tables of docs/circuits.md', false)
    .parse();
  const options = program.opts<Options>();
  if (options.forms) await benchForms(options.write);
  else if (options.cases !== undefined) await benchCases(options.cases, program.args, options.write);
  else for await (const figures of benchZk(program.args.length === 0 ? undefined : program.args)) console.log(JSON.stringify(figures));
}
