// needs: nothing
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { cleanUp } from '../../cli/cleanup.ts';
import { endPlay, type Played, startPlay } from '../../cli/demo/play.ts';
import { type Stage, setStage } from '../../cli/demo/stage.ts';
import { jsonLine } from '../../cli/output.ts';

const SEEDS = Array.from({ length: 20 }, (_, i) => i + 1);
/** Harassment runs for a minute; so many seeds are in that minute at once. */
const OVERLAP = 4;

const directory = mkdtempSync(path.join(tmpdir(), 'assay-seeds-'));
const told: { readonly event: string; readonly facts: Readonly<Record<string, unknown>> }[] = [];
let stage: Stage;

beforeAll(async () => {
  stage = await setStage({ directory, announce: (event, facts) => told.push({ event, facts }) });
  await stage.started;
}, 300_000);

afterAll(async () => {
  await cleanUp();
  rmSync(directory, { recursive: true, force: true });
});

/**
 * The demo's play with twenty seeds: real processes, one chain. Frauds go one after the other, for there is one dishonest
 * prover; the rest of each seed's play overlaps.
 */
it('ends well with every seed', { timeout: 1_200_000 }, async () => {
  const played = new Map<number, Promise<Played>>();
  for (const [position, seed] of SEEDS.entries()) {
    const parts = startPlay(stage, seed, (event, facts) => told.push({ event, facts }));
    played.set(seed, endPlay(parts));
    await parts.fraud;
    const earlier = SEEDS[position - OVERLAP];
    if (earlier !== undefined) await played.get(earlier);
  }
  const failed: string[] = [];
  for (const [seed, play] of played) {
    const { ok, outcomes } = await play;
    if (!ok) failed.push(`seed ${seed}: ${outcomes.filter((outcome) => !outcome.ok).map(({ event }) => event)}`);
  }
  expect([...failed, ...told.filter(({ facts }) => facts.ok === false).map((each) => jsonLine(each))]).toEqual([]);
  // Twenty seeds tell different lies.
  const places = told.filter(({ event }) => event === 'fraud-slashed').map(({ facts }) => `${facts.position}/${facts.element}`);
  expect(places).toHaveLength(SEEDS.length);
  expect(new Set(places).size).toBeGreaterThan(SEEDS.length / 2);
});
