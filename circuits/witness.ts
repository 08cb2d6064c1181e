import { AssayError } from '../core/errors.ts';
import { outputsOf } from '../core/execute.ts';
import type { Program } from '../core/program/types.ts';
import { inputCount } from '../core/program/validate.ts';
import type { TypedArray } from '../core/tensor.ts';
import { joinTensors } from '../core/tensor-list.ts';
import { packBytes } from '../core/zk-encoding.ts';
import { Assignment, firstViolation } from './assignment.ts';
import type { CompiledCircuit } from './compile.ts';
import { FIELD_PRIME } from './field.ts';
import { runHints } from './hints.ts';

function joinInputs(program: Program, tensors: readonly TypedArray[]): Float64Array {
  return Float64Array.from(tensors.slice(0, inputCount(program)).flatMap((tensor) => Array.from(tensor)));
}

/** Values of the public signals, in order, without the constant one. */
export function publicSignals(circuit: CompiledCircuit, witness: Assignment): bigint[] {
  return Array.from({ length: circuit.layout.count }, (_, i) => witness.get(1 + i));
}

/** @throws AssayError unless the circuit's output signals are the packed bytes of the executor's outputs. */
function checkOutputs(circuit: CompiledCircuit, program: Program, tensors: readonly TypedArray[], witness: Assignment): void {
  const { inputSignals, outputSignals } = circuit.layout;
  const signals = publicSignals(circuit, witness).slice(1 + inputSignals);
  const expected = packBytes(joinTensors(outputsOf(program, tensors)));
  if (expected.length === outputSignals && expected.every((value, i) => value === signals[i])) return;
  throw new AssayError('The circuit computes other outputs than the executor', {
    code: 'WITNESS_MISMATCH',
    facts: { program: program.interface.name },
    fix: 'give the tensors of an unchanged run of this program; if they are, this is a defect: please report it',
  });
}

/**
 * Computes all wires from the inputs by the circuit's hints, then checks every row and that the outputs are the executor's bit for
 * bit: snarkjs would prove a wrong witness without a word.
 * @param tensors all tensors of a run, as `execute` returns them
 * @param context the first public signal, below the field's prime
 * @throws AssayError WITNESS_MISMATCH, CONTEXT_RANGE. Cost: linear in the terms of the circuit.
 */
export function buildWitness(circuit: CompiledCircuit, program: Program, tensors: readonly TypedArray[], context: bigint): Assignment {
  if (context < 0n || context >= FIELD_PRIME) {
    throw new AssayError('The context is not a field element', { code: 'CONTEXT_RANGE', fix: 'give a hash shifted right by eight bits' });
  }
  const witness = new Assignment(circuit.system.wireCount);
  runHints(circuit.system, witness, { context, inputs: joinInputs(program, tensors) });
  checkOutputs(circuit, program, tensors, witness);
  requireSatisfied(circuit, witness);
  return witness;
}

/** @throws AssayError WITNESS_MISMATCH naming what the first violated row is for. */
export function requireSatisfied(circuit: CompiledCircuit, witness: Assignment): void {
  const row = firstViolation(circuit.system, witness);
  if (row === undefined) return;
  throw new AssayError('The witness does not satisfy the circuit', {
    code: 'WITNESS_MISMATCH',
    facts: { row, purpose: circuit.system.purposeOf(row) },
    fix: 'give inputs of the declared types; if they are, this is a defect: please report it',
  });
}
