import type { ConfigProblem } from '../runtime/configuration.ts';
import {
  dataUnwritable,
  type Environment,
  filesOfChain,
  type Given,
  keyGivenTwice,
  unreadableFiles,
} from '../runtime/configuration-checks.ts';

/** What the schema of a challenger's configuration cannot say: members that contradict each other, and files that are not there. */
export function challengerConfigProblems(given: Given, environment: Environment): ConfigProblem[] {
  return [...keyGivenTwice(given, environment, 'ASSAY_CHALLENGER_KEY'), ...unreadableFiles(filesOfChain(given)), ...dataUnwritable(given)];
}
