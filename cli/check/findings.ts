import { AssayError } from '../../core/errors.ts';
import { ConfigError } from '../../runtime/configuration.ts';
import { within } from '../../runtime/within.ts';
import { presentable } from '../exit.ts';

export type Status = 'ok' | 'warn' | 'fail';

/** One thing that `assay node check` or `assay challenger check` looked at. */
export interface Finding {
  /** What was looked at: `chain`, `model 0x12ab…`. */
  readonly what: string;
  readonly status: Status;
  readonly message: string;
  /** What to do; for warnings and failures. */
  readonly fix?: string;
}

/** Tells of each finding as soon as it is made. */
export interface Report {
  ok(what: string, message: string): void;
  warn(what: string, message: string, fix: string): void;
  fail(what: string, message: string, fix: string): void;
  /** Runs a check; an error is a failure of what it looked at. @returns what it found out, undefined when it failed */
  look<Found>(what: string, check: () => Promise<Found>): Promise<Found | undefined>;
  readonly findings: readonly Finding[];
}

export function createReport(tell: (finding: Finding) => void): Report {
  const findings: Finding[] = [];
  const add = (finding: Finding): void => {
    findings.push(finding);
    tell(finding);
  };
  const failed = (what: string, error: unknown): void => {
    const { message, code, facts, fix } = presentable(error);
    const details = Object.entries(facts).map(([name, value]) => `${name}: ${String(value)}`);
    const inside = details.length === 0 ? '' : ` (${details.join(', ')})`;
    add({ what, status: 'fail', message: `${message}${inside} [${code}]`, fix: fix ?? 'see docs/errors.md' });
  };
  return {
    findings,
    ok: (what, message) => add({ what, status: 'ok', message }),
    warn: (what, message, fix) => add({ what, status: 'warn', message, fix }),
    fail: (what, message, fix) => add({ what, status: 'fail', message, fix }),
    look: async (what, check) => {
      try {
        return await answerWithin(LONGEST_CHECK, what, check());
      } catch (error) {
        failed(what, error);
        return undefined;
      }
    },
  };
}

/** A service that accepts a connection and says nothing must not hold up what comes after it. */
const LONGEST_CHECK = 60_000;

function answerWithin<Found>(milliseconds: number, what: string, work: Promise<Found>): Promise<Found> {
  const message = `No answer about ${what} in ${milliseconds / 1000} s`;
  return within(milliseconds, work, () => new AssayError(message, { code: 'CHECK_TIMEOUT', fix: 'see whether it hangs' }));
}

/** What was configured; undefined where that is wrong, which is all there is to tell then. */
export async function configurationOf<Config>(report: Report, load: () => Promise<Config>): Promise<Config | undefined> {
  try {
    return await load();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const { path, message, fix } of error.problems) report.fail('configuration', `${path || 'top'}: ${message}`, fix);
    return undefined;
  }
}

/** One line for people. */
export function lineOf({ what, status, message, fix }: Finding): string {
  const mark = { ok: 'ok  ', warn: 'WARN', fail: 'FAIL' }[status];
  return `${mark}  ${what}: ${message}${fix === undefined ? '' : `  Fix: ${fix}`}`;
}
