import { describe, expect, it } from 'vitest';
import { COLLECTION, dueKey, noteChainTime } from '../../prover/records/documents.ts';
import { HTTP_COLLECTION } from '../../prover/records/http-documents.ts';
import { Idempotency, type QuestionText } from '../../prover/service/idempotency.ts';
import { receiptName } from '../../prover/service/receipts.ts';
import type { Store } from '../../prover/store/port.ts';
import { DAY, retentionOf } from '../support/retention.ts';
import { type StoreUnderTest, storesOf } from './store-conformance.ts';

/** Some day of this project's life, unix seconds. */
const T0 = 1_795_000_000;
const id = (i: number): string => `0x${i.toString(16).padStart(64, '0')}`;

/** What every adapter of the store must lose, and keep, as time goes by. */
export function retentionConformance(name: string, create: () => Promise<StoreUnderTest>): void {
  describe(`retention in a ${name} store`, () => {
    const stores = storesOf(create);
    const start = async (): Promise<Store> => (await stores()).store;

    /** Both clocks at this second, and everything removed that is to be. */
    async function at(store: Store, second: number): Promise<void> {
      await noteChainTime(store, second);
      while (await retentionOf(store).round(second));
    }

    async function names(store: Store, collection: string): Promise<string[]> {
      return (await store.list(collection)).map(([each]) => each);
    }

    it('keeps a receipt until it expired and its days are over', async () => {
      const store = await start();
      const unsecured = receiptName(id(1), T0 * 1000);
      const secured = receiptName(id(2), T0 * 1000, T0 + DAY);
      // The chain was ten days ahead when it was given.
      const ahead = receiptName(id(3), T0 * 1000, T0 + 11 * DAY);
      for (const each of [unsecured, secured, ahead]) await store.put(COLLECTION.receipts, each, {});
      // Nobody can open one whose last second is over; until then none is touched.
      await at(store, T0 + 32 * DAY);
      expect(await names(store, COLLECTION.receipts)).toHaveLength(3);
      await at(store, T0 + 32 * DAY + 1);
      expect(await names(store, COLLECTION.receipts)).toEqual([ahead]);
      await at(store, T0 + 41 * DAY);
      expect(await names(store, COLLECTION.receipts)).toEqual([ahead]);
      await at(store, T0 + 41 * DAY + 1);
      expect(await names(store, COLLECTION.receipts)).toEqual([]);
    });

    it('waits for both clocks', async () => {
      const store = await start();
      await store.put(COLLECTION.receipts, receiptName(id(1), T0 * 1000), {});
      const late = T0 + 100 * DAY;
      const retention = retentionOf(store);
      // No block was seen yet.
      await retention.round(late);
      await noteChainTime(store, T0 + DAY);
      await retention.round(late);
      await noteChainTime(store, late);
      await retention.round(T0 + DAY);
      expect(await names(store, COLLECTION.receipts)).toHaveLength(1);
      await retention.round(late);
      expect(await names(store, COLLECTION.receipts)).toEqual([]);
    });

    it('keeps a proof until its deadline and its days are over', async () => {
      const store = await start();
      for (const [i, deadline] of [T0, T0 + 1].entries()) {
        const job = `job-${i}`;
        await store.put(HTTP_COLLECTION.jobsByTime, dueKey(deadline, job), { id: job });
        for (const collection of [COLLECTION.proofs, HTTP_COLLECTION.jobs, HTTP_COLLECTION.jobsOpen]) await store.put(collection, job, {});
      }
      // That of a request is no job.
      await store.put(COLLECTION.proofs, 'request-00000000000000000001', {});
      await at(store, T0 + 30 * DAY);
      expect(await names(store, HTTP_COLLECTION.jobs)).toEqual(['job-0', 'job-1']);
      await at(store, T0 + 30 * DAY + 1);
      expect(await names(store, HTTP_COLLECTION.jobs)).toEqual(['job-1']);
      await at(store, T0 + 31 * DAY);
      expect(await names(store, COLLECTION.proofs)).toEqual(['request-00000000000000000001']);
      for (const gone of [HTTP_COLLECTION.jobs, HTTP_COLLECTION.jobsOpen, HTTP_COLLECTION.jobsByTime])
        expect(await names(store, gone)).toEqual([]);
    });

    it('forgets idempotency keys after their days, not before, and counts from the answer that was given', async () => {
      const store = await start();
      const idempotency = new Idempotency(store);
      const text: QuestionText = { caller: 'key:one', key: 'k', terms: [], input: Uint8Array.of(1) };
      const ask = (answer: string): Promise<string> => idempotency.answer(text, async () => answer);
      const now = Math.floor(Date.now() / 1000);
      expect([await ask('first'), await ask('second')]).toEqual(['first', 'first']);
      const [record] = await names(store, HTTP_COLLECTION.idempotency);
      // A question that failed left its mark long before.
      await store.put(HTTP_COLLECTION.idempotencyByTime, dueKey(now - 6 * DAY, record!), { id: record });
      await store.put(HTTP_COLLECTION.idempotencyByTime, dueKey(now - 6 * DAY, 'nothing'), { id: 'nothing' });
      await at(store, now + 2 * DAY);
      expect(await names(store, HTTP_COLLECTION.idempotencyByTime)).toHaveLength(1);
      expect(await ask('third')).toBe('first');
      await at(store, now + 7 * DAY - 1);
      expect(await ask('fourth')).toBe('first');
      await at(store, now + 7 * DAY + 60);
      expect([await names(store, HTTP_COLLECTION.idempotency), await names(store, HTTP_COLLECTION.idempotencyByTime)]).toEqual([[], []]);
      expect(await ask('fifth')).toBe('fifth');
    });

    it('lets no question fail behind: what it left is removed, and the key is free', async () => {
      const store = await start();
      const idempotency = new Idempotency(store);
      const text: QuestionText = { caller: 'key:one', key: 'k', terms: [], input: Uint8Array.of(1) };
      await expect(idempotency.answer(text, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
      expect(await idempotency.answer(text, async () => 'yes')).toBe('yes');
      await at(store, Math.floor(Date.now() / 1000) + 8 * DAY);
      expect(await names(store, HTTP_COLLECTION.idempotencyByTime)).toEqual([]);
    });

    it('removes records before the answers that they name', async () => {
      const store = await start();
      for (let i = 0; i < 300; i++) {
        await store.put(HTTP_COLLECTION.idempotency, id(i), { question: '', answer: '', createdAt: T0 });
        await store.put(HTTP_COLLECTION.idempotencyByTime, dueKey(T0, id(i)), { id: id(i) });
      }
      await store.put(COLLECTION.receipts, receiptName(id(1), T0 * 1000), {});
      const late = T0 + 100 * DAY;
      await noteChainTime(store, late);
      expect(await retentionOf(store).round(late)).toBe(true);
      expect([(await names(store, HTTP_COLLECTION.idempotency)).length, (await names(store, COLLECTION.receipts)).length]).toEqual([44, 1]);
      expect(await retentionOf(store).round(late)).toBe(false);
      expect([(await names(store, HTTP_COLLECTION.idempotency)).length, (await names(store, COLLECTION.receipts)).length]).toEqual([0, 0]);
    });

    it('asks the store as often with many documents as with few, and removes a bounded number a round', async () => {
      const asked: number[] = [];
      for (const many of [300, 2_000]) {
        const store = await start();
        const all = Array.from({ length: many }, (_, i) => i);
        await Promise.all(all.map((i) => store.put(COLLECTION.receipts, receiptName(id(i), T0 * 1000 + i), {})));
        await Promise.all(all.map((i) => store.put(HTTP_COLLECTION.idempotencyByTime, dueKey(T0 + 1_000 * DAY, id(i)), { id: id(i) })));
        await noteChainTime(store, T0 + 40 * DAY);
        let calls = 0;
        const counting = new Proxy(store, {
          get: (target, member: keyof Store) => {
            calls++;
            return target[member];
          },
        });
        await retentionOf(counting).round(T0 + 40 * DAY);
        asked.push(calls);
        expect(await names(store, COLLECTION.receipts)).toHaveLength(many - 256);
      }
      expect(asked[1]).toBe(asked[0]);
      expect(asked[0]).toBeLessThan(10);
    });
  });
}
