import { inputForms, listBytes } from '../../core/tensor-list.ts';
import type { Log } from '../../runtime/log.ts';
import { fetchPublic } from '../../runtime/public-fetch.ts';
import type { ServedModel } from '../models/catalog.ts';
import type { InputStore } from '../records/inputs.ts';

export interface InputFetcherParts {
  readonly inputs: InputStore;
  readonly log: Log;
  arrived(names: readonly (string | null)[]): Promise<void>;
}

const AT_ONCE = 4;
const TIMEOUT = 20_000;

/** Fetches inputs from where requesters say they are. Strangers name the places: https, public addresses, bounded; bytes are checked by their hash. */
export class InputFetcher {
  private readonly parts: InputFetcherParts;
  private readonly running = new Map<string, Promise<void>>();
  private readonly abort = new AbortController();

  constructor(parts: InputFetcherParts) {
    this.parts = parts;
  }

  /** Begins unless it is being fetched, or too much is; who waits for the input asks again. @param name input root or commitment */
  fetch(model: ServedModel, name: string, uri: string): void {
    if (this.running.has(name) || this.running.size >= AT_ONCE || this.abort.signal.aborted) return;
    const run = this.run(model, name, uri)
      .catch((error) => this.parts.log.info({ input: name, error }, 'the input of a request is not where it is said to be'))
      .finally(() => this.running.delete(name));
    this.running.set(name, run);
  }

  async stop(): Promise<void> {
    this.abort.abort();
    await Promise.all(this.running.values());
  }

  private async run(model: ServedModel, name: string, uri: string): Promise<void> {
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
