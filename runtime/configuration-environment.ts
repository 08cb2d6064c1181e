import { readFileSync } from 'node:fs';
import type { z } from 'zod';

type Schema = z.core.JSONSchema.BaseSchema;

/** What the variables of a node begin with. Those of other processes say so: one shell may serve both. */
export const NODE_PREFIX = 'ASSAY_';
export const CHALLENGER_PREFIX = 'ASSAY_CHALLENGER_';
/** Names that hosting platforms give these addresses. */
const ALIASES: Readonly<Record<string, string>> = { redis: 'REDIS_URL', database: 'DATABASE_URL' };

/** A member that a variable sets. */
export interface FromVariable {
  readonly variable: string;
  readonly path: readonly string[];
  readonly value: unknown;
}

/** `minimumFee` is ASSAY_MINIMUM_FEE, `keystore.file` ASSAY_KEYSTORE_FILE. */
export function variableName(path: readonly string[], prefix = NODE_PREFIX): string {
  return prefix + path.map((name) => name.replace(/([a-z])([A-Z][a-z])/g, '$1_$2').toUpperCase()).join('_');
}

/** Every variable that sets a member, or one within; of two for one member, the later goes before the earlier. */
export function variablesOf(
  members: Schema,
  prefix = NODE_PREFIX,
): readonly { readonly variable: string; readonly path: readonly string[]; readonly schema: Schema }[] {
  return Object.entries(members.properties ?? {}).flatMap(([name, schema]) => {
    if (typeof schema === 'boolean' || name.startsWith('$')) return [];
    const alias = ALIASES[name];
    const own = { variable: variableName([name], prefix), path: [name], schema };
    const inner = Object.entries(schema.properties ?? {}).flatMap(([member, of]) =>
      typeof of === 'boolean' ? [] : [{ variable: variableName([name, member], prefix), path: [name, member], schema: of }],
    );
    if (inner.length > 0) return inner;
    return alias === undefined ? [own] : [{ ...own, variable: alias }, own];
  });
}

/** A secret that should be in a file, and is not to be had from there. */
export interface SecretProblem {
  readonly path: string;
  readonly message: string;
  readonly fix: string;
}

/** REDIS_URL_FILE and DATABASE_URL_FILE name files whose text stands for the variable, as containers are given their secrets. */
export function readSecretFiles(
  members: Schema,
  environment: Readonly<Record<string, string | undefined>>,
): {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly problems: readonly SecretProblem[];
} {
  const read: Record<string, string> = {};
  const problems: SecretProblem[] = [];
  for (const [path, variable] of Object.entries(ALIASES)) {
    if (members.properties?.[path] === undefined) continue;
    const file = environment[`${variable}_FILE`] ?? '';
    if (file === '') continue;
    if ((environment[variable] ?? '') !== '') {
      problems.push({ path, message: `${variable} and ${variable}_FILE are both set`, fix: 'unset one of the two' });
      continue;
    }
    try {
      read[variable] = readFileSync(file, 'utf8').trim();
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      problems.push({
        path,
        message: `${variable}_FILE names ${file}, which cannot be read (${code})`,
        fix: 'correct the path or its permissions',
      });
    }
  }
  return { environment: { ...environment, ...read }, problems };
}

/** Members that the environment sets. An empty variable counts as not set. */
export function fromEnvironment(
  members: Schema,
  environment: Readonly<Record<string, string | undefined>>,
  prefix = NODE_PREFIX,
): FromVariable[] {
  return variablesOf(members, prefix).flatMap(({ variable, path, schema }) => {
    const text = environment[variable];
    return text === undefined || text === '' ? [] : [{ variable, path, value: typedText(text, schema) }];
  });
}

/** Variables of a process that mean nothing: most likely misspelt. @param others names with a meaning elsewhere */
export function unknownVariables(
  members: Schema,
  environment: Readonly<Record<string, string | undefined>>,
  others: readonly string[],
  prefix = NODE_PREFIX,
): string[] {
  const known = new Set([...variablesOf(members, prefix).map(({ variable }) => variable), ...others]);
  const isForeign = (name: string): boolean => prefix === NODE_PREFIX && name.startsWith(CHALLENGER_PREFIX);
  return Object.keys(environment)
    .filter((name) => name.startsWith(prefix) && !isForeign(name) && !known.has(name))
    .sort();
}

export function withEnvironment(given: Readonly<Record<string, unknown>>, variables: readonly FromVariable[]): Record<string, unknown> {
  const merged = { ...given };
  for (const { path, value } of variables) {
    const [name, inner] = path as [string, string?];
    if (inner === undefined) merged[name] = value;
    else {
      const before = merged[name];
      merged[name] = { ...(typeof before === 'object' && before !== null ? before : {}), [inner]: value };
    }
  }
  return merged;
}

/** The variable that set a member or what it lies in. */
export function variableOf(variables: readonly FromVariable[], path: string): string | undefined {
  const names = path.split('.');
  return variables.findLast((known) => known.path.every((name, depth) => names[depth] === name))?.variable;
}

/** The schema of a member, by path; array positions are passed through. */
export function memberAt(schema: Schema, path: readonly string[]): Schema | undefined {
  let at: Schema | undefined = schema;
  for (const name of path) {
    const next: unknown = at?.properties?.[name] ?? (/^\d+$/.test(name) ? (at?.items ?? at) : undefined);
    at = typeof next === 'object' && next !== null ? (next as Schema) : undefined;
  }
  return at;
}

/** Text as the schema's type wants it; what does not fit stays text, for the schema to refuse. */
function typedText(text: string, schema: Schema): unknown {
  const types = [schema, ...(schema.anyOf ?? [])].map(({ type }) => type);
  if (types.includes('integer') || types.includes('number')) return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
  if (types.includes('boolean')) return text === 'true' ? true : text === 'false' ? false : text;
  if (!types.includes('array') && !types.includes('object')) return text;
  if (/^\s*[[{]/.test(text)) return parsed(text);
  return types.includes('array') ? text.split(/[\s,]+/).filter((entry) => entry !== '') : text;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
