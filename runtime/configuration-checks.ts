import { accessSync, constants, statSync } from 'node:fs';
import path from 'node:path';
import type { ConfigProblem } from './configuration.ts';

/** What no schema can say of the members that several processes share. Members may be malformed here, which the schema tells by itself. */

export type Given = Readonly<Record<string, unknown>>;
export type Environment = Readonly<Record<string, string | undefined>>;
/** A member, the file that it names, and what to do when that cannot be read. */
export type NamedFile = readonly [path: string, file: unknown, fix: string];

/** @param variable that may hold the key too */
export function keyGivenTwice(given: Given, environment: Environment, variable: string): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  if (given.keystore !== undefined && isSet(environment[variable])) {
    problems.push({
      path: 'keystore',
      message: `is given, and so is ${variable}: which key is meant is not clear`,
      fix: 'leave one of the two out',
    });
  }
  if (isSet(environment.ASSAY_KEYSTORE_PASSWORD) && memberOf(given.keystore, 'passwordFile') !== undefined) {
    problems.push({
      path: 'keystore.passwordFile',
      message: 'is given, and so is ASSAY_KEYSTORE_PASSWORD',
      fix: 'leave one of the two out',
    });
  }
  return problems;
}

/** Files of whoever speaks with the chain. */
export function filesOfChain(given: Given): NamedFile[] {
  return [
    ['deployment', given.deployment, 'name the file that `assay deploy` wrote'],
    ['keystore.file', memberOf(given.keystore, 'file'), 'name an encrypted key file that this user may read'],
    ['keystore.passwordFile', memberOf(given.keystore, 'passwordFile'), 'name a file that this user may read'],
  ];
}

export function unreadableFiles(files: readonly NamedFile[]): ConfigProblem[] {
  return files.flatMap(([member, file, fix]) => {
    const reason = typeof file === 'string' ? unreadableReason(file) : undefined;
    return reason === undefined ? [] : [{ path: member, message: `${String(file)} ${reason}`, fix }];
  });
}

function unreadableReason(file: string): string | undefined {
  try {
    if (!statSync(file).isFile()) return 'is no file';
    accessSync(file, constants.R_OK);
    return undefined;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' || code === 'ENOTDIR' ? 'does not exist' : `cannot be read (${code})`;
  }
}

/** A directory that is not there yet is made at start: the nearest one above must take it. */
export function dataUnwritable(given: Given): ConfigProblem[] {
  if (typeof given.data !== 'string' || given.data === '') return [];
  const problem = (message: string): ConfigProblem[] => [
    { path: 'data', message, fix: 'name a directory that this user may write to, and correct its owner' },
  ];
  let at = path.resolve(given.data);
  for (;;) {
    try {
      if (!statSync(at).isDirectory()) return problem(`${at} is no directory`);
      accessSync(at, constants.W_OK | constants.X_OK);
      return [];
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOTDIR') at = path.dirname(at);
      else if (code !== 'ENOENT') return problem(`${at} cannot be written to (${code})`);
      else if (at === path.dirname(at)) return problem(`${at} does not exist`);
      else at = path.dirname(at);
    }
  }
}

export function memberOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && value !== '';
}
