import { randomSource } from '../../core/quantize/calibration.ts';
import { gaussian, Sketch, uniform, type ZooModel } from './sketch.ts';

function mlpWithBatchNorm(): ZooModel {
  const s = new Sketch(1);
  s.input('x', [1, 20]);
  for (const [inner, outer] of [
    [20, 64],
    [64, 64],
  ] as const) {
    s.dense(inner, outer);
    s.batchNorm(outer);
    s.next('Relu');
    s.next('Dropout');
  }
  s.dense(64, 5);
  return s.build('mlp with batch norm and dropout');
}

function depthwise(): ZooModel {
  const s = new Sketch(2);
  s.input('x', [1, 3, 17, 17], uniform(0, 1));
  s.next('Conv', [s.weights([8, 3, 3, 3])], { strides: [2, 2], auto_pad: 'SAME_UPPER' });
  s.batchNorm(8);
  s.next('HardSwish');
  for (const [channels, out, stride] of [
    [8, 16, 1],
    [16, 24, 2],
  ] as const) {
    s.next('Conv', [s.weights([channels, 1, 3, 3])], { group: channels, strides: [stride, stride], auto_pad: 'SAME_UPPER' });
    s.batchNorm(channels);
    s.next('HardSwish');
    s.next('Conv', [s.weights([out, channels, 1, 1])]);
    s.batchNorm(out);
    s.next('HardSwish');
  }
  s.next('GlobalAveragePool');
  s.next('Flatten');
  s.dense(24, 10);
  return s.build('depthwise convolutions, SAME_UPPER, HardSwish');
}

function residual(): ZooModel {
  const s = new Sketch(3);
  s.input('x', [1, 4, 10, 10]);
  let x = s.next('Conv', [s.weights([8, 4, 3, 3]), s.weights([8], 0.1)], { pads: [1, 1, 1, 1] });
  // The second branch is forty times larger than what it is added to.
  for (const scale of [0.05, 2]) {
    s.from(x).next('Relu');
    s.next('Conv', [s.weights([8, 8, 3, 3], scale)], { pads: [1, 1, 1, 1] });
    x = s.node('Add', [x, s.batchNorm(8)])[0]!;
  }
  s.next('GlobalMaxPool');
  s.next('Flatten');
  s.dense(8, 4);
  return s.build('residual branches of different scales');
}

function branches(): ZooModel {
  const s = new Sketch(4);
  const x = s.input('x', [1, 3, 12, 12]);
  const parts = [0.02, 1, 5].map((scale) => {
    s.from(x).next('Conv', [s.weights([6, 3, 3, 3], scale)], { pads: [1, 1, 1, 1] });
    return s.next('Relu');
  });
  s.node('Concat', parts, { axis: 1 });
  s.next('Conv', [s.constant([8, 18, 3, 3], branchWeights()), s.weights([8], 0.1)], { pads: [1, 1, 1, 1] });
  s.next('Relu');
  s.next('AveragePool', [], { kernel_shape: [3, 3], strides: [3, 3] });
  s.next('Flatten');
  s.dense(128, 6);
  return s.build('branches of different scales, joined');
}

/** Weights that make up for the scales of the branches, as training would. */
function branchWeights(): number[] {
  const random = randomSource(44);
  return Array.from({ length: 8 * 18 * 9 }, (_, i) => (0.1 * gaussian(random)) / [0.02, 1, 5][Math.floor((Math.floor(i / 9) % 18) / 6)]!);
}

function recurrent(operator: 'LSTM' | 'GRU' | 'RNN', scale: number): ZooModel {
  const s = new Sketch(5);
  const gates = { LSTM: 4, GRU: 3, RNN: 1 }[operator];
  const hidden = 12;
  // Features a hundred times larger than states, their weights a hundred times smaller.
  s.input('x', [6, 1, 5], (random) => scale * gaussian(random));
  const inner = s.weights([1, gates * hidden, 5], 0.5 / scale);
  const outputs = s.node(
    `${operator}`,
    ['x', inner, s.weights([1, gates * hidden, hidden], 0.3), s.weights([1, 2 * gates * hidden], 0.2)],
    { hidden_size: hidden, ...(operator === 'GRU' && { linear_before_reset: 1 }) },
    2,
  );
  s.from(outputs[1]!).next('Reshape', [s.constant([2], [1, hidden], 7)]);
  s.dense(hidden, 3);
  return s.build(`${operator} over features of scale ${scale}`, undefined, 14);
}

