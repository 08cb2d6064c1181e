import { intAttribute } from '../graph.ts';
import { refuseNode } from '../refuse.ts';
import { tensor } from '../tensor.ts';
import type { Builder, Expansion, Given } from './builder.ts';

/** What masked scores become: the exponential of it is zero. */
const NEVER = -3.4028234663852886e38;

interface Heads {
  readonly name: string;
  readonly dims: readonly [batch: number, heads: number, length: number, width: number];
}

/** [batch, length, heads·width] or [batch, heads, length, width] as the latter. */
function heads(b: Builder, x: Given, count: number): Heads {
  if (x.dims.length === 4) return { name: x.name, dims: [...x.dims] as [number, number, number, number] };
  if (x.dims.length !== 3 || !(count > 0) || x.dims[2]! % count !== 0)
    refuseNode(b.node, `an operand of shape ${x.dims.join('x')} does not fall into ${count} heads`);
  const [batch, length, all] = x.dims as [number, number, number];
  const width = all / count;
  return { name: b.transpose(b.reshape(x.name, [batch, length, count, width]), [0, 2, 1, 3]), dims: [batch, count, length, width] };
}

function joined(b: Builder, past: Given | undefined, now: Heads): Heads {
  if (past === undefined) return now;
  const [batch, count, length, width] = now.dims;
  return { name: b.op('Concat', [past.name, now.name], { axis: 2 }), dims: [batch, count, past.dims[2]! + length, width] };
}

/** Keys or values that several query heads share, once for each of them. */
function shared(b: Builder, x: Heads, count: number): Heads {
  const [batch, own, length, width] = x.dims;
  if (own === count) return x;
  if (count % own !== 0) refuseNode(b.node, `${count} query heads cannot share ${own} key heads`);
  const each = b.op('Expand', [b.reshape(x.name, [batch, own, 1, length, width]), b.ints([batch, own, count / own, length, width])]);
  return { name: b.reshape(each, [batch, count, length, width]), dims: [batch, count, length, width] };
}

/** A mask [.., queries, keys] whose last axis may end early: the rest is masked. */
function fullMask(b: Builder, mask: Given, keys: number): string {
  const missing = keys - mask.dims[mask.dims.length - 1]!;
  if (missing <= 0) return mask.name;
  const none = b.tensor(tensor(mask.type, [], [mask.type === 'bool' ? 0 : NEVER]));
  return b.op('Pad', [mask.name, b.ints([...mask.dims.map(() => 0), ...mask.dims.slice(1).map(() => 0), missing]), none]);
}

/** What the order of time and the given lengths allow: [batch, 1, queries, keys], or undefined where everything is. */
function allowed(b: Builder, batch: number, queries: number, keys: number, causal: boolean, past: number, lengths: Given | undefined) {
  if (!causal && lengths === undefined) return undefined;
  const known = lengths === undefined ? undefined : b.value(6);
  const flags: number[] = [];
  for (let n = 0; n < batch; n++) {
    const filled = known?.data[n] ?? keys;
    // With an external cache the last query stands at the end of what is filled.
    const offset = known === undefined ? past : filled - queries;
    for (let q = 0; q < queries; q++) for (let k = 0; k < keys; k++) flags.push(k < filled && (!causal || k <= q + offset) ? 1 : 0);
  }
  return tensor('bool', [batch, 1, queries, keys], flags);
}

export interface Parts {
  readonly q: Heads;
  readonly k: Heads;
  readonly v: Heads;
  readonly mask: Given | undefined;
  readonly scale: number;
  readonly softcap: number;
  readonly causal: boolean;
  readonly past: number;
  readonly lengths: Given | undefined;
}

/** softmax(q·kᵀ·scale, capped and masked)·v, and the scores at four stages: raw, capped, masked, softmax. */
export function attend(b: Builder, parts: Parts): { output: string; stages: readonly string[] } {
  const [batch, count, queries] = parts.q.dims;
  const [k, v] = [shared(b, parts.k, count), shared(b, parts.v, count)];
  const keys = k.dims[2];
  const raw = b.op('Mul', [b.op('MatMul', [parts.q.name, b.transpose(k.name, [0, 1, 3, 2])]), b.scalar(parts.scale)]);
  let capped = raw;
  if (parts.softcap > 0) {
    const cap = b.scalar(parts.softcap);
    capped = b.op('Mul', [b.op('Tanh', [b.op('Div', [raw, cap])]), cap]);
  }
  let masked = capped;
  const rules: string[] = [];
  const never = b.scalar(NEVER);
  if (parts.mask !== undefined) {
    const mask = fullMask(b, parts.mask, keys);
    if (parts.mask.type === 'bool') {
      masked = b.op('Where', [mask, masked, never]);
      rules.push(mask);
    } else masked = b.op('Add', [masked, mask]);
  }
  const order = allowed(b, batch, queries, keys, parts.causal, parts.past, parts.lengths);
  if (order !== undefined) {
    const rule = b.tensor(order);
    masked = b.op('Where', [rule, masked, never]);
    rules.push(rule);
  }
  let weights = b.op('Softmax', [masked], { axis: -1 });
  // A query that may see nothing answers zero.
  for (const rule of rules) weights = b.op('Where', [rule, weights, b.scalar(0)]);
  return { output: b.op('MatMul', [weights, v.name]), stages: [raw, capped, masked, weights] };
}

