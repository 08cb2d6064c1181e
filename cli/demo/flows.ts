import { programTrees } from '../../core/dispute/program-trees.ts';
import { AssayError } from '../../core/errors.ts';
import { execute } from '../../core/execute.ts';
import { buildTrace } from '../../core/trace.ts';
import { outputOf, waitForEnd } from '../requesting.ts';
import type { Announce } from './announce.ts';
import { Harassment } from './harass.ts';
import { askAbout, digitOf, PATIENCE, readingOf, sameBytes } from './question.ts';
import { answersTo, disputeOf, proofTime, receiptOf, statusIs, verdictOf, ZERO } from './readings.ts';
import { BANDS, CAST, type Stage, startDishonestNode } from './stage.ts';

/** How one flow ended; `ok` follows from what was read back from the chain. */
export interface Outcome {
  readonly event: string;
  readonly ok: boolean;
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
    status,
    transaction: receipt?.status,
    right: sameBytes(output, question.right),
    answer,
    label: question.label,
    delivered,
    gas: receipt?.gasUsed,
    proofMilliseconds: await proofTime(stage, question.id),
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
  announce('optimistic-final', { ok, requestId: question.id, status, answer, label: question.label, delivered });
  return { event: 'optimistic-final', ok };
}

/** Asks for more than the honest prover wants; the dishonest one answers, is found out by re-execution, and loses its lock. */
export async function playFraud(stage: Stage, image: number, seed: number, announce: Announce): Promise<Outcome> {
  const { optimistic, dishonest, consumer, net } = stage;
  const node = startDishonestNode(stage, seed);
  // Awaited below; a failure until then must not end the process unseen.
  node.catch(() => {});
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

async function until(condition: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + PATIENCE * 1000;
  while (!(await condition())) {
    if (Date.now() > end) {
      throw new AssayError('A step of the demo did not come in time', {
        code: 'DEMO_FAILED',
        facts: { seconds: PATIENCE },
        fix: 'run it again with --keep on a machine with less to do, and read the logs',
      });
    }
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}