function attention(scale: number): ZooModel {
  const s = new Sketch(6);
  const [tokens, width, heads] = [8, 16, 2];
  let x = s.input('x', [1, tokens, width]);
  const split = (): string => {
    s.next('Reshape', [s.constant([4], [1, tokens, heads, width / heads], 7)]);
    return s.next('Transpose', [], { perm: [0, 2, 1, 3] });
  };
  const mask = s.constant(
    [1, 1, tokens, tokens],
    Array.from({ length: tokens * tokens }, (_, i) => (i % tokens > Math.floor(i / tokens) ? -3.4e38 : 0)),
  );
  for (let block = 0; block < 2; block++) {
    const normal = s.from(x).next('LayerNormalization', [s.positive([width], 0.5, 1.5), s.weights([width], 0.2)]);
    const [q, k, v] = [scale, scale, 1].map((by) => {
      s.from(normal).project(width, width, by / Math.sqrt(width));
      return split();
    }) as [string, string, string];
    const turned = s.from(k).next('Transpose', [], { perm: [0, 1, 3, 2] });
    s.node('MatMul', [q, turned]);
    s.next('Mul', [s.constant([1], [1 / Math.sqrt(width / heads)])]);
    s.next('Add', [mask]);
    const weights = s.next('Softmax', [], { axis: -1 });
    s.node('MatMul', [weights, v]);
    s.next('Transpose', [], { perm: [0, 2, 1, 3] });
    s.next('Reshape', [s.constant([3], [1, tokens, width], 7)]);
    x = s.node('Add', [x, s.project(width, width)])[0]!;
    s.next('LayerNormalization', [s.positive([width], 0.5, 1.5), s.weights([width], 0.2)]);
    s.project(width, 4 * width);
    s.next('Gelu', [], { approximate: 'none' });
    x = s.node('Add', [x, s.project(4 * width, width)])[0]!;
  }
  s.next('ReduceMean', [s.constant([1], [1], 7)], { keepdims: 0 });
  s.dense(width, 4);
  return s.build(`causal transformer, attention of scale ${scale}`, undefined, 20);
}

function autoencoder(): ZooModel {
  const s = new Sketch(7);
  s.input('x', [1, 1, 16, 16], uniform(0, 1));
  s.next('Conv', [s.weights([8, 1, 3, 3]), s.weights([8], 0.1)], { strides: [2, 2], pads: [1, 1, 1, 1] });
  s.next('LeakyRelu', [], { alpha: { float: 0.1 } });
  s.next('Conv', [s.weights([4, 8, 3, 3]), s.weights([4], 0.1)], { strides: [2, 2], pads: [1, 1, 1, 1] });
  s.next('Elu');
  s.next('ConvTranspose', [s.weights([4, 8, 3, 3], 0.2), s.weights([8], 0.1)], {
    strides: [2, 2],
    pads: [1, 1, 1, 1],
    output_padding: [1, 1],
  });
  s.next('Relu');
  s.next('ConvTranspose', [s.weights([8, 1, 4, 4], 0.2), s.weights([1], 0.1)], { strides: [2, 2], pads: [1, 1, 1, 1] });
  s.next('Sigmoid');
  return s.build('autoencoder with ConvTranspose');
}

function smallRange(): ZooModel {
  const s = new Sketch(8);
  s.input('x', [1, 6]);
  s.dense(6, 32);
  s.next('Tanh');
  s.dense(32, 32);
  s.next('Tanh');
  s.dense(32, 1, 1e-4);
  s.next('Add', [s.constant([1], [3])]);
  return s.build('regression around 3 in a range of a thousandth');
}

function severalInputs(): ZooModel {
  const s = new Sketch(9);
  const features = s.input('features', [1, 8], uniform(0, 500));
  const image = s.input('image', [1, 1, 8, 8], uniform(0, 255));
  const token = s.input('token', [1], (random) => Math.floor(30 * random()), 7);
  s.from(features).next('Mul', [s.constant([1], [1 / 500])]);
  const a = s.dense(8, 16);
  s.from(image).next('Sub', [s.constant([1], [127])]);
  s.next('Div', [s.constant([1], [64])]);
  s.next('Conv', [s.weights([4, 1, 3, 3])]);
  s.next('Relu');
  const b = s.next('Flatten');
  const c = s.node('Gather', [s.weights([30, 12], 0.5), token])[0]!;
  s.node('Concat', [a, b, c], { axis: 1 });
  s.dense(172, 24);
  s.next('Softplus');
  s.dense(24, 3);
  return s.build('a table row, an image and a token');
}

function manyOutputs(): ZooModel {
  const s = new Sketch(10);
  s.input('x', [1, 10]);
  s.dense(10, 24);
  const trunk = s.next('Relu');
  const outputs = Array.from({ length: 9 }, (_, i) => {
    s.from(trunk).dense(24, 1 + (i % 3), 0.001 * 4 ** i);
    return s.next(['Sigmoid', 'Identity', 'Tanh'][i % 3]!);
  });
  return s.build('nine outputs of different scales', outputs);
}

function unevenWeights(): ZooModel {
  const s = new Sketch(11);
  s.input('x', [1, 12]);
  const random = randomSource(12);
  const factors = Array.from({ length: 32 }, () => 10 ** (2 * random() - 1));
  s.next(
    'Gemm',
    [
      s.constant(
        [32, 12],
        Array.from({ length: 384 }, (_, i) => 0.4 * factors[Math.floor(i / 12)]! * gaussian(random)),
      ),
    ],
    { transB: 1 },
  );
  s.next('Relu');
  s.next(
    'Gemm',
    [
      s.constant(
        [6, 32],
        Array.from({ length: 192 }, (_, i) => (0.3 * gaussian(random)) / factors[i % 32]!),
      ),
    ],
    { transB: 1 },
  );
  return s.build('channels of a hundred different scales');
}

