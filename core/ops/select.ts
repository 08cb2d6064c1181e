import { type Operation, refuse, requireInteger, requireLength, requireParameters, requireSources } from './operation.ts';

/**
 * `y[e] = condition[e] > threshold ? A[e] : B[e]`; sources are condition (any type), A, B (the output's type), equal lengths.
 * Cost of a step: three reads. ONNX: Where, Max and Min of two tensors, comparisons.
 */
export const select: Operation<'select'> = {
  validate(instruction, sources) {
    requireSources('select', sources, 3);
    requireInteger('select', 'threshold', instruction.attributes.threshold, -2147483648, 2147483647);
    if (sources[1]!.type !== instruction.type || sources[2]!.type !== instruction.type)
      refuse('select', 'A and B must have the type of the output');
    for (const source of sources) requireLength('select', source.length, instruction.length);
    requireParameters('select', instruction.parameters, 0);
  },

  execute(instruction, sources, out) {
    const { threshold } = instruction.attributes;
    const [condition, a, b] = [sources[0]!, sources[1]!, sources[2]!];
    for (let e = 0; e < out.length; e++) out[e] = condition[e]! > threshold ? a[e]! : b[e]!;
  },

  step(instruction, _sources, element, access) {
    return access.source(access.source(0, element) > instruction.attributes.threshold ? 1 : 2, element);
  },
};
