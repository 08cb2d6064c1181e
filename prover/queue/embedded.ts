import { invariant } from '../../core/errors.ts';
import type { StateDirectory } from '../../runtime/state-directory.ts';
import { type Entry, kindOf, nameOf, placeOf, readEntries } from './embedded-record.ts';
import { Heap } from './heap.ts';
import { ATTEMPTS, checkJob, type DeadJob, damaged, type Job, type JobHandler, type NewJob, type Queue, type QueueCounts } from './port.ts';

/** The jobs of one kind, and who works on them. */
interface Line {
  readonly entries: Map<string, Entry>;
  /** Those that may start now; a delayed one comes back when its time is over. */
  readonly ready: Heap<Entry>;
  readonly running: Map<string, Promise<void>>;
  /** Places on the disk of what no node wrote, by the name that each goes under. */
  readonly damaged: Map<string, string[]>;
  dead: number;
  concurrency: number;
  handler: JobHandler | undefined;
}

export interface EmbeddedQueueOptions {
  /** Milliseconds before the first retry; doubles with every further one, up to `longestDelay`. */
  readonly firstDelay?: number;
  readonly longestDelay?: number;
  /** Told what could not be written when a job ended: that job runs again after a restart. */
  readonly onError?: (error: unknown) => void;
}

/**
 * The queue in the node's own state directory, for one process: jobs are kept in memory in order and on disk by id. A job leaves the
 * disk only when its handler has resolved, so one that was running at a `kill -9` runs again. Starting a job costs the logarithm of
 * how many wait.
 */
export function embeddedQueue(state: StateDirectory, options: EmbeddedQueueOptions = {}): Queue {
  return new EmbeddedQueue(state, options);
}

class EmbeddedQueue implements Queue {
  private readonly lines = new Map<string, Line>();
  private readonly delayed = new Set<NodeJS.Timeout>();
  private readonly abort = new AbortController();
  private sequence = 0;
  private readonly state: StateDirectory;
  private readonly options: EmbeddedQueueOptions;

  constructor(state: StateDirectory, options: EmbeddedQueueOptions) {
    this.state = state;
    this.options = options;
    for (const { place, entry } of readEntries(state)) {
      const line = this.line(entry?.kind ?? kindOf(place));
      if (entry === undefined) {
        line.damaged.set(nameOf(place), place);
        continue;
      }
      line.entries.set(entry.id, entry);
      if (entry.state === 'dead') line.dead++;
      else line.ready.push(entry);
      this.sequence = Math.max(this.sequence, entry.sequence + 1);
    }
  }

  async add(job: NewJob): Promise<boolean> {
    checkJob(job);
    const line = this.line(job.kind);
    if (line.entries.has(job.id) || line.damaged.has(job.id)) return false;
    const entry: Entry = {
      kind: job.kind,
      id: job.id,
      data: job.data as Entry['data'],
      priority: job.priority ?? 0,
      sequence: this.sequence++,
      limit: job.attempts ?? ATTEMPTS,
      attempts: 0,
      state: 'waiting',
    };
    line.entries.set(job.id, entry);
    try {
      await this.save(entry);
    } catch (error) {
      line.entries.delete(job.id);
      throw error;
    }
    line.ready.push(entry);
    this.next(line);
    return true;
  }

  work(kind: string, concurrency: number, handler: JobHandler): void {
    const line = this.line(kind);
    invariant(line.handler === undefined, 'a kind of job has one handler');
    line.concurrency = concurrency;
    line.handler = handler;
    this.next(line);
  }

  async counts(kind: string): Promise<QueueCounts> {
    const { entries, running, damaged, dead } = this.line(kind);
    return { waiting: entries.size - running.size - dead, active: running.size, dead: dead + damaged.size };
  }

  async dead(kind: string, limit = 1_000): Promise<DeadJob[]> {
    const line = this.line(kind);
    const letters = [...line.entries.values()]
      .filter(({ state }) => state === 'dead')
      .sort((a, b) => a.sequence - b.sequence)
      .map((entry) => ({ ...jobOf(entry), isDamaged: false, error: entry.error ?? '' }));
    return [...[...line.damaged.keys()].map((id) => damaged(kind, id)), ...letters].slice(0, limit);
  }

