import type { Instruction, Kind } from '../program/types.ts';
import type { ElementType } from '../tensor.ts';
import type { GraphBuilder, Value } from './graph.ts';

/** A tensor of the program inside the carrier: i16 and i32 both travel as i32. */
export interface Carried {
  readonly value: Value;
  readonly element: ElementType;
}

/**
 * Writes one instruction into the graph and returns the tensor it computes, in any shape of the right size, as u8 or i32.
 * Must be exact for every value of the source types, on every processor.
 */
export type Lowering<K extends Kind> = (g: GraphBuilder, instruction: Instruction<K>, sources: readonly Carried[]) => Value;
