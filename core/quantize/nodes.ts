import type { NetNode } from '../onnx/lower/net.ts';
import { compare, divide, multiply, rescale, sum } from './arithmetic.ts';
import type { IntegerTensor } from './emitter.ts';
import { input } from './input.ts';
import { quantizeLinear } from './linear.ts';
import { arg, gather, lookup, map, max, select, tree, unary } from './lookup.ts';
import { matmul } from './matmul.ts';
import { mixedMap } from './mixed.ts';
import { normalizeProgram } from './normalize.ts';
import type { Quantizer } from './quantizer.ts';
import { softmaxProgram } from './softmax.ts';

/** Lowers one node of the float network to its instructions. */
export function quantizeNode(q: Quantizer, id: number, node: NetNode): IntegerTensor {
  switch (node.kind) {
    case 'input':
      return input(q, id, node);
    case 'linear':
      return quantizeLinear(q, id, node);
    case 'rescale':
      return rescale(q, id, node);
    case 'matmul':
      return matmul(q, id, node);
    case 'multiply':
      return multiply(q, id, node);
    case 'divide':
      return divide(q, id, node);
    case 'unary':
      return unary(q, id, node);
    case 'lookup':
      return lookup(q, id, node);
    case 'max':
      return max(q, id, node);
    case 'sum':
      return sum(q, id, node);
    case 'map':
      return q.mixed[id] ? mixedMap(q, id, node) : map(q, id, node);
    case 'gather':
      return gather(q, id, node);
    case 'select':
      return select(q, id, node);
    case 'compare':
      return compare(q, node);
    case 'arg':
      return arg(q, id, node);
    case 'softmax':
      return softmaxProgram(q, id, node);
    case 'normalize':
      return normalizeProgram(q, id, node);
    case 'tree':
      return tree(q, id, node);
  }
}
