/**
 * The node's memory: what it accepted, claimed, sent and promised. Collections of JSON documents by id, so that an
 * embedded file and a SQL table serve alike. Big bytes (programs, inputs) are content-addressed files, not documents.
 */
export interface Store {
  get<Document>(collection: string, id: string): Promise<Document | undefined>;
  /** Resolves when the document would survive `kill -9`. */
  put(collection: string, id: string, document: unknown): Promise<void>;
  /** Stores unless a document of that id is there; returns whether it stored. Atomic: this is where work is deduplicated. */
  putIfAbsent(collection: string, id: string, document: unknown): Promise<boolean>;
  /**
   * Reads, changes and stores as one step, whoever else writes: a document, or undefined to leave things as they are.
   * The change may be called more than once and must be pure. Resolves with the document as it is afterwards.
   */
  update<Document>(
    collection: string,
    id: string,
    change: (document: Document | undefined) => Document | undefined,
  ): Promise<Document | undefined>;
  remove(collection: string, id: string): Promise<void>;
  /** Documents in order of id, from `after` (exclusive) on. */
  list<Document>(collection: string, options?: { readonly after?: string; readonly limit?: number }): Promise<[id: string, Document][]>;
  close(): Promise<void>;
}
