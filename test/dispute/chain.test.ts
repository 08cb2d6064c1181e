import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { unitOnChain } from '../../contracts/client/board/encode.ts';
import { readClocks, readDispute } from '../../contracts/client/board/read.ts';
import { LOCAL_CONSTANTS } from '../../contracts/client/deploy.ts';
import { claimBoardAbi } from '../../contracts/client/generated/claimBoard.ts';
import { answerData } from '../../core/dispute/answers.ts';
import { type Clocks, disputeEnd } from '../../core/dispute/clocks.ts';
import { decide, type Move } from '../../core/dispute/decide.ts';
import { inputLeafUnits } from '../../core/dispute/observed.ts';
import { openRecord, openRoots } from '../../core/dispute/openings.ts';
import { programTrees } from '../../core/dispute/program-trees.ts';
import { levelOf, parameterLeafUnit, recordUnit, TENSOR_ROOTS, tensorUnit, type Unit } from '../../core/dispute/units.ts';
import { execute } from '../../core/execute.ts';
import { toHash } from '../../core/keccak.ts';
import type { Program } from '../../core/program/types.ts';
import { buildTrace, outputRoot, type Trace } from '../../core/trace.ts';
import { EMPTY, nodeAt, openNodes } from '../../core/tree.ts';
import { disputeCase, faultyRun } from '../support/dispute-cases.ts';
import { DisputeChain } from '../support/dispute-chain.ts';
import { act, answerAll, PROMPT, play } from '../support/dispute-play.ts';
import { Random } from '../support/random.ts';

const FINAL = 3;
const FAULTED = 4;
/** A quarter of a transaction's gas cap (EIP-7825). */
const GAS_LIMIT = 2n ** 22n;

let chain: DisputeChain;
let clocks: Clocks;

beforeAll(async () => {
  chain = await DisputeChain.start();
  clocks = await readClocks(chain.client, chain.deployed.board);
});
afterAll(async () => {
  await chain.stop();
});

describe('a wrong claim on the real contracts', () => {
  it('dies in four transactions when the prover serves its trace', async () => {
    const r = new Random(0xfa57);
    for (let round = 0; round < 8; round++) {
      const given = disputeCase(r);
      const { position, element, tensors } = faultyRun(r, given);
      const { claim, moves, receipts } = await play(chain, clocks, given, tensors, PROMPT);
      expect(await chain.statusOf(claim), `round ${round}`).toBe(FAULTED);
      expect(moves.find((move) => move.type === 'prove')?.fault).toMatchObject({ position, element });
      expect(receipts.length).toBe(4);
      for (const { gasUsed } of receipts) expect(gasUsed).toBeLessThan(GAS_LIMIT);
    }
  });

  it('dies when everything is withheld as long as the rules allow, the input included', async () => {
    const r = new Random(0x51a11);
    for (let round = 0; round < 5; round++) {
      const given = disputeCase(r);
      const { position, element, tensors } = faultyRun(r, given);
      const { claim, moves, receipts } = await play(chain, clocks, given, tensors, {
        ...PROMPT,
        serves: false,
        hidesInput: true,
        stalls: true,
      });
      expect(await chain.statusOf(claim), `round ${round}`).toBe(FAULTED);
      expect(moves.find((move) => move.type === 'prove')?.fault).toMatchObject({ position, element });
      expect(receipts.length).toBeLessThanOrEqual(18);
    }
  });

  it('dies by rule when the prover stops answering, and the challenger is paid', async () => {
    const r = new Random(0xdead);
    for (const kind of ['inputLeaf', 'tensorRoots', 'nodeChildren', 'tensorLeaf'] as const) {
      const given = disputeCase(r);
      const { tensors } = faultyRun(r, given);
      const before = await chain.freeStake('challenger');
      const manners = { ...PROMPT, serves: false, hidesInput: true, withholds: (unit: Unit) => unit.kind === kind };
      const { claim, moves } = await play(chain, clocks, given, tensors, manners);
      expect(await chain.statusOf(claim), kind).toBe(FAULTED);
      const wasAsked = moves.some((move) => move.type === 'expire' && move.unit.kind === kind);
      // A tensor of one leaf has no nodes to withhold.
      if (kind !== 'nodeChildren') expect(wasAsked, kind).toBe(true);
      expect(await chain.freeStake('challenger')).toBeGreaterThan(before);
    }
  });
});

