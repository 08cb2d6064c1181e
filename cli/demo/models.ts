import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Program } from '../../core/program/types.ts';
import { compileModel } from '../../core/quantize/compile.ts';
import { argmaxLast, prepareInput, readOutput } from '../../core/values.ts';
import { writeModelDirectory } from '../../runtime/model-directory.ts';
import { openModel } from '../../runtime/session.ts';
import { accuracy, agreement, floatPredictions } from './accuracy.ts';
import { type DemoModel, imageCases, type LabelledImages } from './images.ts';

const CALIBRATION = 100;
const SCORED = 500;

export interface PreparedModel {
  readonly model: DemoModel;
  readonly directory: string;
  readonly program: Program;
  readonly images: number;
  readonly floatAccuracy: number;
  readonly integerAccuracy: number;
  readonly agreement: number;
  readonly milliseconds: number;
}

/**
 * Compiles a fixture into `directory` and scores it: float (onnxruntime on the ONNX file) against integer (the program on
 * onnxruntime), on real labelled images that calibration has not seen.
 */
export async function prepareModel(model: DemoModel, images: LabelledImages, directory: string): Promise<PreparedModel> {
  const started = performance.now();
  const onnx = new Uint8Array(await readFile(model.file));
  const calibration = imageCases(model, images, 0, CALIBRATION);
  // The network's last Softmax changes no arg-max; without it the circuit stays small.
  const { program, report } = compileModel({ onnx, calibration, options: { name: model.name, logits: true } });
  await writeModelDirectory(directory, program, report);
  const milliseconds = Math.round(performance.now() - started);
  const cases = imageCases(model, images, CALIBRATION, SCORED);
  const float = await floatPredictions(model.file, cases);
  const integer = await integerPredictions(program, cases);
  return {
    model,
    directory: path.resolve(directory),
    program,
    images: SCORED,
    floatAccuracy: accuracy(float, cases),
    integerAccuracy: accuracy(integer, cases),
    agreement: agreement(float, integer),
    milliseconds,
  };
}

async function integerPredictions(program: Program, cases: ReturnType<typeof imageCases>): Promise<number[]> {
  const session = await openModel(program);
  try {
    const predictions: number[] = [];
    for (const { inputs } of cases) {
      const [output] = readOutput(program, await session.run(prepareInput(program, inputs)));
      predictions.push(argmaxLast(output!.dims, output!.values)[0]!);
    }
    return predictions;
  } finally {
    await session.close();
  }
}
