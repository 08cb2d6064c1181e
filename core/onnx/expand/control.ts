import { type Graph, type GraphNode, graphAttribute, intAttribute, intsAttribute } from '../graph.ts';
import { refuseNode } from '../refuse.ts';
import { int64, normalizeAxis, type Tensor, tensor } from '../tensor.ts';
import type { Builder, Expansion } from './builder.ts';

const TRUE = tensor('bool', [], [1]);

/** Rounds that a loop may take: each is written out. */
const MOST_ROUNDS = 1024;

function bodyOf(b: Builder, name: string): Graph {
  return graphAttribute(b.node, name) ?? refuseNode(b.node, `the subgraph '${name}' is missing`);
}

/** Writes a subgraph in place of its node: its inputs become `given`, names it uses from outside those the node lists. Gives its outputs. */
function inline(b: Builder, body: Graph, given: readonly string[], captured: readonly string[]): string[] {
  const names = new Map<string, string>();
  body.inputs.forEach((input, i) => {
    names.set(input.name, given[i] ?? refuseNode(b.node, `the subgraph takes ${body.inputs.length} values, ${given.length} are given`));
  });
  body.captures?.forEach((name, i) => {
    names.set(name, captured[i]!);
  });
  for (const [name, constant] of body.constants) names.set(name, b.tensor(constant));
  const nameOf = (name: string): string => (name === '' ? '' : (names.get(name) ?? refuseNode(b.node, `'${name}' is not defined`)));
  for (const node of body.nodes) {
    const inputs = node.inputs.map(nameOf);
    const outputs = node.outputs.map((name) => {
      if (name === '') return '';
      const fresh = b.fresh();
      names.set(name, fresh);
      return fresh;
    });
    b.nodes.push({ ...node, inputs, outputs });
  }
  return body.outputs.map((output) => nameOf(output.name));
}

/** Names that the subgraphs use from outside follow the node's own inputs. */
function capturedBy(b: Builder, bodies: readonly Graph[]): { own: string[]; captured: string[][] } {
  const counts = bodies.map((body) => body.captures?.length ?? 0);
  const { inputs } = b.node;
  let at = inputs.length - counts.reduce((sum, count) => sum + count, 0);
  const own = inputs.slice(0, at);
  const captured = counts.map((count) => {
    at += count;
    return inputs.slice(at - count, at);
  });
  return { own, captured };
}

/** A condition known in advance takes its branch; otherwise both are computed and every element is chosen. */
function branch(b: Builder): readonly string[] {
  const bodies = [bodyOf(b, 'then_branch'), bodyOf(b, 'else_branch')] as const;
  const { captured } = capturedBy(b, bodies);
  const condition = b.input(0);
  if (condition.constant !== undefined) {
    const taken = condition.constant.data[0] === 0 ? 1 : 0;
    return inline(b, bodies[taken], [], captured[taken]!);
  }
  const [yes, no] = bodies.map((body, i) => inline(b, body, [], captured[i]!)) as [string[], string[]];
  return yes.map((name, i) => b.op('Where', [condition.name, name, no[i]!]));
}

/** Whether the loop goes on for ever by its own condition: a constant truth or the condition handed through. */
function goesOn(body: Graph): boolean {
  let name = body.outputs[0]?.name ?? '';
  for (;;) {
    if (name === body.inputs[1]?.name) return true;
    const constant = body.constants.get(name);
    if (constant !== undefined) return constant.data[0] !== 0;
    const producer = body.nodes.find((node) => node.outputs.includes(name));
    if (producer === undefined || (producer.operator !== 'Identity' && producer.operator !== 'Cast')) return false;
    name = producer.inputs[0] ?? '';
  }
}

/** A counter and what is made of it is small. */
const MOST_FORECAST = 4096;

/**
 * Tells after every round whether a loop goes on, where that follows from constants: a counter that Keras's recurrent layers carry along, held
 * against the number of steps.
 */
class Forecast {
  private readonly b: Builder;
  private readonly body: Graph;
  private readonly needed: readonly GraphNode[];
  private readonly fixed = new Map<string, Tensor>();
  private readonly state = new Map<string, Tensor>();

  constructor(b: Builder, body: Graph, own: number) {
    this.b = b;
    this.body = body;
    this.needed = conditionNodes(body);
    const keep = (to: Map<string, Tensor>, name: string | undefined, position: number): void => {
      const value = b.optional(position)?.constant;
      if (name !== undefined && value !== undefined && value.data.length <= MOST_FORECAST) to.set(name, value);
    };
    for (const [name, value] of body.constants) this.fixed.set(name, value);
    body.captures?.forEach((name, i) => {
      keep(this.fixed, name, own + i);
    });
    for (let i = 2; i < own; i++) keep(this.state, body.inputs[i]?.name, i);
  }

