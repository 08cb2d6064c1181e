/** What a command prints: lines for people, or with --json one object a line. Results go to standard output, all else to standard error. */
export interface Output {
  readonly json: boolean;
  /** A result: `facts` as one JSON line, or the text. */
  result(facts: Readonly<Record<string, unknown>>, text: string): void;
  /** Progress for people; silent with --json. */
  progress(text: string): void;
}

/** bigint as decimal text: JSON has no integers that large. */
export function jsonLine(value: unknown): string {
  return JSON.stringify(value, (_, member: unknown) => (typeof member === 'bigint' ? member.toString() : member));
}

export function createOutput(json: boolean): Output {
  return {
    json,
    result: (facts, text) => {
      process.stdout.write(`${json ? jsonLine(facts) : text}\n`);
    },
    progress: (text) => {
      if (!json) process.stderr.write(`${text}\n`);
    },
  };
}
