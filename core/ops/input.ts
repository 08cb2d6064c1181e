import { AssayError } from '../errors.ts';
import { type Operation, requireParameters, requireSources } from './operation.ts';

/** A network input: its tensor is given, never computed, so it has no step and cannot be disputed. */
export const input: Operation<'input'> = {
  validate(instruction, sources) {
    requireSources('input', sources, 0);
    requireParameters('input', instruction.parameters, 0);
  },
  execute() {
    throw new AssayError('An input is given, not computed', { code: 'INPUT_NOT_COMPUTED' });
  },
  step() {
    throw new AssayError('An input is given, not computed', { code: 'INPUT_NOT_COMPUTED' });
  },
};
