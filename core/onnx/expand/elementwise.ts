import { intAttribute } from '../graph.ts';
import { elementTypeCode } from '../parse-tensor.ts';
import { refuseNode } from '../refuse.ts';
import { type ElementType, isFloat, tensor } from '../tensor.ts';
import { axisLast, type Builder, type Expansion, undone } from './builder.ts';

const FLOAT = 1;

function asFloat(b: Builder, name: string): string {
  return b.op('Cast', [name], { to: FLOAT });
}

/**
 * ⌊a / b⌋ of whole numbers from 0 and from 1 on. As (2a + 1) / 2b the quotient stays half a unit of b away from the edge below
 * it, so that its own rounding does no harm.
 */
function wholeQuotient(b: Builder, dividend: string, divisor: string, type: ElementType): string {
  const two = b.scalar(2, type);
  const numerator = b.op('Add', [b.op('Mul', [dividend, two]), b.scalar(1, type)]);
  return b.op('Floor', [b.op('Div', [asFloat(b, numerator), asFloat(b, b.op('Mul', [divisor, two]))])]);
}

/** Division of integers truncates: sign(a)·sign(b)·⌊|a| / |b|⌋. A constant divisor makes a table of it. */
function divide(b: Builder): readonly string[] | undefined {
  const [x, y] = [b.input(0), b.input(1)];
  if (isFloat(x.type) && y.constant === undefined && y.negative === true) {
    // Divisors are positive in an integer program: the sign goes to the dividend.
    return [b.op('Div', [b.op('Mul', [x.name, b.op('Sign', [y.name])]), b.op('Abs', [y.name])])];
  }
  if (isFloat(x.type) || (x.constant !== undefined && y.constant !== undefined) || y.constant !== undefined) return undefined;
  const to = elementTypeCode(x.type);
  const quotient = wholeQuotient(b, b.op('Abs', [x.name]), b.op('Abs', [y.name]), x.type);
  if (x.type.startsWith('u') && y.type.startsWith('u')) return [b.op('Cast', [quotient], { to })];
  const sign = b.op('Mul', [b.op('Sign', [x.name]), b.op('Sign', [y.name])]);
  return [b.op('Mul', [b.op('Cast', [quotient], { to }), sign])];
}

/** The remainder of a varying divisor: a − b·⌊a / b⌋, or with the quotient truncated (fmod). */
function modulo(b: Builder): readonly string[] | undefined {
  const [x, y] = [b.input(0), b.input(1)];
  if (y.constant !== undefined) return undefined;
  const truncates = intAttribute(b.node, 'fmod', 0) === 1;
  if (isFloat(x.type)) {
    const quotient = b.op('Div', [x.name, y.name]);
    const whole = truncates ? b.op('Mul', [b.op('Sign', [quotient]), b.op('Floor', [b.op('Abs', [quotient])])]) : b.op('Floor', [quotient]);
    return [b.op('Sub', [x.name, b.op('Mul', [whole, y.name])])];
  }
  const to = elementTypeCode(x.type);
  const [signs, sizes] = [b.op('Sign', [y.name]), b.op('Abs', [y.name])];
  let quotient: string;
  if (truncates) {
    const size = wholeQuotient(b, b.op('Abs', [x.name]), sizes, x.type);
    quotient = b.op('Mul', [b.op('Cast', [size], { to }), b.op('Mul', [b.op('Sign', [x.name]), signs])]);
  } else quotient = b.op('Cast', [wholeQuotient(b, b.op('Mul', [x.name, signs]), sizes, x.type)], { to });
  const back = truncates ? y.name : sizes;
  const product = b.op('Mul', [quotient, back]);
  // ⌊a·sign(b) / |b|⌋·b: the sign of the divisor moves to the dividend and back.
  return [b.op('Sub', [x.name, truncates ? product : b.op('Mul', [product, signs])])];
}

/** A varying base and exponent: exp(e·log b), for bases above zero. */
function power(b: Builder): readonly string[] | undefined {
  const [base, exponent] = [b.input(0), b.input(1)];
  if (base.constant !== undefined || exponent.constant !== undefined) return undefined;
  const logarithm = b.op('Log', [b.op('Max', [asFloat(b, base.name), b.scalar(1e-6)])]);
  const result = b.op('Exp', [b.op('Mul', [asFloat(b, exponent.name), logarithm])]);
  return [isFloat(base.type) ? result : b.op('Cast', [b.op('Round', [result])], { to: elementTypeCode(base.type) })];
}

/** Bounds that vary are minimum and maximum. */
function clip(b: Builder): readonly string[] | undefined {
  const [low, high] = [b.optional(1), b.optional(2)];
  if ([low, high].every((bound) => bound === undefined || bound.constant !== undefined)) return undefined;
  const raised = low === undefined ? b.input(0).name : b.op('Max', [b.input(0).name, low.name]);
  return [high === undefined ? raised : b.op('Min', [raised, high.name])];
}

/** A slope that varies. */
function prelu(b: Builder): readonly string[] | undefined {
  const [x, slope] = [b.input(0), b.input(1)];
  if (slope.constant !== undefined) return undefined;
  const below = b.op('Mul', [b.op('Min', [x.name, b.scalar(0)]), slope.name]);
  return [b.op('Add', [b.op('Relu', [x.name]), below])];
}

const xor = (b: Builder): readonly string[] => [b.op('Not', [b.op('Equal', [b.input(0).name, b.input(1).name])])];

const castLike = (b: Builder): readonly string[] => [b.op('Cast', [b.input(0).name], { to: elementTypeCode(b.input(1).type) })];

/** x / (bias + alpha/size · Σ x² over neighbouring channels)^beta: the sum is a product with a banded matrix. */
function localResponse(b: Builder): readonly string[] {
  const { node } = b;
  const x = b.input(0);
  const size = intAttribute(node, 'size', 1);
  const [alpha, beta, bias] = [intAttribute(node, 'alpha', 1e-4), intAttribute(node, 'beta', 0.75), intAttribute(node, 'bias', 1)];
  const channels = x.dims[1] ?? refuseNode(node, 'the input has no channels');
  const [before, after] = [Math.floor((size - 1) / 2), Math.ceil((size - 1) / 2)];
  const band = Array.from({ length: channels * channels }, (_, e) => {
    const [from, to] = [Math.floor(e / channels), e % channels];
    return from >= to - before && from <= to + after ? alpha / size : 0;
  });
  const perm = axisLast(x.dims.length, 1);
  const squares = b.transpose(b.op('Mul', [x.name, x.name]), perm);
  const sums = b.transpose(b.op('MatMul', [squares, b.tensor(tensor('float32', [channels, channels], band))]), undone(perm));
  const factor = b.op('Pow', [b.op('Add', [sums, b.scalar(bias)]), b.scalar(-beta)]);
  return [b.op('Mul', [x.name, factor])];
}

export const ELEMENTWISE_EXPANSIONS: Readonly<Record<string, Expansion>> = {
  CastLike: { expand: castLike },
  Clip: { expand: clip, when: (node) => node.inputs.length > 1 },
  Div: { expand: divide },
  LRN: { expand: localResponse },
  Mod: { expand: modulo },
  PRelu: { expand: prelu },
  Pow: { expand: power },
  Xor: { expand: xor },
};
