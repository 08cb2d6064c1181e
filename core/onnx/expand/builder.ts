import type { AttributeValue, GraphNode } from '../graph.ts';
import { refuseNode } from '../refuse.ts';
import { type ElementType, int64, type Tensor, tensor } from '../tensor.ts';

/** An input of the node under expansion. Its value is known where it does not depend on the model's inputs. */
export interface Given {
  readonly name: string;
  readonly dims: readonly number[];
  readonly type: ElementType;
  readonly constant: Tensor | undefined;
  /** Whether the example holds values below zero. */
  readonly negative?: boolean;
}

/** Operator set that the replacing nodes are written in. */
const OPSET = 21;

/** Runs one operator on known values. */
export type Run = (node: GraphNode, inputs: readonly (Tensor | undefined)[]) => readonly Tensor[];

/** Collects the plain operators that stand for one node. */
export class Builder {
  readonly node: GraphNode;
  readonly nodes: GraphNode[] = [];
  readonly constants = new Map<string, Tensor>();
  readonly run: Run;
  private readonly given: readonly (Given | undefined)[];
  private readonly prefix: string;
  private count = 0;

  constructor(node: GraphNode, given: readonly (Given | undefined)[], run: Run) {
    this.node = node;
    this.run = run;
    this.given = given;
    // Output names are unique in a graph, node names need not be.
    this.prefix = node.outputs.find((name) => name !== '') ?? node.name;
  }

  optional(position: number): Given | undefined {
    return this.given[position];
  }

  input(position: number): Given {
    return this.given[position] ?? refuseNode(this.node, `input ${position} is missing`);
  }

  /** Value of an input that must not depend on the model's inputs. */
  value(position: number): Tensor {
    const { name, constant } = this.input(position);
    return (
      constant ??
      refuseNode(
        this.node,
        `input ${position} ('${name}') must be a constant`,
        {},
        'only data may vary between runs, not shapes or parameters',
      )
    );
  }

  fresh(): string {
    return `${this.prefix}/${this.count++}`;
  }

  tensor(value: Tensor): string {
    const name = this.fresh();
    this.constants.set(name, value);
    return name;
  }

  ints(values: readonly number[]): string {
    return this.tensor(int64(values));
  }

  scalar(value: number, type: ElementType = 'float32'): string {
    return this.tensor(tensor(type, [], [value]));
  }

  /** Adds an operator with several outputs and gives their names. */
  many(
    operator: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, AttributeValue>>,
    outputs: number,
    domain = '',
  ): string[] {
    const names = Array.from({ length: outputs }, () => this.fresh());
    this.nodes.push({
      name: this.node.name,
      operator,
      domain,
      opset: domain === this.node.domain && domain !== '' ? this.node.opset : OPSET,
      inputs,
      outputs: names,
      attributes: new Map(Object.entries(attributes)),
    });
    return names;
  }

  op(operator: string, inputs: readonly string[], attributes: Readonly<Record<string, AttributeValue>> = {}): string {
    return this.many(operator, inputs, attributes, 1)[0]!;
  }

  reshape(x: string, dims: readonly number[]): string {
    return this.op('Reshape', [x, this.ints(dims)], { allowzero: 1 });
  }

  transpose(x: string, perm: readonly number[]): string {
    return perm.every((axis, at) => axis === at) ? x : this.op('Transpose', [x], { perm: [...perm] });
  }
}

/** Writes a node in plainer operators: names of its outputs, '' or nothing for those it cannot give; undefined: it is plain already. */
export type Expand = (b: Builder) => readonly string[] | undefined;

export interface Expansion {
  readonly expand: Expand;
  /** Whether the node may need it, judged without shapes. */
  readonly when?: (node: GraphNode) => boolean;
  /** The float reference uses the expansion too, although it knows the operator in other forms. */
  readonly replaces?: boolean;
}

/** Permutation that moves one axis behind all others. */
export function axisLast(rank: number, axis: number): number[] {
  return [...Array.from({ length: rank }, (_, i) => i).filter((i) => i !== axis), axis];
}

/** Permutation that undoes another. */
export function undone(permutation: readonly number[]): number[] {
  const back = new Array<number>(permutation.length);
  permutation.forEach((from, to) => {
    back[from] = to;
  });
  return back;
}
