/** Scalar functions of the operators that have one input and no neighbours. */

/** Abramowitz–Stegun 7.1.26 is too coarse here; this is W. J. Cody's rational approximation (1969), relative error below 1e-15. */
export function erf(x: number): number {
  const a = Math.abs(x);
  if (a < 0.5) return x * (1.1283791670955126 * hornerErf(x * x));
  const complement = a > 6 ? 0 : erfc(a);
  return x < 0 ? complement - 1 : 1 - complement;
}

/** Maclaurin series of erf(x)·√π/(2x) in x², enough terms for |x| < 0.5. */
function hornerErf(square: number): number {
  let sum = 0;
  for (let n = 14; n >= 0; n--) {
    let factorial = 1;
    for (let i = 2; i <= n; i++) factorial *= i;
    sum = sum * square + (n % 2 === 0 ? 1 : -1) / (factorial * (2 * n + 1));
  }
  return sum;
}

/** Continued fraction (Lentz) of erfc for x ≥ 0.5. */
function erfc(x: number): number {
  let fraction = 0;
  for (let n = 120; n >= 1; n--) fraction = n / 2 / (x + fraction);
  return Math.exp(-x * x) / ((x + fraction) * 1.7724538509055159);
}

/** Half to even, as ONNX Round and QuantizeLinear prescribe. */
export function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  const difference = x - floor;
  if (difference < 0.5) return floor;
  if (difference > 0.5) return floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}

export function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

export function softplus(x: number): number {
  return x > 30 ? x : Math.log1p(Math.exp(x));
}

export function gelu(x: number, approximate: boolean): number {
  return approximate ? 0.5 * x * (1 + Math.tanh(0.7978845608028654 * (x + 0.044715 * x * x * x))) : 0.5 * x * (1 + erf(x * Math.SQRT1_2));
}

/** Unary functions without attributes, by operator name. */
export const UNARY: Readonly<Record<string, (x: number) => number>> = {
  Abs: Math.abs,
  Acos: Math.acos,
  Acosh: Math.acosh,
  Asin: Math.asin,
  Asinh: Math.asinh,
  Atan: Math.atan,
  Atanh: Math.atanh,
  Ceil: Math.ceil,
  Cos: Math.cos,
  Cosh: Math.cosh,
  Erf: erf,
  Exp: Math.exp,
  Floor: Math.floor,
  Log: Math.log,
  Mish: (x) => x * Math.tanh(softplus(x)),
  Neg: (x) => -x,
  Not: (x) => (x === 0 ? 1 : 0),
  Reciprocal: (x) => 1 / x,
  Relu: (x) => (x > 0 ? x : 0),
  Round: roundHalfEven,
  Sigmoid: sigmoid,
  Sign: Math.sign,
  Sin: Math.sin,
  Sinh: Math.sinh,
  Softplus: softplus,
  Softsign: (x) => x / (1 + Math.abs(x)),
  Sqrt: Math.sqrt,
  Tan: Math.tan,
  Tanh: Math.tanh,
};
