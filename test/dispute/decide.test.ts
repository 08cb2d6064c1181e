import { describe, expect, it } from 'vitest';
import { answerData } from '../../core/dispute/answers.ts';
import type { Clocks } from '../../core/dispute/clocks.ts';
import { type Challenge, decide, type Move } from '../../core/dispute/decide.ts';
import { inputLeafUnits, inputsFromAnswers } from '../../core/dispute/observed.ts';
import { programTrees } from '../../core/dispute/program-trees.ts';
import { TENSOR_ROOTS, type Unit } from '../../core/dispute/units.ts';
import { execute } from '../../core/execute.ts';
import { worstStep } from '../../core/program/cost.ts';
import type { Program } from '../../core/program/types.ts';
import type { TypedArray } from '../../core/tensor.ts';
import { buildTrace, outputRoot, type Trace } from '../../core/trace.ts';
import { type DisputeCase, disputeCase, faultyRun } from '../support/dispute-cases.ts';
import { Random } from '../support/random.ts';
import { ToyBoard, type ToyProver } from '../support/toy-board.ts';

const CLOCKS: Clocks = { window: 1_000, response: 100, reaction: 50 };
const CLAIMED_AT = 1_000_000;

/** Seconds after which a unit is answered; undefined for never. */
type Manners = (unit: Unit) => number | undefined;

function proverOf(program: Program, tensors: readonly TypedArray[], manners: Manners): ToyProver {
  const trees = programTrees(program);
  const trace = buildTrace(tensors);
  return {
    roots: trace.roots,
    tensors,
    answer(unit) {
      const after = manners(unit);
      return after === undefined ? undefined : { after, data: answerData(trees, trace, unit) ?? new Uint8Array() };
    },
  };
}

interface Play {
  readonly board: ToyBoard;
  readonly moves: readonly Move[];
}

/** Plays one challenger against one prover to the end of the dispute. */
function play(
  given: DisputeCase,
  claimed: readonly TypedArray[],
  manners: Manners,
  options: { late?: boolean; blind?: boolean } = {},
): Play {
  const { program } = given;
  const prover = proverOf(program, claimed, manners);
  const greatestDepth = worstStep(program).depth;
  const board = new ToyBoard(program, prover, CLOCKS, CLAIMED_AT, greatestDepth);
  const trees = programTrees(program);
  let own: Trace | undefined = options.blind === true ? undefined : buildTrace(execute(program, given.inputs));
  const moves: Move[] = [];
  let committed: Challenge['committed'];
  if (options.late === true) board.advanceTo(CLAIMED_AT + CLOCKS.window);
  for (let turn = 0; turn < 200; turn++) {
    const inputs = own === undefined ? inputsFromAnswers(program, board.dispute) : undefined;
    if (inputs !== undefined) own = buildTrace(execute(program, inputs));
    const challenge: Challenge = {
      trees,
      claim: { outputRoot: outputRoot(program, prover.roots), claimedAt: CLAIMED_AT },
      greatestDepth,
      clocks: CLOCKS,
      now: board.now,
      block: board.block,
      ...(committed === undefined ? {} : { committed }),
    };
    const move = decide(challenge, own, board.dispute);
    moves.push(move);
    if (move.type === 'done') return { board, moves };
    if (move.type === 'wait') board.advanceTo(move.until);
    else {
      board.act(move);
      if (move.type === 'commit') committed = { position: move.fault.position, element: move.fault.element, block: board.block };
      board.advanceTo(board.now + 1);
    }
  }
  throw new Error('the dispute does not end');
}

