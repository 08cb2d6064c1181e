import { describe, expect, it } from 'vitest';
import { TENSOR_ROOTS } from '../../core/dispute/units.ts';
import {
  type ClaimDocument,
  COLLECTION,
  demandKey,
  noteChainTime,
  orderedId,
  proofId,
  type RequestDocument,
  waitingKey,
} from '../../prover/records/documents.ts';
import { noteInHistory } from '../../prover/records/history.ts';
import type { Store } from '../../prover/store/port.ts';
import { DAY, retentionOf } from '../support/retention.ts';
import { type StoreUnderTest, storesOf } from './store-conformance.ts';

/** Some day of this project's life, unix seconds. */
const T0 = 1_795_000_000;
const MODEL = `0x${'11'.repeat(32)}`;
const INPUT = `0x${'22'.repeat(32)}`;
const RECEIPT = `0x${'ab'.repeat(32)}`;
/** Seconds from a request's deadline to the end of its claim. */
const LATER = 3 * DAY;

function request(requestId: string, change: Partial<RequestDocument> = {}): RequestDocument {
  const terms = { modelId: MODEL, tier: 1, input: INPUT, fee: '1', coverage: '1', callbackGas: 0, earlyDelivery: false };
  return { requestId, ...terms, deadline: T0, state: 'answered', ...change };
}

function claim(claimId: string, change: Partial<ClaimDocument> = {}): ClaimDocument {
  const terms = { modelId: MODEL, input: INPUT, output: '0x00', fault: null, claimedAt: T0 - 60 };
  return { claimId, ...terms, state: 'final', endedAt: T0 + LATER, ...change };
}

