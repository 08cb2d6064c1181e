import { readFileSync, existsSync, appendFileSync } from 'node:fs';
import { setupDevelopment } from '/work/main/circuits/setup.ts';
import { prove } from '/work/main/circuits/prove.ts';
import { verifyProof, readVerificationKey } from '/work/main/circuits/verify.ts';
import { decodeProgram } from '/work/main/core/program/codec.ts';
import { randomInputs, random } from '/work/main/test/circuits/build.ts';
import { estimateCircuit } from '/work/main/circuits/compile.ts';
for (const name of process.argv.slice(2)) {
  const dir = `/tmp/zkc/${name}`;
  if (!existsSync(dir + '/program.assay')) continue;
  try {
    const p = decodeProgram(new Uint8Array(readFileSync(dir + '/program.assay')));
    const e = estimateCircuit(p);
    if (e.notInTier) { appendFileSync('/tmp/zkc/e2e.log', `${name} NOT ${JSON.stringify(e.notInTier)}\n`); continue; }
    let t = performance.now();
    await setupDevelopment(dir, {}); const s = (performance.now() - t) / 1000; t = performance.now();
    const times: string[] = [];
    const r = await prove({ directory: dir, inputs: randomInputs(p, random(9)), context: 77n, onProgress: (x) => times.push(`${x.phase} ${((performance.now() - t) / 1000).toFixed(1)}`) });
    const pr = (performance.now() - t) / 1000;
    const v = await verifyProof({ key: await readVerificationKey(dir), proof: r.proof, publicSignals: r.publicSignals });
    appendFileSync('/tmp/zkc/e2e.log', `${name} constraints ${e.constraints} activations ${e.report!.activations} signals ${r.publicSignals.length} setup ${s.toFixed(1)} prove ${pr.toFixed(1)} [${times.join(', ')}] ${JSON.stringify(v)}\n`);
  } catch (error) { appendFileSync('/tmp/zkc/e2e.log', `${name} FAILED ${(error as Error).message} ${JSON.stringify((error as any).facts)}\n`); }
}
