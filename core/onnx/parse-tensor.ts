import { refuse } from './refuse.ts';
import { type TensorMessage, toNumber } from './schema.ts';
import { allocate, type ElementType, MAX_ELEMENTS, type Tensor, type TensorData } from './tensor.ts';

const MAX_RANK = 8;

const ELEMENT_TYPES: Record<number, readonly [ElementType, number]> = {
  1: ['float32', 4],
  2: ['uint8', 1],
  3: ['int8', 1],
  4: ['uint16', 2],
  5: ['int16', 2],
  6: ['int32', 4],
  7: ['int64', 8],
  9: ['bool', 1],
  10: ['float16', 2],
  11: ['float64', 8],
  12: ['uint32', 4],
  13: ['uint64', 8],
  16: ['bfloat16', 2],
};

export function elementType(code: number, where: string): ElementType {
  const known = ELEMENT_TYPES[code];
  if (known === undefined)
    refuse(
      `${where} has element type ${code}, which is not supported`,
      { elementType: code },
      'strings, complex and 4-bit types cannot be compiled',
    );
  return known[0];
}

/** The number that stands for a type in an ONNX file. */
export function elementTypeCode(type: ElementType): number {
  for (const [code, [known]] of Object.entries(ELEMENT_TYPES)) if (known === type) return Number(code);
  throw new RangeError(`no code for ${type}`);
}

function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

const scratch = new DataView(new ArrayBuffer(4));
function bfloatToNumber(bits: number): number {
  scratch.setUint32(0, bits << 16);
  return scratch.getFloat32(0);
}

function readRaw(type: ElementType, bytes: Uint8Array, data: TensorData): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const read: Record<ElementType, (i: number) => number> = {
    float32: (i) => view.getFloat32(4 * i, true),
    float64: (i) => view.getFloat64(8 * i, true),
    float16: (i) => halfToNumber(view.getUint16(2 * i, true)),
    bfloat16: (i) => bfloatToNumber(view.getUint16(2 * i, true)),
    int8: (i) => view.getInt8(i),
    int16: (i) => view.getInt16(2 * i, true),
    int32: (i) => view.getInt32(4 * i, true),
    int64: (i) => view.getInt32(8 * i + 4, true) * 4294967296 + view.getUint32(8 * i, true),
    uint8: (i) => view.getUint8(i),
    uint16: (i) => view.getUint16(2 * i, true),
    uint32: (i) => view.getUint32(4 * i, true),
    uint64: (i) => view.getUint32(8 * i + 4, true) * 4294967296 + view.getUint32(8 * i, true),
    bool: (i) => (view.getUint8(i) === 0 ? 0 : 1),
  };
  const at = read[type];
  for (let i = 0; i < data.length; i++) data[i] = at(i);
}

/** The typed repeated field that carries `type` when there is no raw data. */
function typedValues(message: TensorMessage, type: ElementType): number[] {
  if (type === 'float32') return message.floatData;
  if (type === 'float64') return message.doubleData;
  if (type === 'int64') return message.int64Data.map(toNumber);
  if (type === 'uint64' || type === 'uint32') return message.uint64Data.map(toNumber);
  if (type === 'float16') return message.int32Data.map((bits) => halfToNumber(bits & 0xffff));
  if (type === 'bfloat16') return message.int32Data.map((bits) => bfloatToNumber(bits & 0xffff));
  return message.int32Data;
}

function externalBytes(message: TensorMessage, where: string, externalData: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const entries = new Map(message.externalData.map(({ key, value }) => [key, value]));
  const location = entries.get('location') ?? '';
  const file = externalData.get(location);
  if (file === undefined) {
    refuse(
      `${where} is stored in the external file '${location}', which was not given`,
      { file: location },
      `put '${location}' beside the model file`,
    );
  }
  const offset = Number(entries.get('offset') ?? 0);
  const length = Number(entries.get('length') ?? file.length - offset);
  if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(length) || offset < 0 || length < 0 || offset + length > file.length) {
    refuse(`${where} points outside the external file '${location}'`, { file: location, offset, length, fileBytes: file.length });
  }
  return file.subarray(offset, offset + length);
}

/** Dimensions of a stored tensor, each positive unless `allowEmpty`, with a bounded product. */
function readDims(message: TensorMessage, where: string): number[] {
  const dims = message.dims.map(toNumber);
  if (dims.length > MAX_RANK) refuse(`${where} has rank ${dims.length}, more than ${MAX_RANK}`, { rank: dims.length });
  let count = 1;
  for (const dim of dims) {
    if (!Number.isSafeInteger(dim) || dim < 0) refuse(`${where} has the dimension ${dim}`, { dims: dims.join('x') });
    count *= dim;
    if (count > MAX_ELEMENTS)
      refuse(
        `${where} claims more than ${MAX_ELEMENTS} elements`,
        { dims: dims.join('x') },
        'the model is too large for an integer program',
      );
  }
  return dims;
}

/**
 * A TensorProto as a Tensor. Nothing is allocated before the stated shape agrees with the bytes present;
 * NaN and infinity are refused here, so no constant of a graph holds one.
 */
export function parseTensor(message: TensorMessage, where: string, externalData: ReadonlyMap<string, Uint8Array>): Tensor {
  const type = elementType(message.dataType, where);
  const dims = readDims(message, where);
  const count = dims.reduce((product, dim) => product * dim, 1);
  const external = message.dataLocation === 1;
  const raw = external ? externalBytes(message, where, externalData) : message.rawData;
  if (raw !== undefined && (external || raw.length > 0)) {
    const expected = count * ELEMENT_TYPES[message.dataType]![1];
    if (raw.length !== expected)
      refuse(`${where} holds ${raw.length} bytes where its shape needs ${expected}`, { dims: dims.join('x'), bytes: raw.length, expected });
    const data = allocate(type, count);
    readRaw(type, raw, data);
    return checkFinite({ type, dims, data }, where);
  }
  const values = typedValues(message, type);
  if (values.length !== count)
    refuse(`${where} holds ${values.length} values where its shape needs ${count}`, {
      dims: dims.join('x'),
      values: values.length,
      expected: count,
    });
  const data = allocate(type, count);
  data.set(values);
  return checkFinite({ type, dims, data }, where);
}

function checkFinite(value: Tensor, where: string): Tensor {
  for (let i = 0; i < value.data.length; i++) {
    if (!Number.isFinite(value.data[i])) {
      // −∞ is how attention masks are written: it stands for "smaller than anything".
      if (value.data[i] === Number.NEGATIVE_INFINITY) {
        value.data[i] = -3.4028234663852886e38;
        continue;
      }
      refuse(`${where} holds ${value.data[i]} at element ${i}`, { element: i }, 'the weights are damaged; export the model again');
    }
  }
  return value;
}
