import { AssayError } from '../../core/errors.ts';

/** Milliseconds by which an endpoint may lag behind another that is behind the same address. */
const PATIENCE = 20_000;

/**
 * What was told of, and is not on chain where one looks: an endpoint that lags behind the one which told of it, or a reorganisation. For some
 * seconds it counts as the one, then as the other.
 */
export class Sightings {
  private readonly patience: number;
  /** When each was missed first; milliseconds of a clock that only goes forward. */
  private readonly missed = new Map<string, number>();

  constructor(patience = PATIENCE) {
    this.patience = patience;
  }

  /**
   * Something is not where it was told to be. Returns when that has been so for a while; who is thrown at looks again later.
   * @throws AssayError STATE_BEHIND
   */
  miss(name: string): void {
    const since = this.missed.get(name) ?? performance.now();
    this.missed.set(name, since);
    if (performance.now() >= since + this.patience) {
      this.found(name);
      return;
    }
    throw new AssayError('The chain does not show yet what one of its endpoints told of', {
      code: 'STATE_BEHIND',
      facts: { subject: name },
      fix: 'nothing, where it passes within seconds; else find out which endpoint lags behind the others',
    });
  }

  found(name: string): void {
    this.missed.delete(name);
  }
}