/** What every adapter of the store must lose of requests and claims on chain, and keep, as time goes by. */
export function historyConformance(name: string, create: () => Promise<StoreUnderTest>): void {
  describe(`history in a ${name} store`, () => {
    const stores = storesOf(create);
    const start = async (): Promise<Store> => (await stores()).store;

    async function keep(store: Store, document: RequestDocument, answer: ClaimDocument | undefined): Promise<void> {
      const id = orderedId(document.requestId);
      await noteInHistory(store, id, document.deadline);
      await store.put(COLLECTION.requests, id, document);
      if (answer !== undefined) await store.put(COLLECTION.claims, id, answer);
    }

    async function at(store: Store, second: number, isOpen?: (claimId: string) => Promise<boolean>): Promise<void> {
      await noteChainTime(store, second);
      while (await retentionOf(store, isOpen).round(second));
    }

    async function names(store: Store, collection: string): Promise<string[]> {
      return (await store.list(collection)).map(([each]) => each);
    }

    async function left(store: Store): Promise<number[]> {
      const all = [COLLECTION.requests, COLLECTION.claims, COLLECTION.proofs, COLLECTION.requestsByTime];
      return Promise.all(all.map(async (collection) => (await names(store, collection)).length));
    }

    it('keeps a request with its claim until its days after their end are over, and not a second longer', async () => {
      const store = await start();
      await keep(store, request('1'), claim('1'));
      await at(store, T0 + 30 * DAY);
      expect(await left(store)).toEqual([1, 1, 0, 1]);
      // The request's own time is over; that of the claim is not.
      await at(store, T0 + LATER + 30 * DAY);
      expect(await left(store)).toEqual([1, 1, 0, 1]);
      await at(store, T0 + LATER + 30 * DAY + 1);
      expect(await left(store)).toEqual([0, 0, 0, 0]);
    });

    it('waits for both clocks', async () => {
      const store = await start();
      await keep(store, request('1'), undefined);
      const late = T0 + 100 * DAY;
      await noteChainTime(store, T0);
      await retentionOf(store).round(late);
      await noteChainTime(store, late);
      await retentionOf(store).round(T0);
      expect(await left(store)).toEqual([1, 0, 0, 1]);
      await retentionOf(store).round(late);
      expect(await left(store)).toEqual([0, 0, 0, 0]);
    });

    it('removes a proof with its request, what was passed, and the claim on a receipt; nothing of others', async () => {
      const store = await start();
      await keep(store, request('1', { tier: 0 }), undefined);
      await store.put(COLLECTION.proofs, proofId('1'), {});
      await keep(store, request('2', { state: 'passed' }), claim('2', { state: 'void', claimedAt: 0, endedAt: undefined }));
      await noteInHistory(store, RECEIPT, T0);
      await store.put(COLLECTION.claims, RECEIPT, claim(RECEIPT, { claimedAt: T0, endedAt: T0 + DAY }));
      // Written first, and then the process was killed.
      await noteInHistory(store, orderedId('9'), T0);
      await keep(store, request('10', { deadline: T0 + 2 * DAY }), undefined);
      await store.put(COLLECTION.proofs, 'job-1', {});
      await at(store, T0 + 30 * DAY + 1);
      expect([await names(store, COLLECTION.requests), await names(store, COLLECTION.claims)]).toEqual([[orderedId('10')], [RECEIPT]]);
      await at(store, T0 + 31 * DAY + 1);
      expect([await names(store, COLLECTION.claims), await names(store, COLLECTION.proofs)]).toEqual([[], ['job-1']]);
      expect(await left(store)).toEqual([1, 0, 1, 1]);
    });

    it('leaves a number that was given to a later request until that one is over', async () => {
      const store = await start();
      await keep(store, request('1'), undefined);
      await keep(store, request('1', { deadline: T0 + 20 * DAY }), undefined);
      await at(store, T0 + 50 * DAY);
      expect(await left(store)).toEqual([1, 0, 0, 1]);
      await at(store, T0 + 50 * DAY + 1);
      expect(await left(store)).toEqual([0, 0, 0, 0]);
    });

    it('leaves what is still work, waits, is open or demanded of, however old, and removes it afterwards', async () => {
      const store = await start();
      const ids = ['1', '2', '3', '4', '5'].map(orderedId) as [string, string, string, string, string];
      await keep(store, request('1', { state: 'queued' }), undefined);
      await store.put(COLLECTION.requestsQueued, ids[0], { id: ids[0] });
      await keep(store, request('2', { state: 'waiting' }), undefined);
      await store.put(COLLECTION.requestsWaiting, waitingKey(request('2')), { id: ids[1] });
      await keep(store, request('3'), claim('3', { state: 'open', endedAt: undefined }));
      await keep(store, request('4'), claim('4'));
      const demand = { claimId: '4', unit: TENSOR_ROOTS, deadline: T0 };
      await store.put(COLLECTION.demands, demandKey('4', TENSOR_ROOTS), demand);
      await keep(store, request('5', { state: 'waiting' }), undefined);
      await store.put(COLLECTION.requestsPostponed, ids[4], {});
      await at(store, T0 + 300 * DAY);
      await at(store, T0 + 302 * DAY);
      expect(await names(store, COLLECTION.requests)).toEqual(ids);
      expect(await left(store)).toEqual([5, 2, 0, 5]);
      await store.remove(COLLECTION.requestsQueued, ids[0]);
      await store.remove(COLLECTION.requestsWaiting, waitingKey(request('2')));
      await store.remove(COLLECTION.requestsPostponed, ids[4]);
      await store.put(COLLECTION.claims, ids[2], claim('3', { endedAt: T0 + 302 * DAY }));
      await store.remove(COLLECTION.demands, demandKey('4', TENSOR_ROOTS));
      await at(store, T0 + 304 * DAY);
      expect(await names(store, COLLECTION.requests)).toEqual([ids[2]]);
      await at(store, T0 + 332 * DAY + 1);
      expect(await left(store)).toEqual([0, 0, 0, 0]);
    });

    it('believes the chain and not the store that a claim is over', async () => {
      const store = await start();
      await keep(store, request('1'), claim('1'));
      await keep(store, request('2', { state: 'passed' }), claim('2', { state: 'void' }));
      await keep(store, request('3', { state: 'passed' }), undefined);
      const asked: string[] = [];
      const isOpen = async (claimId: string): Promise<boolean> => {
        asked.push(claimId);
        return true;
      };
      await at(store, T0 + 300 * DAY, isOpen);
      expect([asked.sort(), await left(store)]).toEqual([
        ['1', '2'],
        [2, 2, 0, 2],
      ]);
      await at(store, T0 + 302 * DAY);
      expect(await left(store)).toEqual([0, 0, 0, 0]);
    });

    it('removes nothing while the chain does not answer', async () => {
      const store = await start();
      await keep(store, request('1'), claim('1'));
      const away = (): Promise<boolean> => Promise.reject(new Error('the chain is away'));
      await expect(at(store, T0 + 300 * DAY, away)).rejects.toThrow('away');
      expect(await left(store)).toEqual([1, 1, 0, 1]);
      await at(store, T0 + 300 * DAY);
      expect(await left(store)).toEqual([0, 0, 0, 0]);
    });

    it('keeps a document that cannot be read, which keeps no other', async () => {
      const store = await start();
      for (let i = 1; i <= 40; i++) {
        await keep(store, request(String(i)), undefined);
        await store.put(COLLECTION.claims, orderedId(String(i)), { of: 'another version' });
      }
      await keep(store, request('41', { deadline: T0 + 1 }), undefined);
      await at(store, T0 + 300 * DAY);
      expect(await left(store)).toEqual([40, 40, 0, 40]);
    });

    it('asks the store as often with much history as with little, and a bounded number of times a round', async () => {
      const asked: number[] = [];
      for (const many of [100, 1_000]) {
        const store = await start();
        const all = Array.from({ length: many }, (_, i) => String(i + 1));
        await Promise.all(all.map((id) => keep(store, request(id), claim(id))));
        let calls = 0;
        const counting = new Proxy(store, {
          get: (target, member: keyof Store) => {
            calls++;
            return target[member];
          },
        });
        const late = T0 + LATER + 100 * DAY;
        await noteChainTime(store, late);
        expect(await retentionOf(counting).round(late)).toBe(true);
        expect(await left(store)).toEqual([many - 32, many - 32, 0, many - 32]);
        // Nothing is due: one look.
        const before = calls;
        await noteChainTime(store, T0);
        expect(await retentionOf(counting).round(T0)).toBe(false);
        asked.push(before, calls - before);
      }
      expect(asked.slice(2)).toEqual(asked.slice(0, 2));
      expect(asked[0]).toBeLessThan(32 * 12);
      expect(asked[1]).toBeLessThan(10);
    });
  });
}