describe('decide', () => {
  it('convicts every wrong claim, however the prover answers', () => {
    const r = new Random(0xd15);
    for (let round = 0; round < 60; round++) {
      const given = disputeCase(r);
      const { position, element, tensors } = faultyRun(r, given);
      const style = r.integer(0, 3);
      const manners: Manners = (unit) => {
        if (style === 0) return 0;
        if (style === 1) return CLOCKS.response;
        return r.chance(0.8) || unit.kind === 'inputLeaf' ? r.integer(0, CLOCKS.response) : undefined;
      };
      const { board, moves } = play(given, tensors, manners, { late: r.chance(0.5), blind: r.chance(0.3) });
      expect(board.dispute.phase, `round ${round}, instruction ${position}`).toBe('faulted');
      expect(board.now).toBeLessThanOrEqual(board.finalAt);
      if (style <= 1) {
        expect(board.convictedBy).toBe('fault');
        const proven = moves.find((move) => move.type === 'prove');
        expect(proven?.fault).toMatchObject({ position, element });
      }
    }
  });

  it('never moves against a right claim', () => {
    const r = new Random(0x900d);
    for (let round = 0; round < 20; round++) {
      const given = disputeCase(r);
      const { moves, board } = play(given, execute(given.program, given.inputs), () => 1);
      expect(moves).toEqual([{ type: 'done', why: 'right' }]);
      expect(board.dispute.phase).toBe('quiet');
    }
  });

  it('leaves a right answer alone whatever trace lies behind it', () => {
    const r = new Random(5);
    const given = disputeCase(r);
    const right = execute(given.program, given.inputs);
    const { tensors, position } = faultyRun(r, given);
    const claimed = tensors.map((tensor, i) => (i === tensors.length - 1 ? right[i]! : tensor));
    expect(position).toBeLessThan(tensors.length - 1);
    const { moves } = play(given, claimed, () => 1);
    expect(moves).toEqual([{ type: 'done', why: 'right' }]);
  });

  it('asks for a withheld input, finds a right claim right, and leaves it to become final', () => {
    const r = new Random(7);
    const given = disputeCase(r);
    const { moves, board } = play(given, execute(given.program, given.inputs), () => CLOCKS.response, { blind: true, late: true });
    expect(moves[0]).toEqual({ type: 'demand', units: inputLeafUnits(given.program) });
    expect(moves.at(-1)).toEqual({ type: 'done', why: 'right' });
    board.advanceTo(board.finalAt);
    expect(board.isFinal).toBe(false);
    board.advanceTo(board.finalAt + 1);
    expect(board.isFinal).toBe(true);
  });

  it('expires a demand that nobody answers, one second after its deadline and not before', () => {
    const given = disputeCase(new Random(11));
    const { tensors } = faultyRun(new Random(12), given);
    const { moves, board } = play(given, tensors, (unit) => (unit.kind === 'tensorRoots' ? undefined : 0));
    expect(moves.map(({ type }) => type)).toEqual(['demand', 'wait', 'expire', 'done']);
    expect(moves[2]).toEqual({ type: 'expire', unit: TENSOR_ROOTS });
    expect(board.convictedBy).toBe('expiry');
  });

  it('takes what the prover serves over HTTP, and demands on chain what it serves wrongly', () => {
    const given = wideCase();
    const { tensors } = faultyRun(new Random(3), given);
    const prover = proverOf(given.program, tensors, () => 0);
    const trees = programTrees(given.program);
    const base: Challenge = {
      trees,
      claim: { outputRoot: outputRoot(given.program, prover.roots), claimedAt: CLAIMED_AT },
      greatestDepth: worstStep(given.program).depth,
      clocks: CLOCKS,
      now: CLAIMED_AT + 10,
      block: 5,
    };
    const board = new ToyBoard(given.program, prover, CLOCKS, CLAIMED_AT, base.greatestDepth);
    board.act({ type: 'demand', units: [TENSOR_ROOTS] });
    board.advanceTo(CLAIMED_AT + 1);
    const own = buildTrace(execute(given.program, given.inputs));
    const first = decide({ ...base, mayFetch: () => true }, own, board.dispute);
    expect(first.type).toBe('fetch');
    const honest = decide({ ...base, fetched: (unit) => prover.answer(unit)?.data }, own, board.dispute);
    expect(honest.type).toBe('commit');
    const lying = decide({ ...base, fetched: (unit) => prover.answer(unit)?.data.map((byte) => byte ^ 1) }, own, board.dispute);
    expect(lying.type).toBe('demandNode');
  });

  it('gives up where time is over: window, level, commitment, end', () => {
    const given = wideCase();
    const { tensors } = faultyRun(new Random(3), given);
    const prover = proverOf(given.program, tensors, () => 0);
    const own = buildTrace(execute(given.program, given.inputs));
    const depth = worstStep(given.program).depth;
    const challenge = (now: number): Challenge => ({
      trees: programTrees(given.program),
      claim: { outputRoot: outputRoot(given.program, prover.roots), claimedAt: CLAIMED_AT },
      greatestDepth: depth,
      clocks: CLOCKS,
      now,
      block: 1,
    });
    const board = new ToyBoard(given.program, prover, CLOCKS, CLAIMED_AT, depth);
    expect(decide(challenge(CLAIMED_AT + CLOCKS.window), own, board.dispute).type).toBe('demand');
    expect(decide(challenge(CLAIMED_AT + CLOCKS.window + 1), own, board.dispute)).toEqual({ type: 'done', why: 'final' });
    board.act({ type: 'demand', units: [TENSOR_ROOTS] });
    board.advanceTo(CLAIMED_AT + 1);
    const level2 = CLAIMED_AT + CLOCKS.window + 2 * (CLOCKS.response + CLOCKS.reaction);
    expect(decide(challenge(level2), own, board.dispute).type).toBe('demandNode');
    expect(decide(challenge(level2 + 1), own, board.dispute)).toEqual({ type: 'done', why: 'late' });
    const fetched = (unit: Unit): Uint8Array | undefined => prover.answer(unit)?.data;
    const lastCommit = board.finalAt - CLOCKS.reaction;
    expect(decide({ ...challenge(lastCommit), fetched }, own, board.dispute).type).toBe('commit');
    expect(decide({ ...challenge(lastCommit + 1), fetched }, own, board.dispute)).toEqual({ type: 'done', why: 'late' });
    expect(decide({ ...challenge(board.finalAt + 1), fetched }, own, board.dispute)).toEqual({ type: 'done', why: 'final' });
  });
});

/** A case whose tensors have more than one level. */
function wideCase(): DisputeCase {
  const r = new Random(21);
  for (;;) {
    const given = disputeCase(r);
    if (worstStep(given.program).depth >= 2) return given;
  }
}
