import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import type { Hex } from 'viem';
import type { LocalNet } from '../../cli/local-net.ts';
import { type Anvil, startAnvil } from '../../runtime/anvil.ts';

const ACCOUNTS = 20;

/** The chain of a test's network, which is killed, put back to what it was, and told another time. */
export class ShakyChain {
  private readonly net: LocalNet;
  private readonly folder = mkdtempSync(path.join(tmpdir(), 'assay-chain-'));
  private successor: Anvil | undefined;
  /** Height at which it came back: Anvil holds no state of blocks before. */
  private since = 0n;

  constructor(net: LocalNet) {
    this.net = net;
  }

  get pid(): number {
    return this.successor?.pid ?? this.net.chainPid;
  }

  /**
   * Killed (SIGKILL) some time after it was written down: it comes back as it was then, without the blocks made since and without what
   * waited for one. Anvil writes nothing by itself that would survive a kill, so this is how far a local chain can be durable.
   */
  async killed(milliseconds: { readonly since: number; readonly away: number }): Promise<void> {
    const written = (await this.rpc('anvil_dumpState', false)) as Hex;
    const file = path.join(this.folder, 'state.json');
    writeFileSync(file, gunzipSync(Buffer.from(written.slice(2), 'hex')));
    await pause(milliseconds.since);
    process.kill(this.pid, 'SIGKILL');
    await pause(milliseconds.away);
    const port = Number(new URL(this.net.rpc).port);
    this.successor = await startAnvil({ port, accounts: ACCOUNTS, blockTime: 1, arguments: ['--load-state', file] });
    this.since = await this.net.client.getBlockNumber();
  }

  /** The last blocks are replaced by others. @param keeps whether what was in them waits for a block again, or is gone */
  async reorganised(blocks: number, keeps: boolean): Promise<void> {
    while ((await this.net.client.getBlockNumber()) < this.since + BigInt(blocks) + 1n) await pause(500);
    const hashes: Hex[] = [];
    const head = Number(await this.rpc('eth_blockNumber'));
    for (let number = head - blocks + 1; number <= head; number++) {
      const block = (await this.rpc('eth_getBlockByNumber', `0x${number.toString(16)}`, false)) as { transactions: Hex[] } | null;
      hashes.push(...(block?.transactions ?? []));
    }
    const raw = keeps ? await Promise.all(hashes.map((hash) => this.rpc('eth_getRawTransactionByHash', hash))) : [];
    await this.rpc('anvil_reorg', blocks, []);
    // What was mined meanwhile, or no longer fits, is refused.
    for (const transaction of raw) await this.rpc('eth_sendRawTransaction', transaction).catch(() => undefined);
  }

  /** Its time jumps ahead. */
  ahead(seconds: number): Promise<unknown> {
    return this.rpc('evm_increaseTime', seconds);
  }

  async stop(): Promise<void> {
    await this.successor?.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  private rpc(method: string, ...params: unknown[]): Promise<unknown> {
    return this.net.client.request({ method: method as never, params: params as never });
  }
}
