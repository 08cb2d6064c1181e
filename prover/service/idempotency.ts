import { createHash } from 'node:crypto';
import { AssayError } from '../../core/errors.ts';
import { dueKey, load, type Pointer } from '../records/documents.ts';
import { HTTP_COLLECTION, type IdempotencyDocument, idempotencyDocument } from '../records/http-documents.ts';
import type { Store } from '../store/port.ts';

/** What makes two questions the same one. */
export interface QuestionText {
  readonly caller: string;
  readonly key: string;
  /** Everything but the input that the answer depends on. */
  readonly terms: readonly string[];
  readonly input: Uint8Array;
}

/**
 * One answer for each key of a caller, also after a restart, and from whichever process is asked. An answer that is made twice at once,
 * by two processes, is given once: whoever stores its name first.
 */
export class Idempotency {
  private readonly store: Store;
  /** Questions that this process is working on, by id. */
  private readonly running = new Map<string, { readonly question: string; readonly answer: Promise<string> }>();

  constructor(store: Store) {
    this.store = store;
  }

  /**
   * Name of the one answer to this question.
   * @param make makes and stores an answer, and resolves with its name; not called where there is one already
   * @throws AssayError IDEMPOTENCY_CONFLICT where the key stands for another question
   */
  async answer(text: QuestionText, make: () => Promise<string>): Promise<string> {
    const id = createHash('sha256').update(`${text.caller}\n${text.key}`).digest('hex');
    const question = fingerprint(text);
    const running = this.running.get(id);
    if (running !== undefined) {
      if (running.question !== question) throw conflict();
      return running.answer;
    }
    const answer = this.once(id, question, make);
    this.running.set(id, { question, answer });
    try {
      return await answer;
    } finally {
      this.running.delete(id);
    }
  }

  private async once(id: string, question: string, make: () => Promise<string>): Promise<string> {
    const known = await this.known(id);
    if (known !== undefined) return same(known, question);
    const createdAt = Math.floor(Date.now() / 1000);
    // Where to find it when its time is over: there before the record is, however this process ends.
    const marked = this.store.put(HTTP_COLLECTION.idempotencyByTime, dueKey(createdAt, id), { id } satisfies Pointer);
    const [answer] = await Promise.all([make(), marked]);
    const document: IdempotencyDocument = { question, answer, createdAt };
    if (await this.store.putIfAbsent(HTTP_COLLECTION.idempotency, id, document)) return document.answer;
    const first = await this.known(id);
    return first === undefined ? document.answer : same(first, question);
  }

  private known(id: string): Promise<IdempotencyDocument | undefined> {
    return load(this.store, idempotencyDocument, HTTP_COLLECTION.idempotency, id);
  }
}

function same(known: IdempotencyDocument, question: string): string {
  if (known.question !== question) throw conflict();
  return known.answer;
}

function fingerprint({ terms, input }: QuestionText): string {
  const hash = createHash('sha256');
  // Terms have no line ends.
  for (const term of terms) hash.update(`${term}\n`);
  return hash.update(input).digest('hex');
}

function conflict(): AssayError {
  return new AssayError('This idempotency key stands for another question', {
    code: 'IDEMPOTENCY_CONFLICT',
    fix: 'take a new key for each question, and the same one only to repeat it',
  });
}
