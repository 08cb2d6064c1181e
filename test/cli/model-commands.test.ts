import { execFileSync, spawn } from 'node:child_process';
import { cpSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { assay, fixtures, launcher, scratch } from './assay.ts';
import { denseModel, rows } from './models.ts';

const { folder, remove } = scratch('models');
afterAll(remove);
const at = (...names: string[]): string => path.join(folder, ...names);
const model = at('dense');
const proof = at('proof.json');

interface Answer {
  readonly outputs: readonly { name: string; dims: number[]; integers: number[]; values: number[] }[];
  readonly argmax: number;
}

const parse = <T = Record<string, unknown>>(text: string): T => JSON.parse(text) as T;
const read = <T = Record<string, unknown>>(...names: string[]): T => parse<T>(readFileSync(at(...names), 'utf8'));

/** Compiled, set up and proved once; every test works on these files or on copies. */
beforeAll(async () => {
  writeFileSync(at('dense.onnx'), denseModel());
  writeFileSync(at('rows.json'), rows(40));
  writeFileSync(at('three.json'), rows(3));
  const compiled = await assay('compile', at('dense.onnx'), '--calibration', at('rows.json'), '--out', model, '--json');
  expect(compiled).toMatchObject({ code: 0 });
  writeFileSync(at('compiled.json'), compiled.stdout);
  expect(await assay('setup', model, '--dev', '--json')).toMatchObject({ code: 0 });
  const proved = await assay('prove', model, '--input', at('three.json'), '--case', '2', '--context', '0x1234', '--out', proof, '--json');
  expect(proved).toMatchObject({ code: 0 });
  writeFileSync(at('proved.json'), proved.stdout);
});

describe('assay compile', () => {
  it('writes a program, its carrier and a report, and nothing beside them', () => {
    expect(readdirSync(model).filter((name) => !/circuit|proving|verification|setup/.test(name))).toEqual([
      'carrier.onnx',
      'program.assay',
      'report.json',
    ]);
    expect(readdirSync(folder).filter((name) => name.includes('partial'))).toEqual([]);
    const printed = read('compiled.json');
    const report = read('dense', 'report.json');
    expect(printed).toMatchObject({
      event: 'compiled',
      name: 'dense',
      calibrationCases: 32,
      syntheticCases: 0,
      score: { cases: 8, from: 'held out' },
    });
    for (const name of ['operators', 'parameters', 'macs', 'constraints', 'instructionRoot', 'score'])
      expect(report[name]).toEqual(printed[name]);
    expect(report.layers).toHaveLength(3);
  });

  it('gives the same program from the same files', async () => {
    expect(await assay('compile', at('dense.onnx'), '--calibration', at('rows.json'), '--out', at('again'))).toMatchObject({ code: 0 });
    for (const name of ['program.assay', 'carrier.onnx'])
      expect(readFileSync(at('again', name)).equals(readFileSync(at('dense', name)))).toBe(true);
  });

  it('replaces a compiled model with --force alone, keys included', async () => {
    cpSync(model, at('replaced'), { recursive: true });
    const again = ['compile', at('dense.onnx'), '--calibration', at('rows.json'), '--wide', '--out', at('replaced')];
    const refused = await assay(...again);
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('[OUTPUT_EXISTS]') });
    expect(existsSync(at('replaced', 'setup.json'))).toBe(true);
    expect(await assay(...again, '--force')).toMatchObject({ code: 0 });
    expect(readdirSync(at('replaced'))).toEqual(['carrier.onnx', 'program.assay', 'report.json']);
    expect(readFileSync(at('replaced', 'program.assay')).equals(readFileSync(at('dense', 'program.assay')))).toBe(false);
  });

  it('without calibration data says what that means, and keeps to declared ranges', async () => {
    const noise = await assay('compile', at('dense.onnx'), '--range', 'features=-2:6', '--out', at('noise'), '--json');
    expect(noise).toMatchObject({ code: 0, stderr: expect.stringMatching(/^warning: no calibration data: .*noise/) });
    const inspected = parse<{ inputs: { scale: number; zeroPoint: number }[] }>((await assay('inspect', at('noise'), '--json')).stdout);
    const { scale, zeroPoint } = inspected.inputs[0]!;
    expect(-zeroPoint * scale).toBeCloseTo(-2, 0);
    expect((255 - zeroPoint) * scale).toBeCloseTo(6, 0);
  });
});

