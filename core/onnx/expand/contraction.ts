import { stringAttribute } from '../graph.ts';
import { refuseNode } from '../refuse.ts';
import { elementCount } from '../tensor.ts';
import type { Builder, Expansion } from './builder.ts';

interface Term {
  readonly name: string;
  /** One letter an axis. */
  readonly letters: string;
}

/** The equation with an ellipsis written out in digits, which no letter of an equation is. */
function equationOf(b: Builder): { terms: string[]; result: string } {
  const { node } = b;
  const [left, right] = stringAttribute(node, 'equation', '').replaceAll(' ', '').split('->') as [string, string | undefined];
  const written = left.split(',');
  if (written.length !== node.inputs.length) refuseNode(node, `${written.length} terms for ${node.inputs.length} operands`);
  const ranks = written.map((term, i) => b.input(i).dims.length - term.replace('...', '').length);
  const most = Math.max(0, ...written.map((term, i) => (term.includes('...') ? ranks[i]! : 0)));
  const spread = (count: number): string => '0123456789'.slice(most - count, most);
  const terms = written.map((term, i) => term.replace('...', spread(ranks[i]!)));
  if (right !== undefined) return { terms, result: right.replace('...', spread(most)) };
  const all = terms.join('');
  const once = [...new Set(all)].filter((letter) => /[a-zA-Z]/.test(letter) && all.split(letter).length === 2).sort();
  return { terms, result: spread(most) + once.join('') };
}

/** Sums over letters that nobody else needs. */
function reduced(b: Builder, term: Term, keep: (letter: string) => boolean): Term {
  const axes = [...term.letters].flatMap((letter, axis) => (keep(letter) ? [] : [axis]));
  if (axes.length === 0) return term;
  return {
    name: b.op('ReduceSum', [term.name, b.ints(axes)], { keepdims: 0 }),
    letters: [...term.letters].filter(keep).join(''),
  };
}

function ordered(b: Builder, term: Term, letters: string): string {
  return b.transpose(
    term.name,
    [...letters].map((letter) => term.letters.indexOf(letter)),
  );
}

/** Two terms as one batched matrix product over the letters that only they share. */
function product(b: Builder, left: Term, right: Term, needed: (letter: string) => boolean, size: (letter: string) => number): Term {
  const a = reduced(b, left, (letter) => right.letters.includes(letter) || needed(letter));
  const c = reduced(b, right, (letter) => a.letters.includes(letter) || needed(letter));
  const common = [...a.letters].filter((letter) => c.letters.includes(letter));
  const batch = common.filter(needed).join('');
  const inner = common.filter((letter) => !needed(letter)).join('');
  const rows = [...a.letters].filter((letter) => !common.includes(letter)).join('');
  const columns = [...c.letters].filter((letter) => !common.includes(letter)).join('');
  const count = (letters: string): number => elementCount([...letters].map(size));
  const shape = (letters: string): number[] => [...letters].map(size);
  const x = b.reshape(ordered(b, a, batch + rows + inner), [count(batch), count(rows), count(inner)]);
  const y = b.reshape(ordered(b, c, batch + inner + columns), [count(batch), count(inner), count(columns)]);
  // One matrix without a batch lets a constant operand be a plain layer.
  const flat = batch === '';
  const [p, q] = flat ? [b.reshape(x, [count(rows), count(inner)]), b.reshape(y, [count(inner), count(columns)])] : [x, y];
  return { name: b.reshape(b.op('MatMul', [p, q]), shape(batch + rows + columns)), letters: batch + rows + columns };
}

function einsum(b: Builder): readonly string[] {
  const { node } = b;
  const { terms, result } = equationOf(b);
  const sizes = new Map<string, number>();
  const operands = terms.map((letters, i): Term => {
    const { name, dims } = b.input(i);
    if (letters.length !== dims.length) refuseNode(node, `the term '${letters}' does not fit the shape ${dims.join('x')}`);
    if (new Set(letters).size !== letters.length) refuseNode(node, 'a letter twice in one term (a diagonal) is not supported');
    [...letters].forEach((letter, axis) => {
      const known = sizes.get(letter);
      if (known !== undefined && known !== dims[axis]) refuseNode(node, `axis '${letter}' is both ${known} and ${dims[axis]} long`);
      sizes.set(letter, dims[axis]!);
    });
    return { name, letters };
  });
  const size = (letter: string): number => sizes.get(letter) ?? refuseNode(node, `axis '${letter}' stands only on the right`);
  let total = operands[0]!;
  for (let i = 1; i < operands.length; i++) {
    const rest =
      result +
      operands
        .slice(i + 1)
        .map((term) => term.letters)
        .join('');
    total = product(b, total, operands[i]!, (letter) => rest.includes(letter), size);
  }
  const last = reduced(b, total, (letter) => result.includes(letter));
  const name = ordered(b, last, result);
  return [name];
}

export const CONTRACTION: Readonly<Record<string, Expansion>> = { Einsum: { expand: einsum } };
