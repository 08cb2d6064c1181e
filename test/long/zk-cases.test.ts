import { existsSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { caseNames, proveCase } from '../../bench/zk-cases.ts';
import { ProofChain } from '../../bench/zk-chain.ts';
import { CASE_FOLDER } from '../support/fixtures.ts';

// Every small model of the case folder: set up, proved on its own first case, verified here and on a local chain, paid for.
const names = existsSync(path.join(CASE_FOLDER, 'models')) ? caseNames(CASE_FOLDER) : [];
if (names.length === 0) console.log(`No models in ${CASE_FOLDER}: none of them is proved.`);
let chain: ProofChain;

describe.skipIf(names.length === 0)('models of others, proved', () => {
  beforeAll(async () => {
    chain = await ProofChain.start();
  });
  afterAll(() => chain?.stop());

  it.each(names)('%s', async (name) => {
    // Throws unless the proof verifies, and the chain pays for the answer.
    const { figures: f, skipped } = await proveCase(CASE_FOLDER, name, chain);
    if (f === undefined) {
      console.log(`${name}: not proved: ${skipped}`);
      return;
    }
    console.log(
      `${name}: ${f.activations} activations, ${f.constraints} constraints, domain ${f.domain}, ${f.publicSignals} signals, key ${Math.round(f.keyMegabytes * 1e6)} bytes, ` +
        `setup ${f.setupSeconds.toFixed(1)} s, witness and proof ${f.proveSeconds.toFixed(1)} s, ${f.peakMegabytes} MiB, gas ${f.gas?.verify} to verify, ${f.gas?.fulfil} in all`,
    );
    expect(f.gas).toBeDefined();
  });
});
