export interface ChaosPlan {
  readonly seed: number;
  /** Asked on chain at the optimistic tier. */
  readonly requests: number;
  /** Asked on chain at the zk tier. */
  readonly proofs: number;
  /** Asked over HTTP, each under a key of its own, a few at the same time. */
  readonly receipts: number;
  /** Every so many-th claim is demanded of. */
  readonly demandEvery: number;
  /** Faults, one after the other; each kind once before any a second time. */
  readonly faults: number;
  /** Seconds over which questions are spread; about what the faults take. */
  readonly seconds: number;
}