/** [batch, heads, length, width] side by side in one row. */
function rows(b: Builder, x: string, dims: Heads['dims'], width: number): string {
  const [batch, count, length] = dims;
  return b.reshape(b.transpose(x, [0, 2, 1, 3]), [batch, length, count * width]);
}

function attention(b: Builder): readonly string[] {
  const { node } = b;
  const q = heads(b, b.input(0), intAttribute(node, 'q_num_heads', 0));
  const ownK = heads(b, b.input(1), intAttribute(node, 'kv_num_heads', 0));
  const ownV = heads(b, b.input(2), intAttribute(node, 'kv_num_heads', 0));
  const [pastK, pastV] = [b.optional(4), b.optional(5)];
  const [k, v] = [joined(b, pastK, ownK), joined(b, pastV, ownV)];
  const { output, stages } = attend(b, {
    q,
    k,
    v,
    mask: b.optional(3),
    scale: intAttribute(node, 'scale', 1 / Math.sqrt(q.dims[3])),
    softcap: intAttribute(node, 'softcap', 0),
    causal: intAttribute(node, 'is_causal', 0) === 1,
    past: pastK?.dims[2] ?? 0,
    lengths: b.optional(6),
  });
  const [raw, capped, masked, weights] = stages as [string, string, string, string];
  const shown = [raw, capped, masked, weights][intAttribute(node, 'qk_matmul_output_mode', 0)] ?? raw;
  return [b.input(0).dims.length === 3 ? rows(b, output, q.dims, v.dims[3]) : output, k.name, v.name, shown];
}

/** A constant row of biases for queries, keys and values, added to its part. */
function biased(b: Builder, x: Given, bias: Given | undefined, from: number): Given {
  if (bias === undefined) return x;
  const width = x.dims[x.dims.length - 1]!;
  const part = b.op('Slice', [bias.name, b.ints([from]), b.ints([from + width]), b.ints([0])]);
  return { ...x, name: b.op('Add', [x.name, part]) };
}

/** A mask of keys [batch, keys], nonzero where they count, as a rule [batch, 1, 1, keys]. */
function keyMask(b: Builder, mask: Given): Given {
  if (mask.dims.length !== 2) refuseNode(b.node, `a key mask of shape ${mask.dims.join('x')} is not supported`);
  const dims = [mask.dims[0]!, 1, 1, mask.dims[1]!];
  return { name: b.reshape(b.op('Cast', [mask.name], { to: 9 }), dims), dims, type: 'bool', constant: undefined };
}

function multiHead(b: Builder): readonly string[] {
  const { node } = b;
  const count = intAttribute(node, 'num_heads', 0);
  const [query, key, value] = [b.input(0), b.optional(1), b.optional(2)];
  if (key === undefined || value === undefined || query.dims.length !== 3)
    refuseNode(node, 'packed queries, keys and values are not supported', {}, 'export the model without the attention fusion');
  const bias = b.optional(3);
  const width = query.dims[2]!;
  const q = heads(b, biased(b, query, bias, 0), count);
  const pastK = b.optional(6);
  const k = joined(b, pastK, heads(b, biased(b, key, bias, width), count));
  const v = joined(b, b.optional(7), heads(b, biased(b, value, bias, width + key.dims[key.dims.length - 1]!), count));
  const mask = b.optional(4);
  if (mask !== undefined && b.optional(5) !== undefined) refuseNode(node, 'a key mask together with a bias of scores is not supported');
  const { output } = attend(b, {
    q,
    k,
    v,
    mask: mask === undefined ? b.optional(5) : keyMask(b, mask),
    scale: intAttribute(node, 'scale', 0) || 1 / Math.sqrt(q.dims[3]),
    softcap: 0,
    causal: intAttribute(node, 'unidirectional', 0) === 1,
    past: pastK?.dims[2] ?? 0,
    lengths: undefined,
  });
  return [rows(b, output, q.dims, v.dims[3]), k.name, v.name];
}