  /** Carries the known state over one round. */
  goesOnAfter(round: number): boolean {
    const { b, body } = this;
    const values = new Map([
      ...this.fixed,
      ...this.state,
      [body.inputs[0]?.name ?? '', int64([round])],
      [body.inputs[1]?.name ?? '', TRUE],
    ]);
    for (const node of this.needed) {
      const inputs = node.inputs.map((name) => (name === '' ? undefined : values.get(name)));
      if (node.inputs.some((name, i) => name !== '' && inputs[i] === undefined)) continue;
      b.run(node, inputs).forEach((value, i) => {
        if (value.data.length <= MOST_FORECAST) values.set(node.outputs[i] ?? '', value);
      });
    }
    const answer = values.get(body.outputs[0]?.name ?? '');
    if (answer === undefined)
      refuseNode(b.node, 'how often the loop runs depends on what it computes', {}, 'export it with a fixed number of rounds');
    for (let i = 2; i < body.inputs.length; i++) {
      const next = values.get(body.outputs[i - 1]?.name ?? '');
      if (next === undefined) this.state.delete(body.inputs[i]!.name);
      else this.state.set(body.inputs[i]!.name, next);
    }
    return answer.data[0] !== 0;
  }
}

/** Nodes that the condition depends on, in this round or through the state in later ones. */
function conditionNodes(body: Graph): GraphNode[] {
  const wanted = new Set<string>();
  const open = [body.outputs[0]?.name ?? ''];
  while (open.length > 0) {
    const name = open.pop()!;
    if (wanted.has(name)) continue;
    wanted.add(name);
    const position = body.inputs.findIndex((input) => input.name === name);
    const carried = position >= 2 ? body.outputs[position - 1]?.name : undefined;
    if (carried !== undefined) open.push(carried);
    for (const node of body.nodes) if (node.outputs.includes(name)) open.push(...node.inputs);
  }
  return body.nodes.filter((node) => node.outputs.some((name) => wanted.has(name)));
}

function loop(b: Builder): readonly string[] {
  const { node } = b;
  const body = bodyOf(b, 'body');
  const { own, captured } = capturedBy(b, [body]);
  const count = own[0] ? b.value(0).data[0]! : Number.POSITIVE_INFINITY;
  const enters = own[1] ? b.value(1).data[0] !== 0 : true;
  const rounds = enters ? count : 0;
  const forecast = goesOn(body) ? undefined : new Forecast(b, body, own.length);
  if (rounds > MOST_ROUNDS && forecast === undefined) refuseNode(node, `${rounds} rounds are more than ${MOST_ROUNDS}`, { rounds });
  let state = own.slice(2);
  const scanned: string[][] = node.outputs.slice(state.length).map(() => []);
  let goes = true;
  for (let round = 0; round < rounds && goes; round++) {
    if (round === MOST_ROUNDS) refuseNode(node, `its rounds are more than ${MOST_ROUNDS}`);
    goes = forecast?.goesOnAfter(round) ?? true;
    const results = inline(b, body, [b.scalar(round, 'int64'), own[1] || b.scalar(1, 'bool'), ...state], captured[0]!);
    const width = state.length;
    state = results.slice(1, 1 + width);
    scanned.forEach((list, i) => {
      list.push(b.op('Unsqueeze', [results[1 + width + i]!, b.ints([0])]));
    });
  }
  return [...state, ...scanned.map((list) => stacked(b, list, 0))];
}

function stacked(b: Builder, parts: readonly string[], axis: number): string {
  return parts.length === 0 ? refuseNode(b.node, 'it runs no round and has nothing to collect') : b.op('Concat', parts, { axis });
}

function scan(b: Builder): readonly string[] {
  const { node } = b;
  if (node.opset < 9) refuseNode(node, 'the batched form of operator set 8 is not supported');
  const body = bodyOf(b, 'body');
  const { own, captured } = capturedBy(b, [body]);
  const scans = intAttribute(node, 'num_scan_inputs', 1);
  const width = own.length - scans;
  const sources = own.slice(width);
  const axes = sources.map((_, i) => normalizeAxis(intsAttribute(node, 'scan_input_axes')?.[i] ?? 0, b.input(width + i).dims.length));
  const rounds = b.input(width).dims[axes[0]!]!;
  if (rounds > MOST_ROUNDS) refuseNode(node, `${rounds} rounds are more than ${MOST_ROUNDS}`, { rounds });
  let state = own.slice(0, width);
  const scanned: string[][] = body.outputs.slice(width).map(() => []);
  for (let round = 0; round < rounds; round++) {
    const taken = sources.map((name, i) => {
      const at = intsAttribute(node, 'scan_input_directions')?.[i] === 1 ? rounds - 1 - round : round;
      return b.op('Gather', [name, b.scalar(at, 'int64')], { axis: axes[i]! });
    });
    const results = inline(b, body, [...state, ...taken], captured[0]!);
    state = results.slice(0, width);
    scanned.forEach((list, i) => {
      const axis = intsAttribute(node, 'scan_output_axes')?.[i] ?? 0;
      const part = b.op('Unsqueeze', [results[width + i]!, b.ints([axis])]);
      if (intsAttribute(node, 'scan_output_directions')?.[i] === 1) list.unshift(part);
      else list.push(part);
    });
  }
  return [...state, ...scanned.map((list, i) => stacked(b, list, intsAttribute(node, 'scan_output_axes')?.[i] ?? 0))];
}

/** Whether a node holds graphs of its own. */
export function isControlFlow(node: GraphNode): boolean {
  return CONTROL[node.operator] !== undefined;
}

/** Control flow that is settled before the model runs, written out. */
export const CONTROL: Readonly<Record<string, Expansion>> = { If: { expand: branch }, Loop: { expand: loop }, Scan: { expand: scan } };
