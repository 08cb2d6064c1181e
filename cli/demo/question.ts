import { type Address, BaseError, bytesToHex, ContractFunctionRevertedError, type Hex } from 'viem';
import { digitReaderAbi } from '../../contracts/client/generated/digitReader.ts';
import { execute, outputsOf } from '../../core/execute.ts';
import { joinTensors, outputForms, splitTensors } from '../../core/tensor-list.ts';
import { argmaxLast, prepareInput, readOutput } from '../../core/values.ts';
import { nameInput, requestIdIn, type Tier, uploadInput } from '../requesting.ts';
import { imageCase } from './images.ts';
import type { PreparedModel } from './models.ts';
import { CAST, type Stage } from './stage.ts';

/** Seconds within which a flow must have come to its end. */
export const PATIENCE = 180;

export interface Question {
  readonly id: bigint;
  readonly label: number;
  /** The right answer: what the reference executor computes here. */
  readonly right: Uint8Array;
  readonly inputs: ReturnType<typeof prepareInput>;
}

export type Registered = PreparedModel & { readonly registered: { readonly modelId: Hex; readonly minimumCoverage: bigint } };

/** Has the consumer contract ask about one image. */
export async function askAbout(
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

export function digitOf({ program }: PreparedModel, output: Uint8Array): number {
  const [first] = readOutput(program, splitTensors(outputForms(program), output));
  return argmaxLast(first!.dims, first!.values)[0]!;
}

export function sameBytes(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a !== undefined && a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** What the consumer contract keeps of an answer; undefined before delivery. */
export async function readingOf(stage: Stage, consumer: Address, id: bigint): Promise<number | undefined> {
  try {
    return Number(await stage.net.client.readContract({ address: consumer, abi: digitReaderAbi, functionName: 'digitOf', args: [id] }));
  } catch (error) {
    if (error instanceof BaseError && error.walk((cause) => cause instanceof ContractFunctionRevertedError) !== null) return undefined;
    throw error;
  }
}
