/** The parts of ffjavascript used here; the package ships no types. */
declare module 'ffjavascript' {
  export interface WasmCurveGroup {
    readonly g: Uint8Array;
    readonly gAffine: Uint8Array;
    toAffine(point: Uint8Array): Uint8Array;
    toObject(point: Uint8Array): bigint[];
    fromObject(point: unknown): Uint8Array;
    isValid(point: Uint8Array): boolean;
    isZero(point: Uint8Array): boolean;
    timesScalar(point: Uint8Array, scalar: bigint): Uint8Array;
    add(a: Uint8Array, b: Uint8Array): Uint8Array;
    neg(a: Uint8Array): Uint8Array;
  }
  export interface CurveMemory {
    readonly buffer: ArrayBuffer;
    grow(pages: number): number;
  }
  export interface ThreadManager {
    readonly instance: { readonly exports: Readonly<Record<string, (...args: number[]) => number>> };
    readonly memory: CurveMemory;
    alloc(bytes: number): number;
  }
  export interface Curve {
    readonly G1: WasmCurveGroup;
    readonly G2: WasmCurveGroup;
    readonly tm: ThreadManager;
    terminate(): Promise<void>;
  }
  export function buildBn128(singleThread: boolean): Promise<Curve>;
}

/** The parts of r1csfile used here; the package ships no types. */
declare module 'r1csfile' {
  export interface R1csFile {
    readonly nVars: number;
    readonly nOutputs: number;
    readonly nPubInputs: number;
    readonly nPrvInputs: number;
    readonly nConstraints: number;
    readonly F: { toObject(element: Uint8Array): bigint };
    readonly constraints: readonly (readonly Readonly<Record<string, Uint8Array>>[])[];
  }
  export function readR1cs(path: string, options: { loadConstraints: boolean; singleThread?: boolean }): Promise<R1csFile>;
}
