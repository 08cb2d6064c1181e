import { SETUP_FILES } from '../circuits/setup/files.ts';
import { AssayError } from '../core/errors.ts';
import type { Graph } from '../core/onnx/graph.ts';
import { isFloat } from '../core/onnx/tensor.ts';
import { MODEL_FILES } from '../runtime/model-directory.ts';

/** Every file that `assay compile` and `assay setup` write into a model's folder. */
const OUR_FILES: ReadonlySet<string> = new Set<string>([...Object.values(MODEL_FILES), ...Object.values(SETUP_FILES), '.setup']);

/** Whether a folder is a compiled model and nothing else: only then may `--force` replace it. */
export function isModelFolder(entries: readonly string[]): boolean {
  return entries.includes(MODEL_FILES.program) && entries.every((entry) => OUR_FILES.has(entry));
}

/** What an ONNX file holds: operators with their counts, and numbers in its float tensors. */
export interface ModelFacts {
  readonly operators: Readonly<Record<string, number>>;
  readonly parameters: number;
}

export function modelFacts(graph: Graph): ModelFacts {
  const operators: Record<string, number> = {};
  for (const { domain, operator } of graph.nodes) {
    const name = domain === '' ? operator : `${domain}::${operator}`;
    operators[name] = (operators[name] ?? 0) + 1;
  }
  let parameters = 0;
  for (const constant of graph.constants.values()) if (isFloat(constant.type)) parameters += constant.data.length;
  return { operators, parameters };
}

/** Adds the file's name to an error about its content. */
export function withFile<T>(file: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof AssayError)) throw error;
    throw new AssayError(error.message, {
      code: error.code,
      facts: { file, ...error.facts },
      ...(error.fix === undefined ? {} : { fix: error.fix }),
      cause: error,
    });
  }
}
