import { createServer } from 'node:net';
import { hexToBytes } from 'viem';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../contracts/client/eventually.ts';
import { requestsAbi } from '../../contracts/client/generated/requests.ts';
import { stakeVaultAbi } from '../../contracts/client/generated/stakeVault.ts';
import { AssayError } from '../../core/errors.ts';
import { execute, outputsOf } from '../../core/execute.ts';
import { fromHex, keccak256, toHash } from '../../core/keccak.ts';
import { inputForms, joinTensors, listRoot, splitTensors } from '../../core/tensor-list.ts';
import { buildTrace } from '../../core/trace.ts';
import { leafHash } from '../../core/tree.ts';
import type { RunningNode } from '../../prover/node.ts';
import { isUnsecured, type KeyBindings, type SignedReceipt, verifyReceipt } from '../../verifier/receipt.ts';
import { STATUS, startNetwork, statusOf, type TestNetwork, until } from './network.ts';

let network: TestNetwork;
let node: RunningNode;

beforeAll(async () => {
  network = await startNetwork();
  await network.stake(2, 3);
  node = await network.node(3, {});
});
afterAll(() => network?.stop());

async function refusal(promise: Promise<unknown>): Promise<string> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof AssayError) return error.code;
  throw new Error(`expected an AssayError, got ${String(error)}`);
}

function send(method: string, route: string, body?: Uint8Array): Promise<Response> {
  return fetch(`${node.url}${route}`, {
    method,
    ...(body === undefined ? {} : { body, headers: { 'content-type': 'application/octet-stream' } }),
  });
}

async function errorCode(response: Response): Promise<[number, string]> {
  const { error } = (await response.json()) as { error: { code: string } };
  return [response.status, error.code];
}

describe('a node refuses to start', () => {
  it('with a key that no stake knows', async () => {
    expect(await refusal(network.node(4, {}))).toBe('KEY_UNREGISTERED');
  });

  it('with a program that is not the registered one', async () => {
    const other = await network.register(77);
    // The record of another royalty has the same program: the id decides, so an id of nothing is refused.
    const bad = { models: [{ modelId: `0x${'ab'.repeat(32)}`, directory: network.modelDirectory }] };
    await expect(network.node(3, bad)).rejects.toThrow();
    expect(other.modelId).not.toBe(network.modelId);
  });

  it('on a port that is taken, and lets go of its state', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const settings = { port, data: `${network.directory}/taken` };
    expect(await refusal(network.node(3, settings))).toBe('PORT_IN_USE');
    expect(await refusal(network.node(3, settings))).toBe('PORT_IN_USE');
    await new Promise((resolve) => server.close(resolve));
  });
});

