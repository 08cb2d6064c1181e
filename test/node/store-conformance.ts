import { afterEach, describe, expect, it } from 'vitest';
import type { Store } from '../../prover/store/port.ts';
import type { ArtifactStore } from '../../runtime/artifacts.ts';

/** A store that `reopen` opens again, as after a restart. */
export interface StoreUnderTest {
  readonly store: Store;
  reopen(): Promise<Store>;
  remove(): Promise<void>;
}

/** Makes stores for the tests of one suite, and removes them after each. */
export function storesOf(create: () => Promise<StoreUnderTest>): () => Promise<StoreUnderTest> {
  const open: StoreUnderTest[] = [];
  afterEach(async () => {
    for (const made of open.splice(0)) await made.remove();
  });
  return async () => {
    const made = await create();
    open.push(made);
    return made;
  };
}

interface Counter {
  readonly count: number;
}

/** What every adapter of the store port must do. */
export function storeConformance(name: string, create: () => Promise<StoreUnderTest>): void {
  describe(`${name} store`, () => {
    const start = storesOf(create);

    it('keeps documents by collection and id, over a restart', async () => {
      const { store, reopen } = await start();
      await store.put('claims', 'a', { id: 'a', n: 1 });
      await store.put('claims', 'a', { id: 'a', n: 2 });
      await store.put('receipts', 'a', { other: true });
      const again = await reopen();
      expect(await again.get('claims', 'a')).toEqual({ id: 'a', n: 2 });
      expect(await again.get('claims', 'b')).toBeUndefined();
      await again.remove('claims', 'a');
      await again.remove('claims', 'never');
      expect(await again.get('claims', 'a')).toBeUndefined();
      expect(await again.get('receipts', 'a')).toEqual({ other: true });
    });

    it('gives a document back exactly as it was', async () => {
      const { store } = await start();
      const document = {
        text: 'tëxt\n"\\\u0000 \u{1f600}',
        numbers: [0, -1.5, 2 ** 53, 1e-7, 1.7976931348623157e308],
        nested: { empty: {}, list: [[], [null, false]], 'strange key\u0000': 1 },
        big: '9'.repeat(200_000),
      };
      for (const kept of [document, null, 'text', 17, false, [1, 2]]) {
        await store.put('any', 'document', kept);
        expect(await store.get('any', 'document')).toEqual(kept);
      }
      expect(await store.update<unknown>('any', 'document', () => document)).toEqual(document);
      expect(await store.list('any')).toEqual([['document', document]]);
    });

    it('lists by the bytes of ids, in pages, one collection alone', async () => {
      const { store } = await start();
      const ids = [
        '-',
        '0',
        '00000000000000000010',
        '00000000000000000009',
        '10',
        '9',
        'A',
        'Z',
        'a',
        'a/b',
        'a:b',
        'z',
        'Ä',
        'ä',
        '\u{1f600}',
      ];
      const ordered = [...ids].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      for (const id of ids) await store.put('listed', id, { id });
      await store.put('liste', 'x', {});
      await store.put('listed ', 'x', {});
      const all = await store.list<{ id: string }>('listed');
      expect(all.map(([id]) => id)).toEqual(ordered);
      expect(all.every(([id, document]) => document.id === id)).toBe(true);
      const paged: string[] = [];
      for (;;) {
        const after = paged.at(-1);
        const page = await store.list('listed', { limit: 4, ...(after === undefined ? {} : { after }) });
        if (page.length === 0) break;
        paged.push(...page.map(([id]) => id));
      }
      expect(paged).toEqual(ordered);
      // From a place where nothing is, and beyond the last.
      expect((await store.list('listed', { after: '1', limit: 1 })).map(([id]) => id)).toEqual(['10']);
      expect(await store.list('listed', { after: '\u{1f601}' })).toEqual([]);
      expect(await store.list('listed', { limit: 0 })).toEqual([]);
      expect(await store.list('none')).toEqual([]);
    });

    it('removes what comes before a name, the first ones, one collection alone', async () => {
      const { store, reopen } = await start();
      for (const collection of ['old', 'ol', 'older'])
        for (const id of ['0x00', '0x01', '0x0100', '0x02', 'Ä']) await store.put(collection, id, { id });
      expect(await store.removeBelow('old', '0x00', 10)).toBe(0);
      expect(await store.removeBelow('old', '0x02', 2)).toBe(2);
      expect((await store.list('old')).map(([id]) => id)).toEqual(['0x0100', '0x02', 'Ä']);
      expect(await store.removeBelow('old', '0x02', 2)).toBe(1);
      expect(await store.removeBelow('old', '0x02', 2)).toBe(0);
      expect(await store.removeBelow('none', 'z', 2)).toBe(0);
      const again = await reopen();
      expect((await again.list('old')).map(([id]) => id)).toEqual(['0x02', 'Ä']);
      for (const other of ['ol', 'older']) expect(await again.list(other)).toHaveLength(5);
      expect(await again.removeBelow('old', '\u{10ffff}', 10)).toBe(2);
    });

    it('lets one of many writers be the first', async () => {
      const { store } = await start();
      const stored = await Promise.all(Array.from({ length: 20 }, (_, i) => store.putIfAbsent('claims', 'one', { writer: i })));
      expect(stored.filter(Boolean)).toHaveLength(1);
      expect(await store.get('claims', 'one')).toEqual({ writer: stored.indexOf(true) });
    });

    it('changes as one step, however many do', async () => {
      const { store } = await start();
      const seen = await Promise.all(
        Array.from({ length: 40 }, () => store.update<Counter>('counters', 'one', (before) => ({ count: (before?.count ?? 0) + 1 }))),
      );
      expect(seen.map((document) => document?.count).sort((a, b) => a! - b!)).toEqual(Array.from({ length: 40 }, (_, i) => i + 1));
      expect(await store.get('counters', 'one')).toEqual({ count: 40 });
    });

    it('leaves things as they are when a change says so, or throws', async () => {
      const { store } = await start();
      expect(await store.update('counters', 'none', () => undefined)).toBeUndefined();
      expect(await store.get('counters', 'none')).toBeUndefined();
      await store.put('counters', 'one', { count: 1 });
      expect(await store.update<Counter>('counters', 'one', () => undefined)).toEqual({ count: 1 });
      const failing = store.update<Counter>('counters', 'one', () => {
        throw new Error('not like this');
      });
      await expect(failing).rejects.toThrow('not like this');
      expect(await store.update<Counter>('counters', 'one', (before) => ({ count: before!.count + 1 }))).toEqual({ count: 2 });
    });

    it('refuses names that not every adapter can keep', async () => {
      const { store } = await start();
      for (const name of ['', 'x'.repeat(257), 'a\u0000b', '\ud800']) {
        for (const attempt of [
          () => store.put(name, 'a', {}),
          () => store.put('a', name, {}),
          () => store.get('a', name),
          () => store.putIfAbsent('a', name, {}),
          () => store.update('a', name, () => ({})),
        ]) {
          await expect((async () => attempt())()).rejects.toMatchObject({ code: 'INTERNAL' });
        }
      }
    });
  });
}