  async replay(kind: string, id: string): Promise<boolean> {
    const line = this.line(kind);
    const entry = line.entries.get(id);
    if (entry?.state !== 'dead') return false;
    await this.save({ ...entry, state: 'waiting', attempts: 0 });
    // Another call may have been faster.
    if (entry.state !== 'dead') return false;
    entry.state = 'waiting';
    entry.attempts = 0;
    line.dead--;
    line.ready.push(entry);
    this.next(line);
    return true;
  }

  async remove(kind: string, id: string): Promise<boolean> {
    const line = this.line(kind);
    const entry = line.entries.get(id);
    const place = line.damaged.get(id) ?? (entry?.state === 'dead' ? placeOf(entry) : undefined);
    if (place === undefined) return false;
    await this.state.write((database) => database.remove(place), true);
    if (line.damaged.delete(id)) return true;
    // Another call may have been faster.
    if (entry?.state !== 'dead' || !line.entries.delete(id)) return false;
    line.dead--;
    return true;
  }

  async pause(kind: string): Promise<void> {
    const line = this.line(kind);
    line.concurrency = 0;
    await Promise.all(line.running.values());
  }

  async close(): Promise<void> {
    this.abort.abort();
    for (const timer of this.delayed) clearTimeout(timer);
    await Promise.all([...this.lines.values()].flatMap(({ running }) => [...running.values()]));
  }

  private line(kind: string): Line {
    const held = this.lines.get(kind);
    if (held !== undefined) return held;
    const ready = new Heap<Entry>((a, b) => a.priority > b.priority || (a.priority === b.priority && a.sequence < b.sequence));
    const line: Line = { entries: new Map(), ready, running: new Map(), damaged: new Map(), dead: 0, concurrency: 0, handler: undefined };
    this.lines.set(kind, line);
    return line;
  }

  private async save(entry: Entry): Promise<void> {
    await this.state.write((database) => database.put(placeOf(entry), entry));
  }

  /** Starts as many jobs as the line's worker has room for. */
  private next(line: Line): void {
    const { handler } = line;
    if (handler === undefined || this.abort.signal.aborted) return;
    while (line.running.size < line.concurrency) {
      const entry = line.ready.pop();
      if (entry === undefined) return;
      line.running.set(entry.id, this.run(line, entry, handler));
    }
  }

  private async run(line: Line, entry: Entry, handler: JobHandler): Promise<void> {
    entry.attempts++;
    try {
      await handler(jobOf(entry), this.abort.signal);
      // Out of sight only when it is off the disk: the same id may be added again at once.
      const removed = this.state.write((database) => database.remove(placeOf(entry)), true);
      await removed.catch((error) => this.options.onError?.(error));
      line.entries.delete(entry.id);
      line.running.delete(entry.id);
    } catch (error) {
      await this.failed(line, entry, error);
    }
    this.next(line);
  }

  private async failed(line: Line, entry: Entry, error: unknown): Promise<void> {
    // Stopped by us: not the job's failure.
    if (this.abort.signal.aborted) entry.attempts--;
    entry.error = (error instanceof Error ? error.message : String(error)).slice(0, 2_000);
    const isDead = entry.attempts >= entry.limit;
    if (isDead) entry.sequence = this.sequence++;
    await this.save({ ...entry, state: isDead ? 'dead' : 'waiting' }).catch((reason) => this.options.onError?.(reason));
    line.running.delete(entry.id);
    if (isDead) {
      entry.state = 'dead';
      line.dead++;
    } else if (!this.abort.signal.aborted) this.later(line, entry);
  }

  private later(line: Line, entry: Entry): void {
    const { firstDelay = 500, longestDelay = 60_000 } = this.options;
    const timer = setTimeout(
      () => {
        this.delayed.delete(timer);
        line.ready.push(entry);
        this.next(line);
      },
      Math.min(longestDelay, firstDelay * 2 ** (entry.attempts - 1)),
    );
    this.delayed.add(timer);
  }
}

function jobOf({ id, kind, data, priority, attempts }: Entry): Job {
  return { id, kind, data, priority, attempts };
}