describe('the HTTP service', () => {
  it('hands out the registered program, byte for byte', async () => {
    const { models } = (await (await send('GET', '/v1/models')).json()) as { models: { modelId: string }[] };
    expect(models.map(({ modelId }) => modelId)).toEqual([network.modelId]);
    const bytes = new Uint8Array(await (await send('GET', `/v1/models/${network.modelId}/program`)).arrayBuffer());
    const { programHash } = await network.register(0);
    expect(toHash(keccak256(bytes))).toBe(programHash);
  });

  it('names input bytes by their root and hands them out under it', async () => {
    const input = network.input(1);
    const accepted = (await (await send('PUT', `/v1/models/${network.modelId}/inputs`, input)).json()) as { inputRoot: string };
    expect(accepted.inputRoot).toBe(listRoot(splitTensors(inputForms(network.program), input)));
    expect(new Uint8Array(await (await send('GET', `/v1/inputs/${accepted.inputRoot}`)).arrayBuffer())).toEqual(input);
  });

  it.each([
    ['an unknown model', 'GET', `/v1/models/0x${'11'.repeat(32)}/program`, undefined, 404, 'HTTP_NOT_FOUND'],
    ['an id that is none', 'GET', '/v1/models/abc/program', undefined, 400, 'HTTP_MALFORMED'],
    ['a path that climbs', 'GET', '/v1/inputs/..%2f..%2fstate.lmdb', undefined, 400, 'HTTP_MALFORMED'],
    ['an unknown route', 'GET', '/v2/models', undefined, 404, 'HTTP_NOT_FOUND'],
    ['an unknown claim', 'GET', '/v1/claims/999/roots', undefined, 404, 'HTTP_NOT_FOUND'],
    ['an unknown input', 'GET', `/v1/inputs/0x${'11'.repeat(32)}`, undefined, 404, 'HTTP_NOT_FOUND'],
    ['no body', 'PUT', 'inputs', new Uint8Array(), 400, 'HTTP_MALFORMED'],
    ['an input of the wrong size', 'PUT', 'inputs', new Uint8Array(783), 400, 'TENSOR_SIZE'],
    ['a body of a mebibyte', 'PUT', 'inputs', new Uint8Array(1 << 20), 413, 'HTTP_BODY_TOO_LARGE'],
  ] as const)('refuses %s', async (_, method, route, body, status, code) => {
    const at = route === 'inputs' ? `/v1/models/${network.modelId}/inputs` : route;
    expect(await errorCode(await send(method, at, body))).toEqual([status, code]);
  });
});

describe('a request by root', () => {
  it('waits until the input is in hand, then is answered rightly, and its trace can be read', async () => {
    const input = network.input(2);
    const inputs = splitTensors(inputForms(network.program), input);
    const { timestamp } = await network.client.getBlock();
    const id = await network.client.readContract({ address: network.deployment.requests, abi: requestsAbi, functionName: 'nextRequestId' });
    await network.sender(5).send({
      address: network.deployment.requests,
      abi: requestsAbi,
      functionName: 'requestByRoot',
      value: 10n ** 16n,
      args: [
        {
          modelId: network.modelId,
          tier: 1,
          earlyDelivery: false,
          coverage: network.coverage,
          deadline: Number(timestamp) + 200,
          inputTimestamp: 0,
          callbackGas: 0,
        },
        listRoot(inputs),
        '',
      ],
    });
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    expect(await statusOf(network, id)).toBe(STATUS.open);
    await send('PUT', `/v1/models/${network.modelId}/inputs`, network.input(3));
    expect(await statusOf(network, id)).toBe(STATUS.open);
    await send('PUT', `/v1/models/${network.modelId}/inputs`, input);
    await until('a claim', async () => (await statusOf(network, id)) >= STATUS.claimed);
    const [claimed] = await eventually(() =>
      network.client.getContractEvents({
        address: network.deployment.requests,
        abi: requestsAbi,
        eventName: 'Claimed',
        args: { requestId: id },
        fromBlock: 0n,
      }),
    );
    const tensors = execute(network.program, inputs);
    expect(hexToBytes(claimed!.args.output!)).toEqual(joinTensors(outputsOf(network.program, tensors)));
    const own = buildTrace(tensors);
    const { roots } = (await (await send('GET', `/v1/claims/${id}/roots`)).json()) as { roots: string[] };
    expect(roots).toEqual(own.roots);
    const unit = async (tensor: number, height: number, index: number): Promise<Response> =>
      send('GET', `/v1/claims/${id}/tensors/${tensor}/${height}/${index}`);
    const children = new Uint8Array(await (await unit(1, 1, 0)).arrayBuffer());
    const leaf = new Uint8Array(await (await unit(1, 0, 2)).arrayBuffer());
    expect(leafHash(leaf)).toEqual(children.slice(64, 96));
    for (const [tensor, height, index] of [
      [99, 0, 0],
      [1, 0, 13],
      [1, 2, 0],
      [1, 1, 1],
    ] as const)
      expect((await unit(tensor, height, index)).status, `${tensor}/${height}/${index}`).toBe(404);
    await until('the end', async () => (await statusOf(network, id)) === STATUS.final);
  });
});

