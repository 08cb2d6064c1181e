import { encodeRescaleRows } from '../../core/ops/rescale.ts';
import type { AnyInstruction, Program } from '../../core/program/types.ts';
import { programOf } from './instructions.ts';
import type { Random } from './random.ts';

/** A feature map: the position of its tensor and its size. */
interface Features {
  readonly position: number;
  readonly side: number;
  readonly channels: number;
}

/** Builds networks with random weights: real shapes, meaningless answers. */
class Network {
  readonly instructions: AnyInstruction[] = [];
  private readonly r: Random;

  constructor(r: Random) {
    this.r = r;
  }

  private add(instruction: AnyInstruction): number {
    // The input is tensor 0.
    return this.instructions.push(instruction);
  }

  convolution(x: Features, channels: number, kernel: number, stride: number, groups = 1): Features {
    const side = Math.ceil(x.side / stride);
    const pad = Math.max(0, (side - 1) * stride + kernel - x.side);
    const position = this.add({
      kind: 'linear',
      type: 'u8',
      length: side * side * channels,
      sources: [x.position],
      attributes: {
        ...this.window(x, side, kernel, stride, Math.floor(pad / 2)),
        outChannels: channels,
        groups,
        zeroPoint: 0,
        weightBytes: 1,
        low: 0,
        high: 255,
      },
      parameters: this.weights(kernel * kernel * (x.channels / groups), channels),
    });
    return { position, side, channels };
  }

  residual(a: Features, b: Features): Features {
    const position = this.add({
      kind: 'rescale',
      type: 'u8',
      length: a.side * a.side * a.channels,
      sources: [a.position, b.position],
      attributes: { channels: 1, channelInner: 1, shift: 6, zeroPointA: 0, zeroPointB: 0, innerB: 1, low: 0, high: 255 },
      parameters: encodeRescaleRows([{ multiplierA: 37, multiplierB: 29, bias: -100 }]),
    });
    return { ...a, position };
  }

  averagePool(x: Features): Features {
    const position = this.add({
      kind: 'sum',
      type: 'u8',
      length: x.channels,
      sources: [x.position],
      attributes: {
        ...this.window(x, 1, x.side, 1, 0),
        zeroPoint: 0,
        multiplier: 1,
        shift: Math.round(Math.log2(x.side * x.side)),
        bias: 0,
        low: 0,
        high: 255,
      },
      parameters: new Uint8Array(),
    });
    return { position, side: 1, channels: x.channels };
  }

  dense(x: Features, channels: number): Features {
    const position = this.add({
      kind: 'linear',
      type: 'i32',
      length: channels,
      sources: [x.position],
      attributes: {
        ...this.window({ ...x, channels: x.side * x.side * x.channels, side: 1 }, 1, 1, 1, 0),
        outChannels: channels,
        groups: 1,
        zeroPoint: 0,
        weightBytes: 1,
        low: -2147483648,
        high: 2147483647,
      },
      parameters: this.weights(x.side * x.side * x.channels, channels, 0),
    });
    return { position, side: 1, channels };
  }

  private window(x: Features, side: number, kernel: number, stride: number, pad: number) {
    return {
      batch: 1,
      height: x.side,
      width: x.side,
      channels: x.channels,
      outHeight: side,
      outWidth: side,
      kernelHeight: kernel,
      kernelWidth: kernel,
      strideHeight: stride,
      strideWidth: stride,
      dilationHeight: 1,
      dilationWidth: 1,
      padTop: pad,
      padLeft: pad,
    };
  }

  private weights(
    fanIn: number,
    channels: number,
    shift = Math.max(1, Math.min(14, Math.round(Math.log2(Math.sqrt(fanIn) * 32)))),
  ): Uint8Array {
    const view = new DataView(new ArrayBuffer((fanIn + 5) * channels));
    for (let o = 0; o < channels; o++) {
      const at = o * (fanIn + 5);
      for (let i = 0; i < fanIn; i++) view.setInt8(at + i, this.r.integer(-64, 64));
      view.setInt32(at + fanIn, this.r.integer(-2000, 6000), true);
      view.setUint8(at + fanIn + 4, shift);
    }
    return new Uint8Array(view.buffer);
  }
}

/** The shape of MLPerf Tiny's ResNet-8 on 32×32 colour images: 12.5 million multiply-adds. */
export function resnet8(r: Random): Program {
  const net = new Network(r);
  let x = net.convolution({ position: 0, side: 32, channels: 3 }, 16, 3, 1);
  for (const channels of [16, 32, 64]) {
    const stride = channels === 16 ? 1 : 2;
    const inner = net.convolution(net.convolution(x, channels, 3, stride), channels, 3, 1);
    x = net.residual(inner, stride === 1 ? x : net.convolution(x, channels, 1, stride));
  }
  net.dense(net.averagePool(x), 10);
  return programOf([{ type: 'u8', length: 32 * 32 * 3 }], net.instructions);
}

/** MobileNetV1 0.25 on 96×96 (visual wake words): depthwise and pointwise convolutions, 7.5 million multiply-adds. */
export function mobilenet(r: Random): Program {
  const net = new Network(r);
  let x = net.convolution({ position: 0, side: 96, channels: 3 }, 8, 3, 2);
  const blocks: readonly (readonly [number, number])[] = [
    [16, 1],
    [32, 2],
    [32, 1],
    [64, 2],
    [64, 1],
    [128, 2],
    [128, 1],
    [128, 1],
    [128, 1],
    [128, 1],
    [128, 1],
    [256, 2],
    [256, 1],
  ];
  for (const [channels, stride] of blocks) x = net.convolution(net.convolution(x, x.channels, 3, stride, x.channels), channels, 1, 1);
  net.dense(net.averagePool(x), 2);
  return programOf([{ type: 'u8', length: 96 * 96 * 3 }], net.instructions);
}
