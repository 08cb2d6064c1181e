import { eventually } from '../../contracts/client/eventually.ts';
import type { Announce } from './announce.ts';
import { type Outcome, playFraud, playHarassment, playOptimistic, playProof } from './flows.ts';
import { type Entry, partiesOf, readLedger } from './ledger.ts';
import type { Stage } from './stage.ts';

/** Images that calibration has not seen. */
const FIRST_IMAGE = 600;
const IMAGES = 200;
const ALL = ['zk-verified', 'optimistic-final', 'fraud-slashed', 'honest-defended'] as const;

export interface Played {
  readonly ok: boolean;
  readonly outcomes: readonly Outcome[];
}

/** The parts of the play that no other seed can disturb run beside the fraud, which has one dishonest prover. */
export interface Parts {
  readonly fraud: Promise<Outcome>;
  readonly others: Promise<Outcome[]>;
}

/** Starts one seed's play: image and fault follow from the seed. */
export function startPlay(stage: Stage, seed: number, announce: Announce): Parts {
  const image = FIRST_IMAGE + (seed % IMAGES);
  const fraud = playFraud(stage, image, seed, announce);
  const others = Promise.all([
    playHarassment(stage, image, announce),
    playOptimistic(stage, image, announce),
    playProof(stage, image, announce),
  ]);
  // Each is awaited later; a failure until then must not end the process unseen.
  fraud.catch(() => {});
  others.catch(() => {});
  return { fraud, others };
}

/** True only when every part of the play came to its good end, each read back from the chain. */
export async function endPlay({ fraud, others }: Parts): Promise<Played> {
  const outcomes = [await fraud, ...(await others)];
  const ok = ALL.every((event) => outcomes.some((outcome) => outcome.event === event && outcome.ok)) && outcomes.every(({ ok }) => ok);
  return { ok, outcomes };
}

/** Plays one seed from beginning to end, and reads what it cost whom. */
export async function playSeed(stage: Stage, seed: number, announce: Announce): Promise<Played & { readonly ledger: readonly Entry[] }> {
  const { client } = stage.net;
  const from = await client.getBlockNumber();
  const played = await Promise.race([endPlay(startPlay(stage, seed, announce)), stage.started.then(() => stage.net.chainEnded)]);
  // The challenger takes back what is its own in the blocks after a verdict; worth counts it wherever it lies.
  const to = await client.getBlockNumber();
  // State of a block is told while the next one is made, unless that one is there.
  await eventually(async () => ((await client.getBlockNumber({ cacheTime: 0 })) > to ? to : undefined));
  const ledger = await readLedger(stage.net, await partiesOf(stage), from, to);
  return { ...played, ledger };
}
