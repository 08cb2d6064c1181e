import { argmaxLast, type OutputValues } from '../core/values.ts';

/** `{outputs:[{name,dims,integers,values}],argmax}`: argmax is one number, or a list where the first output has several rows. */
export function answerFacts(outputs: readonly OutputValues[]): Readonly<Record<string, unknown>> {
  const first = outputs[0]!;
  const argmax = argmaxLast(first.dims, first.values);
  return {
    outputs: outputs.map(({ name, dims, integers, values }) => ({
      name,
      dims,
      integers: Array.from(integers),
      values: Array.from(values),
    })),
    argmax: argmax.length === 1 ? argmax[0] : argmax,
  };
}

const SHOWN = 16;

/** A line an output: its first values. */
export function answerText(outputs: readonly OutputValues[]): string {
  return outputs
    .map(({ name, dims, values }) => {
      const shown = Array.from(values.slice(0, SHOWN), (value) => Number(value.toPrecision(6)));
      return `${name} [${dims.join(', ')}]: ${shown.join(' ')}${values.length > SHOWN ? ' …' : ''}`;
    })
    .join('\n');
}
