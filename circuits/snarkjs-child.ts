import { groth16, zKey } from 'snarkjs';
import { serve } from './child-serve.ts';

/** What the snarkjs child does: one call of the library each. */
export type SnarkjsRequest =
  | { readonly call: 'exportVerificationKey'; readonly zkey: string }
  | { readonly call: 'verify'; readonly key: unknown; readonly signals: readonly string[]; readonly proof: unknown }
  | { readonly call: 'newZKey'; readonly r1cs: string; readonly ptau: string; readonly zkey: string }
  | { readonly call: 'contribute'; readonly from: string; readonly to: string; readonly name: string; readonly entropy: string }
  | {
      readonly call: 'beacon';
      readonly from: string;
      readonly to: string;
      readonly name: string;
      readonly hash: string;
      readonly iterations: number;
    }
  | { readonly call: 'verifyKey'; readonly r1cs: string; readonly ptau: string; readonly zkey: string };

async function answer(request: SnarkjsRequest): Promise<unknown> {
  switch (request.call) {
    case 'exportVerificationKey':
      return zKey.exportVerificationKey(request.zkey);
    case 'verify':
      return groth16.verify(request.key as never, [...request.signals], request.proof as never);
    case 'newZKey': {
      const hash: unknown = await zKey.newZKey(request.r1cs, request.ptau, request.zkey);
      // The library reports a circuit that is too big, or an unprepared file, by a number.
      if (hash === -1) throw new Error('the powers-of-tau file is too small for this circuit, or not prepared for phase 2');
      return true;
    }
    case 'contribute':
      await zKey.contribute(request.from, request.to, request.name, request.entropy);
      return true;
    case 'beacon': {
      const hash: unknown = await zKey.beacon(request.from, request.to, request.name, request.hash, request.iterations);
      if (hash === false) throw new Error('the beacon is not hex of 1 to 255 bytes, or its iterations are not 10 to 63');
      return true;
    }
    case 'verifyKey':
      return (await zKey.verifyFromR1cs(request.r1cs, request.ptau, request.zkey)) === true;
  }
}

serve<SnarkjsRequest>((request, progress) => {
  progress({ phase: request.call, done: 0, total: 1 });
  return answer(request);
});
