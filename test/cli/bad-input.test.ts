import { existsSync, mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { assay, problemsOf, scratch } from './assay.ts';
import { denseModel, rows, unknownOperatorModel } from './models.ts';

const { folder, remove } = scratch('bad');
afterAll(remove);
const at = (...names: string[]): string => path.join(folder, ...names);

/** A case of the right form with one thing wrong. */
function oneCase(tensor: Record<string, unknown>): string {
  return JSON.stringify({ inputs: [{ name: 'features', type: 'float32', dims: [1, 4], data: [1, 2, 3, 4], ...tensor }] });
}

const point1 = ['1', '2', '1'];
const point2 = [
  ['1', '2'],
  ['3', '4'],
  ['1', '0'],
];

beforeAll(async () => {
  const files: Record<string, string | Uint8Array> = {
    'dense.onnx': denseModel(),
    'cut.onnx': denseModel().subarray(0, 150),
    'unknown.onnx': unknownOperatorModel(),
    'text.onnx': 'this is not a model, it is a sentence',
    'page.onnx': '<!doctype html><title>404</title>',
    'pointer.onnx': 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n',
    'empty.onnx': '',
    'rows.json': rows(4),
    'half.json': '{"cases":[{"inputs":[',
    'list.json': '[1,2,3]',
    'short.json': oneCase({ data: [1, 2, 3] }),
    'wide.json': oneCase({ dims: [1, 5], data: [1, 2, 3, 4, 5] }),
    'other.json': JSON.stringify({ inputs: [] }),
    'base64.json': oneCase({ encoding: 'base64-le-f32', data: '!!!' }),
    'proof.json': JSON.stringify({ protocol: 'groth16', curve: 'bn128', pi_a: point1, pi_b: point2, pi_c: point1 }),
    'noproof.json': JSON.stringify({ protocol: 'plonk', curve: 'bn128' }),
    'noproof.public.json': '[]',
  };
  for (const [name, content] of Object.entries(files)) writeFileSync(at(name), content);
  writeFileSync(at('huge.onnx'), '');
  truncateSync(at('huge.onnx'), 2 ** 41);
  expect(await assay('compile', at('dense.onnx'), '--calibration', at('rows.json'), '--out', at('good'))).toMatchObject({ code: 0 });
  const program = readFileSync(at('good', 'program.assay'));
  const damaged: Record<string, Uint8Array> = {
    truncated: program.subarray(0, program.length - 1),
    // A weight, whose root then differs.
    altered: program.map((byte, i) => (i === program.length - 30 ? byte ^ 1 : byte)),
  };
  for (const [name, bytes] of Object.entries(damaged)) {
    mkdirSync(at(name));
    writeFileSync(at(name, 'program.assay'), bytes);
  }
  mkdirSync(at('thesis'));
  writeFileSync(at('thesis', 'thesis.tex'), 'years of work');
});

type Row = readonly [what: string, args: readonly string[], code: 1 | 2, says: RegExp];
const out = ['--out', at('out')];
const compile = (model: string, ...more: string[]): string[] => ['compile', at(model), ...out, ...more];
const run = (model: string, input: string): string[] => ['run', at(model), '--input', at(input)];

const table: readonly Row[] = [
  ['a missing model', compile('nowhere.onnx'), 2, /nowhere\.onnx.*\[FILE_MISSING\]|\[FILE_MISSING\].*nowhere\.onnx/],
  ['a folder for a model', compile('thesis'), 2, /folder.*\[FILE_UNUSABLE\]/],
  ['a model of two terabytes', compile('huge.onnx'), 2, /too large.*\[FILE_TOO_LARGE\]/],
  ['an empty model', compile('empty.onnx'), 1, /empty.*\[MODEL_REFUSED\]/],
  ['a sentence for a model', compile('text.onnx'), 1, /not a readable ONNX|no ONNX graph/],
  ['a web page for a model', compile('page.onnx'), 1, /text file, not an ONNX model/],
  ['a git-lfs pointer for a model', compile('pointer.onnx'), 1, /git-lfs.*Fix: run `git lfs pull`/],
  ['half a model', compile('cut.onnx'), 1, /\[MODEL_REFUSED\].*cut\.onnx/],
  ['an operator that nobody knows', compile('unknown.onnx'), 1, /n_v0.*Frobnicate.*not supported/],
  ['no output folder', ['compile', at('dense.onnx')], 2, /--out <dir>.*\[USAGE\]/],
  ['an option that does not exist', compile('dense.onnx', '--fast'), 2, /--fast.*\[USAGE\]/],
  ['weights of nine bits', compile('dense.onnx', '--weights', '9'), 2, /7, 8.*\[USAGE\]/],
  ['a range that is none', compile('dense.onnx', '--range', 'features=3:1'), 2, /LOW:HIGH.*\[USAGE\]/],
  ['a range of an unknown input', compile('dense.onnx', '--range', 'pixels=0:1'), 2, /no input 'pixels'.*\[USAGE\]/],
  ['a shape that is not the model’s', compile('dense.onnx', '--shape', '1,5'), 2, /shape.*\[USAGE\]/],
  ['an output folder of others', ['compile', at('dense.onnx'), '--force', '--out', at('thesis')], 2, /\[OUTPUT_FOREIGN\]/],
  ['a file for an output folder', ['compile', at('dense.onnx'), '--out', at('rows.json')], 2, /\[OUTPUT_FOREIGN\]/],
  ['missing calibration', compile('dense.onnx', '--calibration', at('nowhere.json')), 2, /calibration.*\[FILE_MISSING\]/],
  ['half a calibration file', compile('dense.onnx', '--calibration', at('half.json')), 2, /not JSON.*\[CASES_INVALID\].*half\.json/],
  ['calibration of another form', compile('dense.onnx', '--calibration', at('list.json')), 2, /\[CASES_INVALID\]/],
  [
    'calibration of another shape',
    compile('dense.onnx', '--calibration', at('wide.json')),
    2,
    /features.*\[INPUT_SHAPE\].*wide\.json.*1x5.*1x4/,
  ],
  ['calibration with too few values', compile('dense.onnx', '--calibration', at('short.json')), 2, /3 values.*\[CASES_INVALID\]/],
  ['a missing folder', run('nowhere', 'rows.json'), 2, /no compiled model.*\[FILE_MISSING\]/],
  ['a truncated program', run('truncated', 'rows.json'), 2, /\[PROGRAM_MALFORMED\]/],
  ['a program with another weight', run('altered', 'rows.json'), 2, /root.*\[PROGRAM_MALFORMED\]/],
  ['an input of another shape', run('good', 'wide.json'), 2, /wrong shape.*\[INPUT_SHAPE\].*1x5.*1x4/],
  ['an input without tensors', run('good', 'other.json'), 2, /\[CASES_INVALID\]/],
  ['an input in broken base64', run('good', 'base64.json'), 2, /base64.*\[CASES_INVALID\]/],
  ['inspecting nothing', ['inspect', at('nowhere')], 2, /\[FILE_MISSING\]/],
  ['two kinds of setup at once', ['setup', at('good'), '--dev', '--ptau', at('rows.json')], 2, /--ptau.*--dev.*\[USAGE\]/],
  ['missing powers of tau', ['setup', at('good'), '--ptau', at('nowhere.ptau')], 2, /powers of tau.*\[FILE_MISSING\]/],
  ['powers of tau that nobody published', ['setup', at('good'), '--ptau', at('rows.json')], 2, /published.*\[PTAU_UNKNOWN\]/],
  ['a setup of nothing', ['setup', at('thesis'), '--dev'], 2, /\[FILE_MISSING\]/],
  ['a proof without a setup', ['prove', at('good'), '--input', at('rows.json'), '--out', at('out')], 2, /\[SETUP_MISSING\]/],
  ['an audit without a setup', ['audit', at('good')], 2, /\[SETUP_MISSING\]/],
  [
    'a context beyond the field',
    ['prove', at('good'), '--input', at('rows.json'), ...out, '--context', `0x${'f'.repeat(64)}`],
    2,
    /\[USAGE\]/,
  ],
  ['a missing proof', ['verify', at('nowhere.json'), '--model', at('good')], 2, /proof.*\[FILE_MISSING\]/],
  ['a proof of another system', ['verify', at('noproof.json'), '--model', at('good')], 2, /\[SETUP_MALFORMED\].*noproof\.json/],
  ['a proof without signals', ['verify', at('proof.json'), '--model', at('good')], 2, /public signals.*\[FILE_MISSING\]/],
  ['a command that does not exist', ['conpile'], 2, /unknown command 'conpile'.*\[USAGE\]/],
];

/** Lines of progress come before an error: lower-case words and no full stop. */
const PROGRESS = /^(?:reading \S+|[a-z][a-z ,]*)\n/gm;

describe('one paragraph, no stack, nothing half-written:', () => {
  it.concurrent.each(table)('%s', async (_, args, code, says) => {
    const before = readdirSync(folder);
    const ended = await assay(...args);
    expect(problemsOf(ended.stderr.replace(PROGRESS, ''))).toEqual([]);
    expect(ended.stderr).toMatch(says);
    expect(ended.stdout).toBe('');
    expect(ended.code).toBe(code);
    expect(readdirSync(folder)).toEqual(before);
    expect(existsSync(at('thesis', 'thesis.tex'))).toBe(true);
  });

  it('and with --json an object in its place', async () => {
    const ended = await assay(...compile('unknown.onnx'), '--json');
    expect(ended).toMatchObject({ code: 1, stderr: '' });
    expect(JSON.parse(ended.stdout)).toEqual({
      error: {
        code: 'MODEL_REFUSED',
        message: expect.stringContaining('Frobnicate'),
        facts: expect.objectContaining({ node: 'n_v0', operator: 'Frobnicate' }),
        fix: expect.any(String),
      },
    });
  });
});
