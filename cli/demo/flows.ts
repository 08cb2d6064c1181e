import { type Address, bytesToHex, type Hex, parseEventLogs, type TransactionReceipt } from 'viem';
import { claimBoardAbi } from '../../contracts/client/generated/claimBoard.ts';
import { digitReaderAbi } from '../../contracts/client/generated/digitReader.ts';
import { requestsAbi } from '../../contracts/client/generated/requests.ts';
import { stakeVaultAbi } from '../../contracts/client/generated/stakeVault.ts';
import { programTrees } from '../../core/dispute/program-trees.ts';
import { execute, outputsOf } from '../../core/execute.ts';
import { joinTensors, outputForms, splitTensors } from '../../core/tensor-list.ts';
import { buildTrace } from '../../core/trace.ts';
import { argmaxLast, prepareInput, readOutput } from '../../core/values.ts';
import { nameInput, outputOf, requestIdIn, type Tier, uploadInput, waitForEnd } from '../requesting.ts';
import type { Announce, Facts } from './announce.ts';
import { Harassment } from './harass.ts';
import { imageCase } from './images.ts';
import type { PreparedModel } from './models.ts';
import { BANDS, CAST, type Stage, startDishonestNode } from './stage.ts';

/** Seconds within which a flow must have come to its end. */
const PATIENCE = 180;

/** How one flow ended; `ok` follows from what was read back from the chain. */
export interface Outcome {
  readonly event: string;
  readonly ok: boolean;
}

interface Question {
  readonly id: bigint;
  readonly label: number;
  /** The right answer: what the reference executor computes here. */
  readonly right: Uint8Array;
  readonly inputs: ReturnType<typeof prepareInput>;
}

type Registered = PreparedModel & { readonly registered: { readonly modelId: Hex; readonly minimumCoverage: bigint } };

/** Has the consumer contract ask about one image. */
async function askAbout(
  stage: Stage,
  consumer: Address,
  model: Registered,
  tier: Tier,
  image: number,
  fee: bigint,
  node?: string,
): Promise<Question> {
  const { net, images } = stage;
  const { client, deployment } = net;
  const inputs = prepareInput(model.program, imageCase(model.model, images, image).inputs);
  const { modelId, minimumCoverage } = model.registered;
  const input = await nameInput(client, deployment, modelId, tier, inputs);
  const common = [modelId, tier === 'zk' ? 0 : 1, tier === 'zk' ? 0n : minimumCoverage, PATIENCE] as const;
  const receipt = await net.sender(CAST.requester).send({
    address: consumer,
    abi: digitReaderAbi,
    value: fee,
    ...(input.inCalldata
      ? { functionName: 'read', args: [...common, bytesToHex(input.bytes)] }
      : { functionName: 'readByRoot', args: [...common, input.name, ''] }),
  });
  if (!input.inCalldata && node !== undefined) await uploadInput(node, modelId, input.bytes);
  const right = joinTensors(outputsOf(model.program, execute(model.program, inputs)));
  return { id: requestIdIn(receipt), label: images.label(image), right, inputs };
}

function digitOf({ program }: PreparedModel, output: Uint8Array): number {
  const [first] = readOutput(program, splitTensors(outputForms(program), output));
  return argmaxLast(first!.dims, first!.values)[0]!;
}

