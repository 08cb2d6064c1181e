import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { Program } from '../../core/program/types.ts';
import { InputStore } from '../../prover/records/inputs.ts';
import { openArtifacts } from '../../runtime/artifacts.ts';

const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

const tensor = { name: 't', dims: [40], type: 'u8', scales: [1], zeroPoints: [0], axis: 0 } as const;
const program: Program = {
  instructions: [{ kind: 'input', type: 'u8', length: 40, sources: [], attributes: {}, parameters: new Uint8Array() }],
  interface: { name: 'one input', inputs: [tensor], outputs: [tensor] },
};
const COMMITTED = { program, inputForm: 2 };
const [PROVED, OPTIMISTIC] = [0, 1];

function store() {
  const folder = mkdtempSync(path.join(tmpdir(), 'assay-inputs-'));
  folders.push(folder);
  const artifacts = openArtifacts(folder);
  return { artifacts, inputs: new InputStore(artifacts) };
}

const bytes = Uint8Array.from({ length: 40 }, (_, i) => 3 * i);

describe('the input of a request', () => {
  it('is found by its root at the optimistic tier, by its commitment at the proved one', async () => {
    const { inputs } = store();
    const { inputRoot, commitment } = await inputs.accept(COMMITTED, bytes);
    expect(await inputs.of(COMMITTED, { tier: OPTIMISTIC, input: inputRoot })).toEqual(bytes);
    expect(await inputs.of(COMMITTED, { tier: PROVED, input: commitment! })).toEqual(bytes);
  });

  it('is never found by a commitment in the place of an input root: no root list would lead to that claim', async () => {
    const { inputs } = store();
    const { inputRoot, commitment } = await inputs.accept(COMMITTED, bytes);
    expect(await inputs.get(commitment!)).toEqual(bytes);
    expect(await inputs.of(COMMITTED, { tier: OPTIMISTIC, input: commitment! })).toBeUndefined();
    expect(await inputs.of(COMMITTED, { tier: PROVED, input: inputRoot })).toBeUndefined();
    expect(await inputs.of({ program, inputForm: 1 }, { tier: PROVED, input: commitment! })).toBeUndefined();
  });

  it('is not what became of the file', async () => {
    const { inputs, artifacts } = store();
    const { inputRoot } = await inputs.accept(COMMITTED, bytes);
    for (const altered of [bytes.with(7, 1), bytes.subarray(1)]) {
      await artifacts.put('inputs', inputRoot, altered);
      expect(await inputs.of(COMMITTED, { tier: OPTIMISTIC, input: inputRoot })).toBeUndefined();
    }
  });
});