describe('a receipt', () => {
  const vault: KeyBindings = {
    bindingOf: async (key) => {
      const [owner, retiredAt] = await network.client.readContract({
        address: network.deployment.vault,
        abi: stakeVaultAbi,
        functionName: 'bindingOf',
        args: [key],
      });
      return { owner, retiredAt };
    },
  };
  let signed: SignedReceipt;
  let expected: Parameters<typeof verifyReceipt>[1];

  beforeAll(async () => {
    const input = network.input(4);
    const tensors = execute(network.program, splitTensors(inputForms(network.program), input));
    const answer = (await (await send('POST', `/v1/infer?modelId=${network.modelId}`, input)).json()) as SignedReceipt & {
      id: string;
      output: string;
    };
    signed = { receipt: answer.receipt, domain: answer.domain, signature: answer.signature };
    expected = {
      chainId: 31_337,
      vault: network.deployment.vault,
      modelId: network.modelId,
      inputRoot: listRoot(tensors.slice(0, 1)),
      outputRoot: listRoot(outputsOf(network.program, tensors)),
    };
    expect(fromHex(answer.output)).toEqual(joinTensors(outputsOf(network.program, tensors)));
    expect(await (await send('GET', `/v1/receipts/${answer.id}`)).json()).toMatchObject(signed);
  });

  it('holds, and says that nothing is locked behind it', async () => {
    const { receipt } = await verifyReceipt(signed, expected, vault);
    expect(isUnsecured(receipt)).toBe(true);
    expect(receipt.prover).toBe(node.owner);
  });

  it.each(['issuedAt', 'nonce', 'coverage', 'outstanding', 'expiry'] as const)('does not hold with another %s', async (member) => {
    const receipt = { ...signed.receipt, [member]: String(BigInt(signed.receipt[member]) + 1n) };
    expect(await refusal(verifyReceipt({ ...signed, receipt }, expected, vault))).toBe('RECEIPT_INVALID');
  });

  it.each(['modelId', 'inputRoot', 'outputRoot'] as const)('does not hold for another %s', async (member) => {
    const other = `0x${'22'.repeat(32)}`;
    expect(await refusal(verifyReceipt(signed, { ...expected, [member]: other }, vault))).toBe('RECEIPT_INVALID');
    const receipt = { ...signed.receipt, [member]: other };
    expect(await refusal(verifyReceipt({ ...signed, receipt }, { ...expected, [member]: other }, vault))).toBe('RECEIPT_INVALID');
  });

  it('does not hold for another prover, chain or contract, without its key, or in the high-s form', async () => {
    const other = '0x00000000000000000000000000000000000000aa';
    const prover = { ...signed, receipt: { ...signed.receipt, prover: other } };
    expect(await refusal(verifyReceipt(prover, expected, vault))).toBe('RECEIPT_INVALID');
    expect(await refusal(verifyReceipt(signed, { ...expected, chainId: 1 }, vault))).toBe('RECEIPT_INVALID');
    expect(await refusal(verifyReceipt(signed, { ...expected, vault: other }, vault))).toBe('RECEIPT_INVALID');
    const retired: KeyBindings = { bindingOf: async (key) => ({ owner: (await vault.bindingOf(key)).owner, retiredAt: 1n }) };
    expect(await refusal(verifyReceipt(signed, expected, retired))).toBe('RECEIPT_INVALID');
    const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
    const s = (order - BigInt(`0x${signed.signature.slice(66, 130)}`)).toString(16).padStart(64, '0');
    const v = signed.signature.endsWith('1b') ? '1c' : '1b';
    expect(await refusal(verifyReceipt({ ...signed, signature: `${signed.signature.slice(0, 66)}${s}${v}` }, expected, vault))).toBe(
      'RECEIPT_INVALID',
    );
    expect(await refusal(verifyReceipt({ ...signed, extra: 1 }, expected, vault))).toBe('RECEIPT_INVALID');
  });
});
