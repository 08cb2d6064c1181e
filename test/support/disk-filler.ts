/**
 * Fills the disk below a folder: `disk-filler.ts FOLDER [RESERVE]` writes documents, jobs and artifacts until each is refused, removes a ballast,
 * goes on, and prints as JSON what was acknowledged, how it was refused and what is there after a reopening.
 */
import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { embeddedQueue } from '../../prover/queue/embedded.ts';
import { embeddedStore } from '../../prover/store/embedded.ts';
import { openArtifacts } from '../../runtime/artifacts.ts';
import { openStateDirectory } from '../../runtime/state-directory.ts';

const folder = process.argv[2] ?? '';
const reserve = Number(process.argv[3] ?? 16 << 20);
const ballast = path.join(folder, 'ballast');
writeFileSync(ballast, new Uint8Array(2_000_000));
const document = { text: 'x'.repeat(3_000) };
let state = openStateDirectory(path.join(folder, 'state'), 'node', reserve);
let store = embeddedStore(state);
let queue = embeddedQueue(state);
const artifacts = openArtifacts(path.join(folder, 'artifacts'), reserve);
const refused: Record<string, string> = {};
const documents: string[] = [];
const jobs: string[] = [];
/** More than fits. */
const MOST = 3_000;
const hashOf = (i: number): string => `0x${i.toString(16).padStart(64, '0')}`;

/** Does it again and again until it is refused. */
async function until(what: string, attempt: (i: number) => Promise<unknown>): Promise<number> {
  for (let i = 0; i < MOST; i++) {
    try {
      await attempt(i);
    } catch (error) {
      refused[what] = String((error as { code?: unknown }).code);
      return i;
    }
  }
  refused[what] = 'never';
  return MOST;
}

async function writeDocument(i: number): Promise<void> {
  const id = String(i).padStart(6, '0');
  await store.put('documents', id, document);
  documents.push(id);
}
async function addJob(i: number): Promise<void> {
  const id = `job-${String(i).padStart(6, '0')}`;
  await queue.add({ id, kind: 'work', data: document });
  jobs.push(id);
}

for (let i = 0; i < 20; i++) await addJob(i);
const firstRefused = await until('document', writeDocument);
await until('several at once', () => Promise.all(Array.from({ length: 20 }, (_, i) => store.put('several', String(i), document))));
await until('job', (i) => addJob(20 + i));
await until('change', () => store.update('documents', '000000', () => ({ text: 'y'.repeat(200_000) })));
const artifactsKept = await until('artifact', (i) => artifacts.put('inputs', hashOf(i), new Uint8Array(100_000)));
let worked = 0;
queue.work('work', 2, async () => void worked++);
await new Promise((resolve) => setTimeout(resolve, 500));
rmSync(ballast);
for (let i = 0; i < 20; i++) await writeDocument(firstRefused + i);
await addJob(jobs.length);
await queue.close();
await state.close();

state = openStateDirectory(path.join(folder, 'state'), 'node', reserve);
store = embeddedStore(state);
queue = embeddedQueue(state);
const held = new Map(await store.list<{ text: string }>('documents'));
const artifactsHeld = await Promise.all(
  Array.from({ length: artifactsKept }, async (_, i) => (await artifacts.get('inputs', hashOf(i)))?.length),
);
const result = {
  refused,
  worked,
  jobs: jobs.length,
  documents: documents.length,
  documentsLost: documents.filter((id) => held.get(id)?.text !== document.text).length,
  artifactsDamaged: artifactsHeld.filter((length) => length !== 100_000).length,
  jobsWaiting: (await queue.counts('work')).waiting,
};
await queue.close();
await state.close();
process.stdout.write(`${JSON.stringify(result)}\n`);
