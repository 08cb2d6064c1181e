import type { Attributes, Kind } from '../../core/program/types.ts';
import { type ElementType, TYPE_MAXIMUM, TYPE_MINIMUM } from '../../core/tensor.ts';
import type { Random } from './random.ts';

export type ComputedKind = Exclude<Kind, 'input'>;

/** A random instruction before it stands in a program. */
export interface Draft<K extends ComputedKind> {
  readonly type: ElementType;
  readonly length: number;
  readonly sources: readonly { type: ElementType; length: number }[];
  readonly attributes: Attributes<K>;
  readonly parameters?: Uint8Array;
}

export const TYPES: readonly ElementType[] = ['u8', 'i16', 'i32'];

export function clampRange(r: Random, type: ElementType): { low: number; high: number } {
  const [min, max] = [TYPE_MINIMUM[type], TYPE_MAXIMUM[type]];
  if (r.chance(0.6)) return { low: min, high: max };
  const low = r.extreme(min, max);
  return { low, high: r.integer(low, max) };
}

export function zeroPointFor(r: Random, type: 'u8' | 'i16'): number {
  return r.chance(0.3) ? 0 : r.extreme(TYPE_MINIMUM[type], TYPE_MAXIMUM[type]);
}

export function zeroPointAny(r: Random, type: ElementType): number {
  const style = r.integer(0, 9);
  if (style < 4) return 0;
  return style < 9 ? r.extreme(TYPE_MINIMUM[type], TYPE_MAXIMUM[type]) : r.extreme(-2147483648, 2147483647);
}