describe('assay run', () => {
  it('prints one line a case, the same from both executors', async () => {
    const fast = await assay('run', model, '--input', at('three.json'));
    const slow = await assay('run', model, '--input', at('three.json'), '--reference');
    expect(fast.code).toBe(0);
    expect(fast.stdout).toBe(slow.stdout);
    const lines = fast.stdout
      .trimEnd()
      .split('\n')
      .map((line) => parse<Answer>(line));
    expect(lines).toHaveLength(3);
    for (const { outputs, argmax } of lines) {
      expect(Object.keys(outputs[0]!).sort()).toEqual(['dims', 'integers', 'name', 'values']);
      expect(outputs[0]).toMatchObject({ name: 'scores', dims: [1, 3] });
      expect(argmax).toBe(outputs[0]!.values.indexOf(Math.max(...outputs[0]!.values)));
    }
  });
});

describe('assay inspect', () => {
  const promised = ['operators', 'parameters', 'macs', 'activations', 'tensors', 'tiers', 'constraints', 'domain', 'keyBytes'];

  it('tells of a compiled model what the surface promises', async () => {
    const inspected = parse((await assay('inspect', model, '--json')).stdout);
    expect(Object.keys(inspected)).toEqual(expect.arrayContaining(promised));
    expect(inspected).toMatchObject({
      operators: { MatMul: 2, Add: 1, Relu: 1, Identity: 1 },
      parameters: 48,
      macs: 42,
      activations: 9,
      tensors: 3,
      setup: { development: true, inputForm: 'packed' },
    });
    const { size } = statSync(at('dense', 'proving.zkey'));
    expect(Math.abs(Number(inspected.keyBytes) - size)).toBeLessThan(0.01 * size);
  });

  it('tells the same of the ONNX file before it is compiled, and writes nothing', async () => {
    const before = readdirSync(folder);
    const preflight = parse((await assay('inspect', at('dense.onnx'), '--calibration', at('rows.json'), '--json')).stdout);
    const compiled = read('compiled.json');
    for (const name of promised) expect(preflight[name], name).toEqual(compiled[name]);
    expect(readdirSync(folder)).toEqual(before);
  });
});

describe('assay prove and verify', () => {
  const verify = (...more: string[]) => assay('verify', proof, '--model', model, '--json', ...more);

  it('the answer of one case, to which everything given is held', async () => {
    const proved = read<Answer & { publicSignals: string[] }>('proved.json');
    const lines = (await assay('run', model, '--input', at('three.json'))).stdout.trimEnd().split('\n');
    expect(proved.outputs).toEqual(parse<Answer>(lines[2]!).outputs);
    expect(read<string[]>('proof.public.json')).toEqual(proved.publicSignals);
    writeFileSync(at('line.json'), lines[2]!);
    writeFileSync(at('first.json'), lines[0]!);
    const held = await verify('--input', at('three.json'), '--case', '2', '--output', at('line.json'), '--context', '4660');
    expect(held.code).toBe(0);
    expect(parse(held.stdout)).toMatchObject({
      valid: true,
      checked: ['proof', 'context', 'input', 'execution', 'output'],
      provenance: 'development',
      argmax: proved.argmax,
    });
    expect(held.stderr).toMatch(/DEVELOPMENT/);
  });

  it.each([
    ['another input', ['--input', at('three.json'), '--case', '1'], /another input/],
    ['another context', ['--context', '4661'], /another request/],
    ['another output', ['--output', at('first.json')], /another output/],
  ])('not for %s', async (_, more, reason) => {
    const verdict = await verify(...more);
    expect(verdict.code).toBe(1);
    expect(parse(verdict.stdout)).toMatchObject({ valid: false, reason: expect.stringMatching(reason) });
  });

  it('not with a public signal one higher', async () => {
    const [context, ...rest] = read<string[]>('proof.public.json');
    writeFileSync(at('changed.public.json'), JSON.stringify([String(BigInt(context!) + 1n), ...rest]));
    const verdict = await verify('--public', at('changed.public.json'));
    expect(verdict.code).toBe(1);
    expect(parse(verdict.stdout)).toMatchObject({ valid: false });
  });

  it('not with two of its points exchanged', async () => {
    const { pi_a, pi_c, ...rest } = read<{ pi_a: string[]; pi_c: string[] }>('proof.json');
    writeFileSync(at('swapped.json'), JSON.stringify({ ...rest, pi_a: pi_c, pi_c: pi_a }));
    const verdict = await assay('verify', at('swapped.json'), '--public', at('proof.public.json'), '--model', model);
    expect(verdict).toMatchObject({ code: 1, stdout: expect.stringMatching(/^INVALID: /) });
  });

  it('with a key that snarkjs itself accepts', () => {
    const snarkjs = path.join(import.meta.dirname, '../../node_modules/snarkjs/build/cli.cjs');
    const said = execFileSync(process.execPath, [
      snarkjs,
      'groth16',
      'verify',
      at('dense', 'verification_key.json'),
      at('proof.public.json'),
      proof,
    ]);
    expect(said.toString()).toMatch(/OK/);
  });
});