describe('clocks', () => {
  it('levels and the end of a dispute are those of the contract', async () => {
    const r = new Random(0xc10c);
    const given = disputeCase(r);
    const { program } = given;
    const tensors = execute(program, given.inputs);
    const claim = await chain.claim(program, given.inputs, tensors, outputRoot(program, buildTrace(tensors).roots));
    const last = program.instructions.length - 1;
    const deep = tensorUnit(program, last, 0, 0);
    const units = [...inputLeafUnits(program), recordUnit(1), parameterLeafUnit(1, 0), TENSOR_ROOTS, deep, tensorUnit(program, 1, 0, 0)];
    const { board } = chain.deployed;
    for (const unit of units) {
      const level = await chain.client.readContract({
        address: board,
        abi: claimBoardAbi,
        functionName: 'levelOf',
        args: [unitOnChain(unit)],
      });
      expect(Number(level)).toBe(levelOf(unit));
    }
    await act(chain, claim, { type: 'demand', units: [TENSOR_ROOTS] });
    const dispute = await chain.client.readContract({
      address: board,
      abi: claimBoardAbi,
      functionName: 'disputeOf',
      args: [claim.source, claim.claimId],
    });
    expect(Number(dispute.finalAt)).toBe(disputeEnd(clocks, claim.claimedAt, claim.record.greatestDepth));
  });
});

describe('a right claim on the real contracts', () => {
  it('survives every demand there is, earns from them, and becomes final', async () => {
    const r = new Random(0x900d);
    for (let round = 0; round < 2; round++) {
      const given = disputeCase(r);
      const tensors = execute(given.program, given.inputs);
      const posted = buildTrace(tensors);
      const claim = await chain.claim(given.program, given.inputs, tensors, outputRoot(given.program, posted.roots));
      const units = [
        ...inputLeafUnits(given.program).slice(0, 3),
        recordUnit(1),
        parameterLeafUnit(0, 0),
        parameterLeafUnit(1, 0),
        TENSOR_ROOTS,
      ];
      const before = await chain.credit('prover');
      await act(chain, claim, { type: 'demand', units }, 'friend');
      const answered = await answerAll(chain, claim, given.program, posted, PROMPT);
      for (let i = 0; i < 12; i++) {
        const dispute = await readDispute(chain.client, chain.deployed.board, claim, claim.fromBlock);
        await act(chain, claim, anyNode(r, given.program, posted, dispute.roots ?? []), 'friend');
        answered.push(...(await answerAll(chain, claim, given.program, posted, PROMPT)));
      }
      // HarassmentPays: answering cost less than it earned, at the fee that the board reads.
      const earned = (await chain.credit('prover')) - before;
      const gas = answered.reduce((sum, { gasUsed }) => sum + gasUsed, 0n);
      expect(earned).toBeGreaterThan(gas * LOCAL_CONSTANTS.minimumFee);
      expect(await chain.feePerGas()).toBe(LOCAL_CONSTANTS.minimumFee);
      const { time } = await chain.now();
      expect(await chain.isFinal(claim)).toBe(false);
      await chain.advanceTo(time + 400);
      expect(await chain.isFinal(claim)).toBe(true);
      await chain.send('friend', chain.finalizeCall(claim, given.program, tensors));
      expect(await chain.statusOf(claim)).toBe(FINAL);
    }
  });

  it('is not slashed by a proof of a right element', async () => {
    const r = new Random(0x0b);
    const given = disputeCase(r);
    const { position, element, tensors } = faultyRun(r, given);
    const right = execute(given.program, given.inputs);
    const posted = buildTrace(right);
    const claim = await chain.claim(given.program, given.inputs, right, outputRoot(given.program, posted.roots));
    await act(chain, claim, { type: 'demand', units: [TENSOR_ROOTS] });
    await answerAll(chain, claim, given.program, posted, PROMPT);
    // What the challenger would send against the faulty run, with the right trace's openings.
    const dispute = await readDispute(chain.client, chain.deployed.board, claim, claim.fromBlock);
    const fetched = (unit: Unit) => answerData(programTrees(given.program), posted, unit);
    const { time, block } = await chain.now();
    const challenge = {
      trees: programTrees(given.program),
      claim,
      greatestDepth: claim.record.greatestDepth,
      clocks,
      now: time,
      block,
      fetched,
    };
    const move = decide(challenge, buildTrace(tensors), dispute);
    if (move.type !== 'commit') throw new Error(`expected a commitment, got ${move.type}`);
    expect(move.fault).toMatchObject({ position, element });
    await act(chain, claim, move, 'friend');
    await expect(act(chain, claim, { type: 'prove', fault: move.fault }, 'friend')).rejects.toThrow(/NoFault|SourceNotOpened/);
  });
});

/** A demand of a random node or leaf of a right trace. */
function anyNode(r: Random, program: Program, posted: Trace, roots: Trace['roots']): Move {
  const trees = programTrees(program);
  const position = r.integer(0, program.instructions.length - 1);
  const tree = posted.trees[position]!;
  const height = r.integer(0, tree.depth);
  const index = r.integer(0, Math.ceil(tree.leafCount / 32 ** height) - 1);
  const unit = tensorUnit(program, position, height, index);
  const opened = openRoots(roots, [position]);
  const isTop = height === tree.depth;
  const proof = {
    ...openRecord(trees, position),
    tensorRoot: opened.roots[0]!,
    rootSiblings: opened.rootSiblings,
    node: toHash(isTop ? EMPTY : nodeAt(tree, height, index)),
    nodeSiblings: isTop ? [] : openNodes(tree, [index], height).map(toHash),
  };
  return { type: 'demandNode', unit, proof };
}
