import type { Trace } from '../../core/trace.ts';

/** Keeps the most recently used traces: recomputing one costs a run, keeping all costs the memory of all. */
export class TraceCache {
  private readonly held = new Map<string, Promise<Trace>>();
  private readonly load: (claimId: string) => Promise<Trace>;
  private readonly most: number;

  constructor(load: (claimId: string) => Promise<Trace>, most = 8) {
    this.load = load;
    this.most = most;
  }

  /** @throws whatever loading throws; a failure is not kept */
  get(claimId: string): Promise<Trace> {
    const held = this.held.get(claimId) ?? this.load(claimId);
    this.held.delete(claimId);
    this.held.set(claimId, held);
    held.catch(() => this.held.delete(claimId));
    for (const oldest of this.held.keys()) {
      if (this.held.size <= this.most) break;
      this.held.delete(oldest);
    }
    return held;
  }
}
