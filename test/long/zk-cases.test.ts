import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { estimateCircuit } from '../../circuits/compile.ts';
import { prove } from '../../circuits/prove.ts';
import { setupDevelopment } from '../../circuits/setup.ts';
import { readVerificationKey, verifyProof } from '../../circuits/verify.ts';
import { parseCases } from '../../core/cases.ts';
import { AssayError } from '../../core/errors.ts';
import { encodeProgram } from '../../core/program/codec.ts';
import { compileModel } from '../../core/quantize/compile.ts';
import { random, randomInputs } from '../circuits/build.ts';
import { CASE_FOLDER } from '../support/fixtures.ts';

const MODELS = path.join(CASE_FOLDER, 'models');
/** What is called a small model here. */
const ACTIVATIONS = 10_000;

const names = existsSync(MODELS) ? readdirSync(MODELS) : [];
if (names.length === 0) console.log(`No models in ${MODELS}: none of them is proved.`);
const root = mkdtempSync(path.join(tmpdir(), 'assay-zk-cases-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe.skipIf(names.length === 0)('models of others, proved', () => {
  it.each(names)('%s', async (name) => {
    const onnx = new Uint8Array(readFileSync(path.join(MODELS, name, 'model.onnx')));
    const calibration = parseCases(readFileSync(path.join(MODELS, name, 'cases.json'), 'utf8'));
    let program: ReturnType<typeof compileModel>['program'];
    try {
      ({ program } = compileModel({ onnx, calibration }));
    } catch (error) {
      if (error instanceof AssayError && error.code === 'MODEL_REFUSED') return;
      throw error;
    }
    const { notInTier, report } = estimateCircuit(program);
    if (notInTier !== undefined || report === undefined || report.activations > ACTIVATIONS) {
      console.log(`${name}: ${notInTier?.reason ?? `${report?.activations} activations`}`);
      return;
    }
    const directory = path.join(root, name);
    mkdirSync(directory);
    writeFileSync(path.join(directory, 'program.assay'), encodeProgram(program));
    await setupDevelopment(directory);
    const { proof, publicSignals, peakMegabytes } = await prove({ directory, inputs: randomInputs(program, random(1)), context: 5n });
    console.log(`${name}: ${report.constraints} constraints, ${publicSignals.length} signals, ${peakMegabytes} MiB`);
    expect(await verifyProof({ key: await readVerificationKey(directory), proof, publicSignals })).toEqual({ valid: true });
  });
});
