import { encodeMap } from '../../core/ops/map.ts';
import { encodeRescaleRows } from '../../core/ops/rescale.ts';
import type { AnyInstruction, Program } from '../../core/program/types.ts';
import { type ElementType, TYPE_MAXIMUM, TYPE_MINIMUM } from '../../core/tensor.ts';
import { COMPUTED_KINDS, type ComputedKind, programOf, randomCase } from './instructions.ts';
import type { Random } from './random.ts';

/** Bytes of the one input. */
const INPUT_LENGTH = 64;

/** A tensor of any type and length made of the program's input: repeated by a map, spread over the type's range by a rescale. */
function spread(position: number, type: ElementType, length: number): AnyInstruction[] {
  const indices = Uint32Array.from({ length }, (_, e) => (e * 7 + length) % INPUT_LENGTH);
  const bytes: AnyInstruction = {
    kind: 'map',
    type: 'u8',
    length,
    sources: [0],
    attributes: {},
    parameters: encodeMap(indices, new Uint8Array()),
  };
  if (type === 'u8') return [bytes];
  const multiplierA = type === 'i16' ? 257 : 16_843_009;
  const wide: AnyInstruction = {
    kind: 'rescale',
    type,
    length,
    sources: [position],
    attributes: {
      channels: 1,
      channelInner: 1,
      shift: 0,
      zeroPointA: 0,
      zeroPointB: 0,
      innerB: 1,
      low: TYPE_MINIMUM[type],
      high: TYPE_MAXIMUM[type],
    },
    parameters: encodeRescaleRows([{ multiplierA, multiplierB: 0, bias: TYPE_MINIMUM[type] }]),
  };
  return [bytes, wide];
}

/** A valid program in which every instruction kind appears `rounds(kind)` times, all fed by one small input. */
export function allKinds(r: Random, rounds: (kind: ComputedKind) => number = () => 1): Program {
  const computed: AnyInstruction[] = [];
  for (const kind of COMPUTED_KINDS)
    for (let round = rounds(kind); round > 0; round--) {
      const { program, inputs } = randomCase(kind, r);
      const sources = inputs.map((_, i) => {
        const { type, length } = program.instructions[i]!;
        computed.push(...spread(computed.length + 1, type, length));
        return computed.length;
      });
      computed.push({ ...program.instructions.at(-1)!, sources });
    }
  return programOf([{ type: 'u8', length: INPUT_LENGTH }], computed);
}
