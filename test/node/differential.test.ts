import { createPublicClient, createWalletClient, http, type PublicClient } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import { anvil as local } from 'viem/chains';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DeployedAssay, deployAssay, LOCAL_CONSTANTS } from '../../contracts/client/deploy.ts';
import { inputCount } from '../../core/program/validate.ts';
import type { TypedArray } from '../../core/tensor.ts';
import { type CheckedModel, checkSteps, ModelChecks } from '../../prover/models/differential.ts';
import { type ModelSession, openModel } from '../../runtime/session.ts';
import { allKinds } from '../support/all-kinds.ts';
import { type Anvil, startAnvil } from '../support/anvil.ts';
import { freePort } from '../support/port.ts';
import { Random } from '../support/random.ts';

const ACCOUNT = privateKeyToAccount('0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80');

let chain: Anvil;
let client: PublicClient;
let deployment: DeployedAssay;
let session: ModelSession;

beforeAll(async () => {
  chain = await startAnvil();
  client = createPublicClient({ chain: local, transport: http(chain.url) });
  deployment = await deployAssay(
    createWalletClient({ account: ACCOUNT, chain: local, transport: http(chain.url) }),
    client,
    LOCAL_CONSTANTS,
  );
  session = await openModel(allKinds(new Random(31)));
});
afterAll(async () => {
  await session?.close();
  await chain?.stop();
});

function model(change: (tensors: TypedArray[]) => void = () => undefined): CheckedModel {
  const trace = async (inputs: readonly TypedArray[]): Promise<TypedArray[]> => {
    const tensors = (await session.trace(inputs)).map((tensor) => tensor.slice());
    change(tensors);
    return tensors;
  };
  return { modelId: `0x${'12'.repeat(32)}`, program: session.program, session: { trace } };
}

function random(seed: number): (count: number) => Uint8Array {
  const r = new Random(seed);
  return (count) => Uint8Array.from({ length: count }, () => r.integer(0, 255));
}

describe('the differential check of a model against the deployed step code', () => {
  it('agrees on every instruction of every kind', async () => {
    const { program } = session;
    const check = await checkSteps(model(), { client, board: deployment.board, elements: 4, random: random(1) });
    const computed = program.instructions.slice(inputCount(program));
    expect(check.verifier).toBe(deployment.stepVerifier);
    expect(check.instructions).toBe(computed.length);
    expect(check.elements).toBeGreaterThan(2 * computed.length);
    expect(check.elements).toBeLessThanOrEqual(4 * computed.length);
  });

  it('finds a machine that computes one instruction wrongly, whichever it is', async () => {
    const { program } = session;
    for (const position of [inputCount(program), program.instructions.length - 1]) {
      const wrong = model((tensors) => {
        const tensor = tensors[position]!;
        for (let i = 0; i < tensor.length; i++) tensor[i] = tensor[i]! ^ 1;
      });
      const check = checkSteps(wrong, { client, board: deployment.board, random: random(2) });
      await expect(check).rejects.toMatchObject({ code: 'STEP_DIFFERS', facts: { modelId: wrong.modelId } });
    }
  });

  it('finds a chain whose step code is another one', async () => {
    const other = await startAnvil();
    try {
      const there = createPublicClient({ chain: local, transport: http(other.url) });
      const wallet = createWalletClient({ account: ACCOUNT, chain: local, transport: http(other.url) });
      const { board, stepVerifier } = await deployAssay(wallet, there, LOCAL_CONSTANTS);
      // Returns 0 to every call.
      await there.request({ method: 'anvil_setCode' as never, params: [stepVerifier, '0x60206000f3'] as never });
      await expect(checkSteps(model(), { client: there, board, random: random(3) })).rejects.toMatchObject({ code: 'STEP_DIFFERS' });
      // Reverts at every call.
      await there.request({ method: 'anvil_setCode' as never, params: [stepVerifier, '0x60006000fd'] as never });
      await expect(checkSteps(model(), { client: there, board, random: random(3) })).rejects.toMatchObject({
        code: 'STEP_DIFFERS',
        facts: { chain: 'a revert' },
      });
    } finally {
      await other.stop();
    }
  });
});

describe('the checks of a node', () => {
  it('are made once a model', async () => {
    let runs = 0;
    const counted = model(() => void runs++);
    const checks = new ModelChecks({ client, board: deployment.board, random: random(4) });
    const [first, second] = await Promise.all([checks.of(counted), checks.of(counted)]);
    expect(await checks.of(counted)).toBe(first);
    expect(second).toBe(first);
    expect(runs).toBe(1);
  });

  it('stand once they failed, and are made again where the chain did not answer', async () => {
    let runs = 0;
    const wrong = model((tensors) => {
      runs++;
      tensors.at(-1)!.fill(77);
      tensors.at(-2)!.fill(77);
    });
    const checks = new ModelChecks({ client, board: deployment.board, random: random(5) });
    for (let i = 0; i < 2; i++) await expect(checks.of(wrong)).rejects.toMatchObject({ code: 'STEP_DIFFERS' });
    expect(runs).toBe(1);
    const away = createPublicClient({ chain: local, transport: http(`http://127.0.0.1:${await freePort()}`, { retryCount: 0 }) });
    const waiting = new ModelChecks({ client: away, board: deployment.board });
    for (let i = 0; i < 2; i++) {
      const failure = await waiting.of(model()).catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(Error);
      expect((failure as { code?: unknown }).code).not.toBe('STEP_DIFFERS');
    }
  });
});
