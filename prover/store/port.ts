import { invariant } from '../../core/errors.ts';

/**
 * The node's memory: what it accepted, claimed, sent and promised. Collections of JSON documents by id, so that an
 * embedded file and a SQL table serve alike; both are held to one conformance suite (test/node/store-conformance.ts). Big bytes
 * (programs, inputs) are content-addressed artifacts, not documents. Collections and ids are text of 1..256 characters without NUL.
 * Everything throws, after some seconds of trying again: DISK_FULL, STORE_UNREACHABLE, STORE_FAILED.
 */
export interface Store {
  get<Document>(collection: string, id: string): Promise<Document | undefined>;
  /** Resolves when the document would survive `kill -9`. */
  put(collection: string, id: string, document: unknown): Promise<void>;
  /** Stores unless a document of that id is there; returns whether it stored. Atomic: this is where work is deduplicated. */
  putIfAbsent(collection: string, id: string, document: unknown): Promise<boolean>;
  /**
   * Reads, changes and stores as one step, whoever else writes: a document, or undefined to leave things as they are.
   * The change may be called more than once and must be pure. Resolves with the document as it is afterwards. What the change throws
   * comes out, and nothing is stored. Where a server broke off as it answered, a change may have been stored and then be made again on
   * top of others: a counter may skip, it never hands out a number twice.
   */
  update<Document>(
    collection: string,
    id: string,
    change: (document: Document | undefined) => Document | undefined,
  ): Promise<Document | undefined>;
  remove(collection: string, id: string): Promise<void>;
  /**
   * Removes the first documents, in order of id, whose ids come before one: all of them or none. Reads no document, and costs the same
   * however many there are. @returns how many it removed, `limit` at most
   */
  removeBelow(collection: string, before: string, limit: number): Promise<number>;
  /** Documents in order of id (bytes of UTF-8), from `after` (exclusive) on. */
  list<Document>(collection: string, options?: { readonly after?: string; readonly limit?: number }): Promise<[id: string, Document][]>;
  close(): Promise<void>;
}

/** Refuses a name that one of the adapters could not keep: the mistake of whoever uses it. */
export function checkName(name: string): void {
  invariant(name.length >= 1 && name.length <= 256 && !/\p{Cs}|\0/u.test(name), 'a name in the store is text of 1..256 characters');
}
