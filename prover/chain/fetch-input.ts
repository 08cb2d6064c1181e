import { inputForms, listBytes } from '../../core/tensor-list.ts';
import type { Log } from '../../runtime/log.ts';
import { fetchPublic } from '../../runtime/public-fetch.ts';
import type { ServedModel } from '../models/catalog.ts';
import type { InputStore } from '../records/inputs.ts';
import { Chances } from './chances.ts';

export interface InputFetcherParts {
  readonly inputs: InputStore;
  readonly log: Log;
  arrived(names: readonly (string | null)[]): Promise<void>;
}

const AT_ONCE = 4;
const MOST_WAITING = 4_096;
/** Milliseconds. */
const TIMEOUT = 20_000;
const FIRST_PAUSE = 50_000;

interface Wanted {
  readonly model: ServedModel;
  /** Input root or commitment. */
  readonly name: string;
  readonly uri: string;
}

/**
 * Fetches inputs from where requesters say they are. Strangers name the places: https, public addresses, bounded; bytes are checked by their
 * hash. In the order in which they are asked for, and those that were not there after pauses that double, so that no number of places which
 * do not answer keeps others from being asked.
 */
export class InputFetcher {
  private readonly parts: InputFetcherParts;
  /** By name and place: who names a place where nothing is must not speak for others. */
  private readonly waiting = new Map<string, Wanted>();
  private readonly running = new Map<string, Promise<void>>();
  private readonly chances = new Chances(FIRST_PAUSE);
  private readonly abort = new AbortController();

  constructor(parts: InputFetcherParts) {
    this.parts = parts;
  }

  /** Begins when there is room, unless it is too soon after a failure; who waits for the input asks again. @param name input root or commitment */
  fetch(model: ServedModel, name: string, uri: string): void {
    const key = `${name} ${uri}`;
    if (this.running.has(key) || this.waiting.has(key) || this.waiting.size >= MOST_WAITING || !this.chances.isDue(key)) return;
    this.waiting.set(key, { model, name, uri });
    this.next();
  }

  async stop(): Promise<void> {
    this.abort.abort();
    await Promise.all(this.running.values());
  }

  private next(): void {
    for (const [key, wanted] of this.waiting) {
      if (this.running.size >= AT_ONCE || this.abort.signal.aborted) return;
      this.waiting.delete(key);
      const run = this.run(wanted)
        .catch((error) => this.parts.log.info({ input: wanted.name, error }, 'the input of a request is not where it is said to be'))
        .finally(() => {
          this.chances.note(key);
          this.running.delete(key);
          this.next();
        });
      this.running.set(key, run);
    }
  }

  private async run({ model, name, uri }: Wanted): Promise<void> {
    const { inputs, log, arrived } = this.parts;
    const mostBytes = listBytes(inputForms(model.program));
    const bytes = await fetchPublic(uri, { mostBytes, timeout: TIMEOUT }, this.abort.signal);
    if (bytes?.length !== mostBytes) {
      log.info({ input: name }, 'the input of a request is not where it is said to be');
      return;
    }
    const names = await inputs.accept(model, bytes);
    if (names.inputRoot !== name && names.commitment !== name)
      log.info({ input: name }, 'other bytes than a request names are where its input should be');
    await arrived([names.inputRoot, names.commitment]);
  }
}
