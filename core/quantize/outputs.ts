import type { Net } from '../onnx/lower/net.ts';
import { refuse } from '../onnx/refuse.ts';
import { encodeMap } from '../ops/map.ts';
import { LIMITS, type TensorInterface } from '../program/types.ts';
import { allocate, type ElementType } from '../tensor.ts';
import type { IntegerTensor } from './emitter.ts';
import { emitRescale, integerTensor, type Quantizer } from './quantizer.ts';

/** Scales that the interface of one tensor lists. */
const MAX_SCALES = 8192;
const FREE = { low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY };

export function interfaceOf(name: string, dims: readonly number[], tensor: IntegerTensor): TensorInterface {
  const own = tensor.channels ?? [tensor.quantization];
  return {
    name,
    dims,
    type: tensor.quantization.type,
    scales: own.map(({ scale }) => scale),
    zeroPoints: own.map(({ zero }) => zero),
    axis: tensor.channels === undefined ? 0 : dims.length - 1,
  };
}

/** The same integers at the end of the program, in another type where asked. */
function copied(q: Quantizer, tensor: IntegerTensor, type: ElementType = tensor.quantization.type): IntegerTensor {
  const plain = { position: tensor.position, quantization: { ...tensor.quantization, scale: 1, zero: 0 } };
  const position = emitRescale(q, [plain], [{ a: 1, b: 0, bias: 0 }], { ...plain.quantization, type }, FREE, {
    channelInner: 1,
    innerB: 1,
  });
  return { position, quantization: { ...tensor.quantization, type } };
}

/** Two to eight tensors of one type, one after the other. */
function joinedTensor(q: Quantizer, positions: readonly number[], type: ElementType): number {
  const length = positions.reduce((sum, position) => sum + q.emitter.length(position), 0);
  const index = Uint32Array.from({ length }, (_, e) => e);
  return q.emitter.emit('map', type, length, positions, {}, encodeMap(index, allocate(type, 0)));
}

/** The same list in at most eight tensors. */
function gathered(q: Quantizer, positions: readonly number[], type: ElementType): readonly number[] {
  if (positions.length <= LIMITS.sources) return positions;
  const groups = Array.from({ length: Math.ceil(positions.length / LIMITS.sources) }, (_, i) =>
    positions.slice(i * LIMITS.sources, (i + 1) * LIMITS.sources),
  );
  return gathered(
    q,
    groups.map((group) => (group.length === 1 ? group[0]! : joinedTensor(q, group, type))),
    type,
  );
}

/** How many outputs of the network become tensors of their own; what follows is joined in one more. */
function separate(net: Net): number {
  return net.outputs.length > LIMITS.outputs ? LIMITS.outputs - 1 : net.outputs.length;
}

/** What a user should know of joined outputs. */
export function joinedNote(net: Net): string[] {
  const joined = net.outputs.slice(separate(net)).map(({ name, dims }) => `'${name}' [${dims.join(', ')}]`);
  if (joined.length === 0) return [];
  return [`a program has at most ${LIMITS.outputs} outputs; joined in the last one, one after the other: ${joined.join(', ')}`];
}

/**
 * Makes the network's outputs the last instructions, in order. A program has at most six: of more, the sixth and all later ones are joined
 * in one tensor, every element with the scale it had.
 */
export function placeOutputs(q: Quantizer): TensorInterface[] {
  const { net } = q;
  const wanted = net.outputs.map((output) => integerTensor(q, output.node));
  const count = separate(net);
  const joined = wanted.slice(count);
  const types = new Set(joined.map(({ quantization }) => quantization.type));
  const type = types.size === 1 ? [...types][0]! : 'i32';
  const parts = joined.map((tensor) => (tensor.quantization.type === type ? tensor : copied(q, tensor, type)));
  const sources = gathered(
    q,
    parts.map(({ position }) => position),
    type,
  );
  const first = q.emitter.instructions.length - count;
  const isPlaced = joined.length === 0 && wanted.every((tensor, i) => tensor.position === first + i);
  const placed = wanted.slice(0, count).map((tensor) => (isPlaced ? tensor : copied(q, tensor)));
  const interfaces = placed.map((tensor, i) => interfaceOf(net.outputs[i]!.name, net.outputs[i]!.dims, tensor));
  if (parts.length === 0) return interfaces;
  const length = q.emitter.length(joinedTensor(q, sources, type));
  if (length > MAX_SCALES) {
    refuse(
      `the model has ${net.outputs.length} outputs, and those beyond the fifth have ${length} values, more than ${MAX_SCALES}`,
      { outputs: net.outputs.length, values: length },
      'export it with the outputs you need',
    );
  }
  const each = <T>(pick: (tensor: IntegerTensor) => T): T[] =>
    parts.flatMap((tensor) => Array.from({ length: q.emitter.length(tensor.position) }, () => pick(tensor)));
  return [
    ...interfaces,
    {
      name: net.outputs
        .slice(count)
        .map((output) => output.name)
        .join(', ')
        .slice(0, 256),
      dims: [length],
      type,
      scales: each(({ quantization }) => quantization.scale),
      zeroPoints: each(({ quantization }) => quantization.zero),
      axis: 0,
    },
  ];
}

/** A program's answers, one list an output of the network: joined ones apart again. */
export function separated(net: Net, answers: readonly Float64Array[]): Float64Array[] {
  const count = separate(net);
  let from = 0;
  return net.outputs.map((output, i) => {
    if (i < count) return answers[i]!;
    const { length } = net.nodes[output.node]!;
    from += length;
    return answers[count]!.subarray(from - length, from);
  });
}
