/**
 * A process that removes what is old from the state directory it is given: `retention-worker.ts DIRECTORY SECOND`. Prints `round` when it
 * begins one, and `ended` when nothing is left to remove.
 */
import { embeddedStore } from '../../prover/store/embedded.ts';
import { openStateDirectory } from '../../runtime/state-directory.ts';
import { retentionOf } from './retention.ts';

const [directory = '', second = '0'] = process.argv.slice(2);
const store = embeddedStore(openStateDirectory(directory, 'node'));
do {
  process.stdout.write('round\n');
} while (await retentionOf(store).round(Number(second)));
process.stdout.write('ended\n');
process.exit(0);