/** Attention with its own projection: x·W + b holds queries, keys and values side by side. */
function projected(b: Builder): readonly string[] {
  const { node } = b;
  const [x, weights] = [b.input(0), b.input(1)];
  const bias = b.optional(2);
  if (b.optional(4) !== undefined || b.optional(5) !== undefined || node.attributes.has('qkv_hidden_sizes'))
    refuseNode(node, 'a past state, a bias of scores and uneven parts are not supported');
  const width = weights.dims[1]! / 3;
  const product = b.op('MatMul', [x.name, weights.name]);
  const all = bias === undefined ? product : b.op('Add', [product, bias.name]);
  const count = intAttribute(node, 'num_heads', 0);
  const [batch, length] = x.dims as [number, number];
  const parts = b.many('Split', [all, b.ints([width, width, width])], { axis: 2 }, 3).map((name) => {
    const part: Given = { name, dims: [batch, length, width], type: x.type, constant: undefined };
    return heads(b, part, count);
  }) as [Heads, Heads, Heads];
  const mask = b.optional(3);
  const { output } = attend(b, {
    q: parts[0],
    k: parts[1],
    v: parts[2],
    mask: mask === undefined ? undefined : keyMask(b, mask),
    scale: intAttribute(node, 'scale', 0) || 1 / Math.sqrt(width / count),
    softcap: 0,
    causal: intAttribute(node, 'unidirectional', 0) === 1,
    past: 0,
    lengths: undefined,
  });
  return [rows(b, output, parts[0].dims, width / count)];
}

/** Pairs of values turned by the angle of their position: x·cos + turned(x)·sin, which is two products with a constant matrix. */
function rotary(b: Builder): readonly string[] {
  const { node } = b;
  const contributed = node.domain === 'com.microsoft';
  const x = b.input(0);
  // com.microsoft lists the positions before the caches.
  const [cosAt, sinAt, positionAt] = contributed ? [2, 3, 1] : [1, 2, 3];
  const positions = b.optional(positionAt);
  const [cos, sin] = [b.input(cosAt), b.input(sinAt)];
  const hidden = x.dims.length === 4 ? x.dims[3]! : 0;
  const count = intAttribute(node, 'num_heads', 0);
  const all = x.dims.length === 4 ? x.dims[1]! : count > 0 ? count : x.dims[2]! / (cos.dims[cos.dims.length - 1]! * 2);
  const { name, dims } = heads(b, x, all);
  const [batch, , length, width] = dims;
  const turned = intAttribute(node, 'rotary_embedding_dim', 0) || width;
  const half = turned / 2;
  if (!(turned > 0 && turned <= width && Number.isInteger(half)))
    refuseNode(node, `${turned} of ${width} values cannot be turned in pairs`);
  const interleaved = intAttribute(node, 'interleaved', 0) === 1;
  if (hidden !== 0 && hidden !== width) refuseNode(node, `heads of ${hidden} values`);
  const spread = (cache: Given): string => {
    // [positions, half] picked by position, or [batch, length, half] as given; then one row for all heads and both halves.
    const rowsOf =
      cache.dims.length === 3
        ? cache.name
        : positions === undefined
          ? b.op('Slice', [cache.name, b.ints([0]), b.ints([length]), b.ints([0])])
          : b.op('Gather', [cache.name, positions.name], { axis: 0 });
    const shape = cache.dims.length === 3 || positions?.dims.length === 2 ? [batch, 1, length, half] : [1, 1, length, half];
    const row = b.reshape(rowsOf, shape);
    const index = Array.from({ length: turned }, (_, i) => (interleaved ? Math.floor(i / 2) : i % half));
    return b.op('Gather', [row, b.ints(index)], { axis: 3 });
  };
  const partner = Array.from({ length: turned }, (_, i) => (interleaved ? i ^ 1 : (i + half) % turned));
  const sign = Array.from({ length: turned }, (_, i) => ((interleaved ? i % 2 === 0 : i < half) ? -1 : 1));
  const front = turned === width ? name : b.op('Slice', [name, b.ints([0]), b.ints([turned]), b.ints([3])]);
  const other = b.op('Gather', [front, b.ints(partner)], { axis: 3 });
  const signed = b.op('Mul', [spread(sin), b.tensor(tensor('float32', [turned], sign))]);
  let result = b.op('Add', [b.op('Mul', [front, spread(cos)]), b.op('Mul', [other, signed])]);
  if (turned !== width) {
    const rest = b.op('Slice', [name, b.ints([turned]), b.ints([width]), b.ints([3])]);
    result = b.op('Concat', [result, rest], { axis: 3 });
  }
  return [x.dims.length === 3 ? rows(b, result, dims, width) : result];
}

export const ATTENTION: { readonly main: Readonly<Record<string, Expansion>>; readonly contributed: Readonly<Record<string, Expansion>> } =
  {
    main: { Attention: { expand: attention }, RotaryEmbedding: { expand: rotary } },
    contributed: { MultiHeadAttention: { expand: multiHead }, Attention: { expand: projected }, RotaryEmbedding: { expand: rotary } },
  };