function softmaxed(): ZooModel {
  const s = new Sketch(13);
  s.input('x', [1, 4], uniform(0, 8));
  s.dense(4, 10);
  s.next('Relu');
  s.dense(10, 10);
  s.next('Relu');
  s.dense(10, 3, 0.15);
  s.next('Softmax', [], { axis: 1 });
  return s.build('iris-like classifier with Softmax', undefined, 11);
}

function sequence(): ZooModel {
  const s = new Sketch(14);
  s.input('x', [1, 2, 64]);
  for (const [channels, out, dilation] of [
    [2, 8, 1],
    [8, 8, 2],
    [8, 8, 4],
  ] as const) {
    s.next('Pad', [s.constant([6], [0, 0, 2 * dilation, 0, 0, 0], 7)]);
    s.next('Conv', [s.weights([out, channels, 3]), s.weights([out], 0.1)], { dilations: [dilation] });
    s.next('Relu');
  }
  s.next('MaxPool', [], { kernel_shape: [4], strides: [4] });
  s.next('Flatten');
  s.dense(128, 2);
  s.next('LogSoftmax', [], { axis: 1 });
  return s.build('causal 1-D convolutions with LogSoftmax', undefined, 13);
}

function squeezeExcite(): ZooModel {
  const s = new Sketch(15);
  s.input('x', [1, 3, 12, 12], uniform(-2, 2));
  s.next('Conv', [s.weights([16, 3, 3, 3])], { pads: [1, 1, 1, 1] });
  s.batchNorm(16);
  const gate = s.next('Sigmoid');
  const x = s.node('Mul', [`t1_0`, gate])[0]!;
  s.next('GlobalAveragePool');
  s.next('Conv', [s.weights([4, 16, 1, 1]), s.weights([4], 0.1)]);
  s.next('Relu');
  s.next('Conv', [s.weights([16, 4, 1, 1]), s.weights([16], 0.1)]);
  s.next('HardSigmoid');
  s.node('Mul', [x, `t${7}_0`]);
  s.next('ReduceMean', [], { axes: [2, 3], keepdims: 0 });
  s.dense(16, 5);
  return s.build('squeeze and excite with SiLU', undefined, 16);
}

/** Columns as tables have them: years, an income, a share. */
const COLUMNS = [1, 60, 50_000, 0.01, 3000, 12];

function table(isScaled: boolean): ZooModel {
  const s = new Sketch(16);
  let column = 0;
  s.input('row', [1, 6], (random) => COLUMNS[column++ % 6]! * (0.5 + gaussian(random)));
  if (isScaled) {
    s.next('Sub', [
      s.constant(
        [6],
        COLUMNS.map((c) => 0.5 * c),
      ),
    ]);
    s.next('Div', [s.constant([6], COLUMNS)]);
    s.dense(6, 24);
  } else {
    const random = randomSource(17);
    s.next('Gemm', [
      s.constant(
        [6, 24],
        Array.from({ length: 144 }, (_, i) => (0.5 * gaussian(random)) / COLUMNS[Math.floor(i / 24)]!),
      ),
    ]);
  }
  s.next('Tanh');
  s.dense(24, 1);
  return s.build(`a table's row, ${isScaled ? 'scaled first' : 'as it is'}`);
}

function paddedTokens(): ZooModel {
  const s = new Sketch(18);
  const x = s.input('x', [1, 6, 8]);
  s.input('mask', [1, 6], (random) => (random() < 0.7 ? 1 : 0), 7);
  s.next('Cast', [], { to: 1 });
  const one = s.constant([1], [1]);
  s.node('Sub', [one, s.next('Identity')]);
  const mask = s.next('Mul', [s.constant([1], [-10_000])]);
  const [q, k, v] = [1, 1, 1].map((by) => s.from(x).project(8, 8, by / Math.sqrt(8))) as [string, string, string];
  s.node('MatMul', [q, s.from(k).next('Transpose', [], { perm: [0, 2, 1] })]);
  s.next('Add', [mask]);
  s.node('MatMul', [s.next('Softmax', [], { axis: -1 }), v]);
  s.next('ReduceMean', [], { axes: [1], keepdims: 0 });
  s.dense(8, 3);
  return s.build('attention under a padding mask of -10000', undefined, 15);
}

export const ZOO: readonly (() => ZooModel)[] = [
  mlpWithBatchNorm,
  depthwise,
  residual,
  branches,
  () => recurrent('LSTM', 100),
  () => recurrent('GRU', 100),
  () => recurrent('RNN', 0.01),
  () => attention(1),
  () => attention(4),
  autoencoder,
  smallRange,
  severalInputs,
  manyOutputs,
  unevenWeights,
  softmaxed,
  sequence,
  squeezeExcite,
  () => table(true),
  () => table(false),
  paddedTokens,
];
