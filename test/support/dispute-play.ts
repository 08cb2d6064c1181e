import type { TransactionReceipt } from 'viem';
import {
  answerCall,
  answerRootsCall,
  commitFaultCall,
  demandCall,
  demandNodeCall,
  expireCall,
  proveFaultCall,
} from '../../contracts/client/board/calls.ts';
import { readDispute, readPrice } from '../../contracts/client/board/read.ts';
import { answerData } from '../../core/dispute/answers.ts';
import type { Clocks } from '../../core/dispute/clocks.ts';
import { type Challenge, decide, type Move } from '../../core/dispute/decide.ts';
import { inputsFromAnswers, openDemands } from '../../core/dispute/observed.ts';
import { programTrees } from '../../core/dispute/program-trees.ts';
import type { Unit } from '../../core/dispute/units.ts';
import { execute } from '../../core/execute.ts';
import type { Program } from '../../core/program/types.ts';
import type { TypedArray } from '../../core/tensor.ts';
import { buildTrace, outputRoot, type Trace } from '../../core/trace.ts';
import type { DisputeCase } from './dispute-cases.ts';
import type { Actor, DisputeChain, OpenClaim } from './dispute-chain.ts';

const SALT = `0x${'5a'.repeat(32)}` as const;

/** How a prover behaves in a dispute. */
export interface Manners {
  /** Serves nodes and leaves over HTTP. */
  readonly serves: boolean;
  /** The challenger does not know the input. */
  readonly hidesInput: boolean;
  /** Answers in the last seconds. */
  readonly stalls: boolean;
  /** Units it never answers. */
  withholds(unit: Unit): boolean;
}

/** Answers and serves everything at once. */
export const PROMPT: Manners = { serves: true, hidesInput: false, stalls: false, withholds: () => false };

/** How a dispute went. */
export interface Played {
  readonly claim: OpenClaim;
  readonly moves: readonly Move[];
  readonly receipts: readonly TransactionReceipt[];
  /** What each transaction was. */
  readonly names: readonly string[];
}

/** One claim, one challenger that follows `decide`, one prover with its manners, to the end. */
export async function play(
  chain: DisputeChain,
  clocks: Clocks,
  given: DisputeCase,
  tensors: readonly TypedArray[],
  manners: Manners,
): Promise<Played> {
  const { program } = given;
  const trees = programTrees(program);
  const posted = buildTrace(tensors);
  const claim = await chain.claim(program, given.inputs, tensors, outputRoot(program, posted.roots));
  let own: Trace | undefined = manners.hidesInput ? undefined : buildTrace(execute(program, given.inputs));
  let committed: Challenge['committed'];
  const moves: Move[] = [];
  const receipts: TransactionReceipt[] = [];
  const names: string[] = [];
  for (let turn = 0; turn < 100; turn++) {
    const dispute = await readDispute(chain.client, chain.deployed.board, claim, claim.fromBlock);
    const inputs = own === undefined ? inputsFromAnswers(program, dispute) : undefined;
    if (inputs !== undefined) own = buildTrace(execute(program, inputs));
    const { time, block } = await chain.now();
    const challenge: Challenge = {
      trees,
      claim,
      greatestDepth: claim.record.greatestDepth,
      clocks,
      now: time,
      block,
      self: chain.address('challenger'),
      ...(manners.serves ? { fetched: (unit: Unit) => answerData(trees, posted, unit) } : {}),
      ...(committed === undefined ? {} : { committed }),
    };
    const move = decide(challenge, own, dispute);
    moves.push(move);
    if (move.type === 'done') return { claim, moves, receipts, names };
    if (move.type === 'wait') await chain.advanceTo(move.until);
    else {
      const receipt = await act(chain, claim, move);
      receipts.push(receipt);
      names.push(move.type);
      if (move.type === 'commit')
        committed = { position: move.fault.position, element: move.fault.element, block: Number(receipt.blockNumber) };
    }
    const answered = await answerAll(chain, claim, program, posted, manners);
    receipts.push(...answered);
    names.push(...answered.map(() => 'answer'));
  }
  throw new Error('the dispute does not end');
}

/** Sends a move of the decision. */
export async function act(chain: DisputeChain, claim: OpenClaim, move: Move, actor: Actor = 'challenger'): Promise<TransactionReceipt> {
  const { board } = chain.deployed;
  const price = async (units: readonly Unit[]): Promise<bigint> =>
    ((await readPrice(chain.client, board, claim.modelId, units)) * 13n) / 10n;
  switch (move.type) {
    case 'demand':
      return chain.send(actor, demandCall(board, claim, move.units, await price(move.units)));
    case 'demandNode':
      return chain.send(actor, demandNodeCall(board, claim, move.unit, move.proof, await price([move.unit])));
    case 'expire':
      return chain.send(actor, expireCall(board, claim, move.unit));
    case 'commit':
      return chain.send(actor, commitFaultCall(board, chain.address(actor), claim, move.fault, SALT));
    case 'prove':
      return chain.send(actor, proveFaultCall(board, claim, move.fault, SALT));
    case 'done':
    case 'wait':
    case 'fetch':
      throw new Error(`${move.type} is no transaction`);
  }
}

/** The prover's answers to whatever is open and not withheld: the root list, then everything else at once. */
export async function answerAll(
  chain: DisputeChain,
  claim: OpenClaim,
  program: Program,
  posted: Trace,
  manners: Manners,
): Promise<TransactionReceipt[]> {
  const { board } = chain.deployed;
  const { time } = await chain.now();
  const dispute = await readDispute(chain.client, board, claim, claim.fromBlock);
  const open = openDemands(dispute).filter(({ unit, deadline }) => !manners.withholds(unit) && deadline > time);
  if (open.length === 0) return [];
  if (manners.stalls) await chain.advanceTo(open[0]!.deadline - 2);
  const receipts: TransactionReceipt[] = [];
  if (open.some(({ unit }) => unit.kind === 'tensorRoots'))
    receipts.push(await chain.send('key', answerRootsCall(board, claim, posted.roots)));
  const trees = programTrees(program);
  const answers = open
    .filter(({ unit }) => unit.kind !== 'tensorRoots')
    .map(({ unit }) => ({ claim, unit, data: answerData(trees, posted, unit)! }));
  if (answers.length > 0) receipts.push(await chain.send('key', answerCall(board, answers)));
  return receipts;
}
