import { InvalidArgumentError } from 'commander';
import { parseEther } from 'viem';

/** A whole number of at most ten digits. */
export function integer(text: string): number {
  if (!/^[0-9]{1,10}$/.test(text)) throw new InvalidArgumentError('must be a whole number');
  return Number(text);
}

/** A share from 0 to 1. */
export function share(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0 && value <= 1)) throw new InvalidArgumentError('must be a number from 0 to 1');
  return value;
}

/** An amount of ether, in wei. */
export function ether(text: string): bigint {
  if (!/^[0-9]{1,12}(\.[0-9]{1,18})?$/.test(text)) throw new InvalidArgumentError('must be an amount of ether such as 0.25');
  return parseEther(text);
}

/** 32 bytes of hex, lower case. */
export function hash(text: string): `0x${string}` {
  if (!/^0x[0-9a-fA-F]{64}$/.test(text)) throw new InvalidArgumentError('must be 0x and 64 hex digits');
  return text.toLowerCase() as `0x${string}`;
}

export function address(text: string): `0x${string}` {
  if (!/^0x[0-9a-fA-F]{40}$/.test(text)) throw new InvalidArgumentError('must be 0x and 40 hex digits');
  return text as `0x${string}`;
}