/** What every adapter of the artifact port must do. */
export function artifactConformance(name: string, create: () => Promise<ArtifactStore>): void {
  describe(`${name} artifacts`, () => {
    const hash = `0x${'ab'.repeat(32)}`;

    it('keeps bytes under a hash, the first ones', async () => {
      const artifacts = await create();
      const bytes = Uint8Array.from({ length: 30_000 }, (_, i) => i * 7);
      expect(await artifacts.has('inputs', hash)).toBe(false);
      expect(await artifacts.get('inputs', hash)).toBeUndefined();
      // A view into something larger is stored alone.
      await artifacts.put('inputs', hash, new Uint8Array(bytes.buffer, 1, 29_000));
      expect(await artifacts.has('inputs', hash)).toBe(true);
      expect(await artifacts.has('programs', hash)).toBe(false);
      expect(await artifacts.get('inputs', hash)).toEqual(bytes.slice(1, 29_001));
      await artifacts.remove('inputs', hash);
      await artifacts.remove('inputs', hash);
      expect(await artifacts.get('inputs', hash)).toBeUndefined();
      await artifacts.put('inputs', hash, new Uint8Array());
      expect(await artifacts.get('inputs', hash)).toEqual(new Uint8Array());
    });

    it('takes the same bytes from many at once', async () => {
      const artifacts = await create();
      const bytes = new TextEncoder().encode('the same');
      await Promise.all(Array.from({ length: 10 }, () => artifacts.put('inputs', hash, bytes)));
      expect(await artifacts.get('inputs', hash)).toEqual(bytes);
    });

    it.each([
      ['inputs', '0xAB'],
      ['inputs', `0x${'AB'.repeat(32)}`],
      ['inputs', `${hash}0`],
      ['../inputs', hash],
      ['', hash],
    ])('refuses the name %s/%s', async (kind, wrong) => {
      const artifacts = await create();
      for (const attempt of [
        () => artifacts.put(kind, wrong, new Uint8Array(1)),
        () => artifacts.get(kind, wrong),
        () => artifacts.has(kind, wrong),
        () => artifacts.remove(kind, wrong),
      ])
        await expect((async () => attempt())()).rejects.toThrow(RangeError);
    });
  });
}