describe('assay setup and audit', () => {
  it('a second setup keeps the first key; nothing of the work is left', async () => {
    const before = readFileSync(at('dense', 'setup.json'), 'utf8');
    const again = await assay('setup', model, '--dev');
    expect(again).toMatchObject({ code: 0, stderr: expect.stringMatching(/DEVELOPMENT/) });
    expect(readFileSync(at('dense', 'setup.json'), 'utf8')).toBe(before);
    expect(readdirSync(model).sort()).toEqual([
      'carrier.onnx',
      'circuit.r1cs',
      'program.assay',
      'proving.zkey',
      'report.json',
      'setup.json',
      'verification_key.json',
    ]);
  });

  it('passes a whole folder', async () => {
    const audited = await assay('audit', model, '--json');
    expect(audited.code).toBe(0);
    expect(parse(audited.stdout)).toMatchObject({ passed: true, provenance: 'development' });
  });

  it('finds one changed byte in carrier, circuit and key', async () => {
    cpSync(model, at('audited'), { recursive: true });
    for (const file of ['carrier.onnx', 'circuit.r1cs', 'proving.zkey']) {
      const bytes = readFileSync(at('audited', file));
      bytes[bytes.length - 40]! ^= 1;
      writeFileSync(at('audited', file), bytes);
    }
    const audited = await assay('audit', at('audited'), '--json');
    expect(audited.code).toBe(1);
    const { checks } = parse<{ checks: { name: string; passed: boolean }[] }>(audited.stdout);
    const wrong = checks.filter(({ passed }) => !passed).map(({ name }) => name);
    expect(wrong).toEqual(expect.arrayContaining(['carrier', 'circuit', 'proving key file']));
    expect(wrong).not.toContain('program');
  });

  it('refuses to prove or verify with the key of another program', async () => {
    cpSync(at('again'), at('mixed'), { recursive: true });
    for (const name of ['circuit.r1cs', 'proving.zkey', 'verification_key.json', 'setup.json'])
      cpSync(at('dense', name), at('mixed', name));
    cpSync(at('noise', 'program.assay'), at('mixed', 'program.assay'));
    const proved = await assay('prove', at('mixed'), '--input', at('three.json'), '--out', at('never.json'));
    expect(proved).toMatchObject({ code: 2, stderr: expect.stringContaining('[SETUP_STALE]') });
    expect(existsSync(at('never.json'))).toBe(false);
    const verified = await assay('verify', proof, '--model', at('mixed'));
    expect(verified).toMatchObject({ code: 2, stderr: expect.stringContaining('[SETUP_STALE]') });
  });
});

describe('assay selftest', () => {
  it('passes on this machine', async () => {
    const tested = await assay('selftest', '--json');
    expect(tested.code).toBe(0);
    expect(parse(tested.stdout)).toMatchObject({ passed: true, faults: [] });
  });
});

describe('Ctrl-C', () => {
  /** Starts a command, waits for words of progress, interrupts it, and resolves with how it ended. */
  function interrupted(words: RegExp, ...args: string[]): Promise<{ code: number | null; signal: string | null; seconds: number }> {
    const child = spawn(process.execPath, [launcher, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    let sent = 0;
    return new Promise((resolve, reject) => {
      child.stderr.on('data', (chunk: Buffer) => {
        said += chunk.toString();
        if (sent === 0 && words.test(said)) {
          sent = performance.now();
          child.kill('SIGINT');
        }
      });
      child.on('exit', (code, signal) => {
        if (sent === 0) reject(new Error(`it ended before it said ${words}: ${said}`));
        else resolve({ code, signal, seconds: (performance.now() - sent) / 1000 });
      });
    });
  }

  const mnist = path.join(fixtures, 'mnist-cnn-cntk');

  it('during a compilation ends it at once, with nothing written', async () => {
    const ended = await interrupted(
      /quantizing/,
      'compile',
      path.join(mnist, 'model.onnx'),
      '--calibration',
      path.join(mnist, 'cases.json'),
      '--out',
      at('stopped'),
    );
    expect(ended.code ?? ended.signal).toBeOneOf([130, 'SIGINT']);
    expect(readdirSync(folder).filter((name) => name.startsWith('stopped'))).toEqual([]);
  });

  it('during a setup leaves the compiled model as it was, and the next one succeeds', async () => {
    cpSync(at('noise'), at('halted'), { recursive: true });
    const before = readdirSync(at('halted'));
    const ended = await interrupted(/multiply points/, 'setup', at('halted'), '--dev');
    expect(ended.code).toBe(130);
    expect(readdirSync(at('halted'))).toEqual(before);
    expect(await assay('setup', at('halted'), '--dev')).toMatchObject({ code: 0 });
    expect(existsSync(at('halted', 'setup.json'))).toBe(true);
  });
});
