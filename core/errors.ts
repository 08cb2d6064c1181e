/** Facts that go with an error: short, printable, never secret. */
export type ErrorFacts = Readonly<Record<string, string | number | bigint | boolean | null>>;

export interface AssayErrorOptions {
  /** Stable upper-case code, listed in docs/errors.md. */
  readonly code: string;
  readonly facts?: ErrorFacts;
  /** One sentence: what the reader can do about it. */
  readonly fix?: string;
  readonly cause?: unknown;
}

/**
 * The one error class of the project: what happened (message), the facts, and how to fix it.
 * The command line prints `explain()`; nothing prints a bare stack to a user.
 */
export class AssayError extends Error {
  readonly code: string;
  readonly facts: ErrorFacts;
  readonly fix: string | undefined;

  constructor(message: string, options: AssayErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'AssayError';
    this.code = options.code;
    this.facts = options.facts ?? {};
    this.fix = options.fix;
  }

  /** One paragraph for a person. */
  explain(): string {
    const facts = Object.entries(this.facts).map(([name, value]) => `${name}: ${String(value)}`);
    const parts = [`${this.message} [${this.code}]`];
    if (facts.length > 0) parts.push(`(${facts.join(', ')})`);
    if (this.fix !== undefined) parts.push(`Fix: ${this.fix}`);
    return parts.join(' ');
  }
}

/** The error with further facts, such as which file it is about; any other thrown value as it is. */
export function withFacts(error: unknown, facts: ErrorFacts): unknown {
  if (!(error instanceof AssayError)) return error;
  const { message, code, fix } = error;
  return new AssayError(message, { code, facts: { ...facts, ...error.facts }, ...(fix === undefined ? {} : { fix }), cause: error });
}

/** Throws unless the condition holds; for states that only a defect of ours can produce. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition)
    throw new AssayError(message, { code: 'INTERNAL', fix: 'this is a defect: please report it with the command that led here' });
}
