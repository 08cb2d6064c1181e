import { InferenceSession, Tensor } from 'onnxruntime-node';
import { GraphBuilder } from '../../core/carrier/graph.ts';
import { selftest } from '../../runtime/selftest.ts';

/**
 * Whether this processor's kernels saturate the product that carriers avoid: 16 × 255·127 as u8×s8. It shows that an emulation
 * really runs the kernels without VNNI.
 */
async function saturates(): Promise<boolean> {
  const g = new GraphBuilder();
  const [rows, inner, columns] = [8, 16, 16];
  const x = g.input('x', 'u8', [rows, inner]);
  const weights = g.constant('i8', [inner, columns], new Int8Array(inner * columns).fill(127));
  g.output('y', g.node('MatMulInteger', [x, weights], { type: 'i32', dims: [rows, columns] }));
  const session = await InferenceSession.create(g.finish());
  const { y } = await session.run({ x: new Tensor('uint8', new Uint8Array(rows * inner).fill(255), [rows, inner]) });
  return y?.data[0] !== 255 * 127 * inner;
}

// Run under qemu by test/services/emulated-cpu.test.ts, which reads the one line.
console.log(JSON.stringify({ ...(await selftest({ threads: 1 })), saturates: await saturates() }));