function sameBytes(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a !== undefined && a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** What the consumer contract keeps of an answer; undefined before delivery. */
async function readingOf(stage: Stage, consumer: Address, id: bigint): Promise<number | undefined> {
  try {
    return Number(await stage.net.client.readContract({ address: consumer, abi: digitReaderAbi, functionName: 'digitOf', args: [id] }));
  } catch {
    return undefined;
  }
}

/** Receipt of the transaction that emitted a request's event. */
async function receiptOf(
  stage: Stage,
  eventName: 'Fulfilled' | 'Finalized' | 'Faulted',
  id: bigint,
): Promise<TransactionReceipt | undefined> {
  const { client, deployment } = stage.net;
  const [event] = await client.getContractEvents({
    address: deployment.requests,
    abi: requestsAbi,
    eventName,
    args: { requestId: id },
    fromBlock: BigInt(deployment.block),
  });
  return event === undefined ? undefined : client.getTransactionReceipt({ hash: event.transactionHash });
}

/** Asks at the zk tier: the proof is verified on chain, and the consumer has the answer. */
export async function playProof(stage: Stage, image: number, announce: Announce): Promise<Outcome> {
  const { model, node, consumer: to } = await stage.zk;
  const started = performance.now();
  const question = await askAbout(stage, to, model, 'zk', image, BANDS.honestFee, node.url);
  announce('requested', { requestId: question.id, tier: 'zk', purpose: 'an answer proved by a SNARK' });
  const status = await waitForEnd(stage.net.client, stage.net.deployment, question.id, PATIENCE);
  const receipt = await receiptOf(stage, 'Fulfilled', question.id);
  const output = await outputOf(stage.net.client, stage.net.deployment, question.id);
  const reading = await readingOf(stage, to, question.id);
  const answer = output === undefined ? undefined : digitOf(model, output);
  const delivered = reading !== undefined && reading === answer;
  const ok = status === 'final' && sameBytes(output, question.right) && delivered && receipt?.status === 'success';
  announce('zk-verified', {
    ok,
    requestId: question.id,
    answer,
    label: question.label,
    delivered,
    gas: receipt?.gasUsed,
    milliseconds: Math.round(performance.now() - started),
  });
  return { event: 'zk-verified', ok };
}

/** Asks at the optimistic tier: final when the window has passed in silence. */
export async function playOptimistic(stage: Stage, image: number, announce: Announce): Promise<Outcome> {
  const { optimistic, consumer, net } = stage;
  const question = await askAbout(stage, consumer, optimistic, 'optimistic', image, BANDS.honestFee);
  announce('requested', { requestId: question.id, tier: 'optimistic', purpose: 'an answer backed by stake' });
  const status = await waitForEnd(net.client, net.deployment, question.id, PATIENCE);
  const output = await outputOf(net.client, net.deployment, question.id);
  const reading = await readingOf(stage, consumer, question.id);
  const answer = output === undefined ? undefined : digitOf(optimistic, output);
  const delivered = reading !== undefined && reading === answer;
  const ok = status === 'final' && sameBytes(output, question.right) && delivered;
  announce('optimistic-final', { ok, requestId: question.id, answer, label: question.label, delivered });
  return { event: 'optimistic-final', ok };
}

/** Asks for more than the honest prover wants; the dishonest one answers, is found out by re-execution, and loses its lock. */
export async function playFraud(stage: Stage, image: number, seed: number, announce: Announce): Promise<Outcome> {
  const { optimistic, dishonest, consumer, net } = stage;
  const node = startDishonestNode(stage, seed);
  try {
    const before = (await dishonest.free()) + (await dishonest.locked());
    const question = await askAbout(stage, consumer, optimistic, 'optimistic', image, BANDS.dishonestFee);
    announce('requested', { requestId: question.id, tier: 'optimistic', purpose: 'a large fee, which a dishonest prover takes' });
    await node;
    const status = await waitForEnd(net.client, net.deployment, question.id, PATIENCE);
    const output = await outputOf(net.client, net.deployment, question.id);
    if (output !== undefined) {
      announce('lied', { requestId: question.id, seed, answer: digitOf(optimistic, output), right: digitOf(optimistic, question.right) });
    }
    const facts = await verdictOf(stage, consumer, question.id);
    const after = (await dishonest.free()) + (await dishonest.locked());
    const lost = before - after;
    const ok =
      status === 'faulted' &&
      output !== undefined &&
      !sameBytes(output, question.right) &&
      facts.proven &&
      lost === optimistic.registered.minimumCoverage &&
      facts.slashed === lost &&
      facts.refunded === BANDS.dishonestFee &&
      facts.share > 0n &&
      facts.reward > 0n &&
      (await readingOf(stage, consumer, question.id)) === undefined;
    announce('fraud-slashed', { ok, requestId: question.id, seed, lost, ...facts });
    return { event: 'fraud-slashed', ok };
  } finally {
    await (await node).stop();
  }
}

interface Verdict {
  readonly proven: boolean;
  readonly position: number | undefined;
  readonly element: number | undefined;
  readonly gas: bigint | undefined;
  readonly slashed: bigint;
  readonly burned: bigint;
  readonly refunded: bigint;
  /** Of the lock, to the requester. */
  readonly share: bigint;
  /** Costs and reward, to the challenger. */
  readonly reward: bigint;
}

/** What the transaction that ended a claim did, from its logs. */
async function verdictOf(stage: Stage, consumer: Address, id: bigint): Promise<Verdict> {
  const receipt = await receiptOf(stage, 'Faulted', id);
  const logs = receipt?.logs ?? [];
  const [proven] = parseEventLogs({ abi: claimBoardAbi, logs, eventName: 'FaultProven' });
  const [slashed] = parseEventLogs({ abi: stakeVaultAbi, logs, eventName: 'Slashed' });
  const [refunded] = parseEventLogs({ abi: requestsAbi, logs, eventName: 'Refunded' });
  const credits = parseEventLogs({ abi: stakeVaultAbi, logs, eventName: 'Credited' });
  const creditOf = (account: Address): bigint =>
    credits.filter(({ args }) => args.to.toLowerCase() === account.toLowerCase()).reduce((sum, { args }) => sum + args.amount, 0n);
  return {
    proven: proven !== undefined,
    position: proven?.args.position,
    element: proven?.args.element,
    gas: receipt?.gasUsed,
    slashed: slashed?.args.amount ?? 0n,
    burned: slashed?.args.burned ?? 0n,
    refunded: refunded?.args.fee ?? 0n,
    share: creditOf(consumer),
    reward: creditOf(stage.challenger),
  };
}

/** Asks again, and presses the honest answer with every demand there is. */
export async function playHarassment(stage: Stage, image: number, announce: Announce): Promise<Outcome> {
  const { optimistic, honest, consumer, net } = stage;
  const { modelId } = optimistic.registered;
  const trees = programTrees(optimistic.program);
  const question = await askAbout(stage, consumer, optimistic, 'optimistic', image, BANDS.honestFee);
  announce('requested', { requestId: question.id, tier: 'optimistic', purpose: 'an honest answer, to be harassed' });
  const trace = buildTrace(execute(optimistic.program, question.inputs));
  const harassment = new Harassment(net, net.sender(CAST.harasser), question.id, trees, trace);
  await until(async () => (await statusIs(stage, question.id)) !== 'open');
  await harassment.pressTop(modelId);
  await until(async () => (await disputeOf(stage, question.id)).traceRoot !== ZERO);
  await harassment.pressTensors(modelId);
  announce('harassed', { requestId: question.id, demands: harassment.units.length, kinds: harassment.kinds });
  const accusations = await harassment.accuse();
  const status = await waitForEnd(net.client, net.deployment, question.id, PATIENCE);
  const answers = await answersTo(stage, question.id);
  const output = await outputOf(net.client, net.deployment, question.id);
  const released = await honest.slashed(BigInt(net.deployment.block));
  const ok =
    status === 'final' &&
    sameBytes(output, question.right) &&
    answers.count === harassment.units.length &&
    harassment.kinds === 6 &&
    accusations.refused === accusations.tried &&
    answers.fees > 0n &&
    released === 0n;
  announce('honest-defended', {
    ok,
    requestId: question.id,
    demands: harassment.units.length,
    kinds: harassment.kinds,
    answered: answers.count,
    earned: answers.fees,
    accusations: accusations.tried,
    refused: accusations.refused,
    slashed: released,
  });
  return { event: 'honest-defended', ok };
}

const ZERO = `0x${'0'.repeat(64)}`;

function claimHex(id: bigint): Hex {
  return `0x${id.toString(16).padStart(64, '0')}`;
}

function disputeOf(stage: Stage, id: bigint) {
  const { client, deployment } = stage.net;
  return client.readContract({
    address: deployment.board,
    abi: claimBoardAbi,
    functionName: 'disputeOf',
    args: [deployment.requests, claimHex(id)],
  });
}

async function statusIs(stage: Stage, id: bigint): Promise<'open' | 'answered'> {
  const { client, deployment } = stage.net;
  const view = await client.readContract({ address: deployment.requests, abi: requestsAbi, functionName: 'requestOf', args: [id] });
  return view.status === 1 ? 'open' : 'answered';
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + PATIENCE * 1000;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error('a step of the demo did not come in time');
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

/** Answers posted for a claim, and what they paid. */
async function answersTo(stage: Stage, id: bigint): Promise<{ count: number; fees: bigint }> {
  const { client, deployment } = stage.net;
  const common = {
    address: deployment.board,
    abi: claimBoardAbi,
    args: { source: deployment.requests, claimId: claimHex(id) },
    fromBlock: BigInt(deployment.block),
  } as const;
  const [answered, roots] = await Promise.all([
    client.getContractEvents({ ...common, eventName: 'Answered' }),
    client.getContractEvents({ ...common, eventName: 'RootsPosted' }),
  ]);
  const fees: Facts[] = [...answered, ...roots].map(({ args }) => args);
  return { count: fees.length, fees: fees.reduce((sum, { fee }) => sum + (fee as bigint), 0n) };
}
