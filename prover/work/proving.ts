import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { ProvingService } from '../../circuits/prove.ts';
import { parseVerificationKey, SETUP_FILES } from '../../circuits/setup/files.ts';
import { inputForms, joinTensors, splitTensors } from '../../core/tensor-list.ts';
import { encodeVerificationKey } from '../../core/zk-encoding.ts';
import type { Prove } from './answer.ts';

/**
 * Proofs from a pool of child processes, in the form that the chain takes.
 * @param memoryMegabytes most resident memory of one process; one that goes beyond ends, and its proof fails with CHILD_MEMORY
 */
export function createProving(processes: number, memoryMegabytes?: number): { readonly prove: Prove; close(): void } {
  const service = new ProvingService({ processes, ...(memoryMegabytes === undefined ? {} : { memoryMegabytes }) });
  return {
    prove: async (model, input, context, signal, onProgress) => {
      const file = path.join(model.directory, SETUP_FILES.verificationKey);
      const key = encodeVerificationKey(parseVerificationKey(await readFile(file, 'utf8'), file));
      const inputs = splitTensors(inputForms(model.program), input);
      const { encodedProof, outputs } = await service.prove({
        ...{ directory: model.directory, inputs, context, signal },
        onProgress: ({ done, total }) => onProgress?.(done / Math.max(1, total)),
      });
      return { key, proof: encodedProof, output: joinTensors(outputs) };
    },
    close: () => service.close(),
  };
}
