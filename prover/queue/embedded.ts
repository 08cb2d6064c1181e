import type { StateDirectory } from '../../runtime/state-directory.ts';
import type { DeadJob, Job, JobHandler, NewJob, Queue } from './port.ts';

interface Entry {
  readonly kind: string;
  readonly data: unknown;
  readonly priority: number;
  /** Order of arrival. */
  readonly sequence: number;
  readonly limit: number;
  attempts: number;
  state: 'waiting' | 'dead';
  error?: string;
}

export interface EmbeddedQueueOptions {
  /** Milliseconds before the first retry; doubles with every further one, up to `longestDelay`. */
  readonly firstDelay?: number;
  readonly longestDelay?: number;
}

interface Worker {
  readonly concurrency: number;
  readonly handler: JobHandler;
}

/**
 * The queue in the node's own state directory, for one process: waiting jobs are kept in memory in order and on disk by
 * id. A job leaves the disk only when its handler has resolved, so one that was running at a `kill -9` runs again.
 */
export function embeddedQueue(state: StateDirectory, options: EmbeddedQueueOptions = {}): Queue {
  return new EmbeddedQueue(state, options.firstDelay ?? 500, options.longestDelay ?? 60_000);
}

class EmbeddedQueue implements Queue {
  private readonly entries = new Map<string, Entry>();
  private readonly active = new Map<string, Promise<void>>();
  private readonly delayed = new Map<string, NodeJS.Timeout>();
  private readonly workers = new Map<string, Worker>();
  private readonly abort = new AbortController();
  private sequence = 0;
  private readonly state: StateDirectory;
  private readonly firstDelay: number;
  private readonly longestDelay: number;

  constructor(state: StateDirectory, firstDelay: number, longestDelay: number) {
    this.state = state;
    this.firstDelay = firstDelay;
    this.longestDelay = longestDelay;
    for (const { key, value } of state.database.getRange({ start: ['job', ''], end: ['job', '\u{10ffff}'] })) {
      const entry = value as Entry;
      this.entries.set(key[1]!, entry);
      this.sequence = Math.max(this.sequence, entry.sequence + 1);
    }
  }

  async add(job: NewJob): Promise<boolean> {
    if (this.entries.has(job.id)) return false;
    const entry: Entry = {
      kind: job.kind,
      data: job.data,
      priority: job.priority ?? 0,
      sequence: this.sequence++,
      limit: job.attempts ?? 5,
      attempts: 0,
      state: 'waiting',
    };
    this.entries.set(job.id, entry);
    await this.save(job.id, entry);
    this.next(job.kind);
    return true;
  }

  work(kind: string, concurrency: number, handler: JobHandler): void {
    this.workers.set(kind, { concurrency, handler });
    this.next(kind);
  }

  async counts(kind: string): Promise<{ waiting: number; active: number; dead: number }> {
    const counts = { waiting: 0, active: 0, dead: 0 };
    for (const [id, entry] of this.entries) {
      if (entry.kind !== kind) continue;
      if (entry.state === 'dead') counts.dead++;
      else if (this.active.has(id)) counts.active++;
      else counts.waiting++;
    }
    return counts;
  }

  async dead(kind: string): Promise<DeadJob[]> {
    return [...this.entries]
      .filter(([, entry]) => entry.kind === kind && entry.state === 'dead')
      .sort(([, a], [, b]) => a.sequence - b.sequence)
      .map(([id, entry]) => ({ ...jobOf(id, entry), error: entry.error ?? '' }));
  }

  async replay(id: string): Promise<boolean> {
    const entry = this.entries.get(id);
    if (entry?.state !== 'dead') return false;
    entry.state = 'waiting';
    entry.attempts = 0;
    await this.save(id, entry);
    this.next(entry.kind);
    return true;
  }

  async close(): Promise<void> {
    this.abort.abort();
    for (const timer of this.delayed.values()) clearTimeout(timer);
    this.delayed.clear();
    await Promise.all(this.active.values());
    await this.state.database.flushed;
  }

  private async save(id: string, entry: Entry): Promise<void> {
    await this.state.database.put(['job', id], entry);
    await this.state.database.flushed;
  }

  /** Starts as many jobs of a kind as its worker has room for. */
  private next(kind: string): void {
    const worker = this.workers.get(kind);
    if (worker === undefined || this.abort.signal.aborted) return;
    const ready = [...this.entries]
      .filter(([id, entry]) => entry.kind === kind && entry.state === 'waiting' && !this.active.has(id) && !this.delayed.has(id))
      .sort(([, a], [, b]) => b.priority - a.priority || a.sequence - b.sequence);
    const running = [...this.active.keys()].filter((id) => this.entries.get(id)?.kind === kind).length;
    for (const [id, entry] of ready.slice(0, Math.max(0, worker.concurrency - running))) {
      this.active.set(id, this.run(id, entry, worker.handler));
    }
  }

  private async run(id: string, entry: Entry, handler: JobHandler): Promise<void> {
    entry.attempts++;
    try {
      await handler(jobOf(id, entry), this.abort.signal);
      this.entries.delete(id);
      await this.state.database.remove(['job', id]);
    } catch (error) {
      await this.failed(id, entry, error);
    }
    this.active.delete(id);
    this.next(entry.kind);
  }

  private async failed(id: string, entry: Entry, error: unknown): Promise<void> {
    // Stopped by us: not the job's failure.
    if (this.abort.signal.aborted) entry.attempts--;
    entry.error = error instanceof Error ? error.message : String(error);
    if (entry.attempts >= entry.limit) entry.state = 'dead';
    await this.save(id, entry);
    if (entry.state === 'dead' || this.abort.signal.aborted) return;
    const delay = Math.min(this.longestDelay, this.firstDelay * 2 ** (entry.attempts - 1));
    this.delayed.set(
      id,
      setTimeout(() => {
        this.delayed.delete(id);
        this.next(entry.kind);
      }, delay),
    );
  }
}

function jobOf(id: string, entry: Entry): Job {
  return { id, kind: entry.kind, data: entry.data, priority: entry.priority, attempts: entry.attempts };
}
