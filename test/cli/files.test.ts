import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { externalLocations, readExternalData } from '../../cli/external-data.ts';
import { readInputFile, readInputJson, readInputText, writeFolder, writeWhole } from '../../cli/files.ts';
import { scratch } from './assay.ts';

const { folder, remove } = scratch('files');
afterAll(remove);
const at = (...names: string[]): string => path.join(folder, ...names);

describe('an input file', () => {
  writeFileSync(at('ten'), '0123456789');
  writeFileSync(at('latin'), Uint8Array.of(0xff, 0xfe));

  it('is read up to its limit and not one byte beyond', async () => {
    await expect(readInputFile(at('ten'), { what: 'It', limit: 10 })).resolves.toHaveLength(10);
    await expect(readInputFile(at('ten'), { what: 'It', limit: 9 })).rejects.toMatchObject({ code: 'FILE_TOO_LARGE' });
  });

  it('of terabytes is refused before it is read', async () => {
    writeFileSync(at('huge'), '');
    truncateSync(at('huge'), 2 ** 40);
    await expect(readInputFile(at('huge'), { what: 'It', limit: 2 ** 29 })).rejects.toMatchObject({ code: 'FILE_TOO_LARGE' });
  });

  it.each([
    ['missing', 'nowhere', 'FILE_MISSING'],
    ['a folder', '.', 'FILE_UNUSABLE'],
    ['below a file', 'ten/deeper', 'FILE_UNUSABLE'],
    ['a device', '/dev/zero', 'FILE_UNUSABLE'],
  ])('that is %s is refused', async (_, name, code) => {
    const file = name.startsWith('/') ? name : at(name);
    await expect(readInputFile(file, { what: 'It', limit: 100 })).rejects.toMatchObject({ code, message: expect.stringMatching(/^It /) });
  });

  it('has to be text, and JSON, where these are wanted', async () => {
    await expect(readInputText(at('latin'), { what: 'It', limit: 100 })).rejects.toMatchObject({ code: 'FILE_NOT_TEXT' });
    await expect(readInputJson(at('latin'), { what: 'It', limit: 100 })).rejects.toMatchObject({ code: 'FILE_NOT_TEXT' });
    writeFileSync(at('half.json'), '{"a":');
    await expect(readInputJson(at('half.json'), { what: 'It', limit: 100 })).rejects.toMatchObject({ code: 'FILE_NOT_JSON' });
    await expect(readInputJson(at('ten'), { what: 'It', limit: 100 })).rejects.toMatchObject({ code: 'FILE_NOT_JSON' });
  });
});

describe('an output', () => {
  const isOurs = (entries: readonly string[]): boolean => entries.includes('program.assay');
  const fill = (text: string) => async (partial: string) => writeFileSync(path.join(partial, 'program.assay'), text);
  const fail = async (partial: string): Promise<void> => {
    writeFileSync(path.join(partial, 'program.assay'), 'half');
    throw new Error('broken');
  };

  it('file appears whole, folders included, and nothing is left beside it', async () => {
    await writeWhole(at('new', 'deep', 'file'), 'one');
    await writeWhole(at('new', 'deep', 'file'), 'two');
    expect(readFileSync(at('new', 'deep', 'file'), 'utf8')).toBe('two');
    expect(readdirSync(at('new', 'deep'))).toEqual(['file']);
    await expect(writeWhole(at('new', 'deep'), 'over a folder')).rejects.toThrow();
    expect(readdirSync(at('new'))).toEqual(['deep']);
  });

  it('folder appears whole, or not at all', async () => {
    mkdirSync(at('out'));
    await expect(writeFolder(at('out', 'a'), { isOurs, force: false }, fail)).rejects.toThrow('broken');
    expect(readdirSync(at('out'))).toEqual([]);
    await writeFolder(at('out', 'a', 'b'), { isOurs, force: false }, fill('one'));
    expect(readFileSync(at('out', 'a', 'b', 'program.assay'), 'utf8')).toBe('one');
    expect(readdirSync(at('out', 'a'))).toEqual(['b']);
  });

  it('folder of ours is replaced with force alone, and stays whole when the work fails', async () => {
    await writeFolder(at('kept'), { isOurs, force: false }, fill('one'));
    await expect(writeFolder(at('kept'), { isOurs, force: false }, fill('two'))).rejects.toMatchObject({ code: 'OUTPUT_EXISTS' });
    await expect(writeFolder(at('kept'), { isOurs, force: true }, fail)).rejects.toThrow('broken');
    expect(readFileSync(at('kept', 'program.assay'), 'utf8')).toBe('one');
    await writeFolder(at('kept'), { isOurs, force: true }, fill('two'));
    expect(readFileSync(at('kept', 'program.assay'), 'utf8')).toBe('two');
    expect(readdirSync(folder).filter((name) => name.includes('partial'))).toEqual([]);
  });

  it('folder of others is never replaced, a file neither, an empty folder is taken', async () => {
    mkdirSync(at('theirs'));
    writeFileSync(at('theirs', 'thesis.tex'), 'years of work');
    await expect(writeFolder(at('theirs'), { isOurs, force: true }, fill('one'))).rejects.toMatchObject({ code: 'OUTPUT_FOREIGN' });
    await expect(writeFolder(at('theirs', 'thesis.tex'), { isOurs, force: true }, fill('one'))).rejects.toMatchObject({
      code: 'OUTPUT_FOREIGN',
    });
    expect(readFileSync(at('theirs', 'thesis.tex'), 'utf8')).toBe('years of work');
    mkdirSync(at('empty'));
    await writeFolder(at('empty'), { isOurs, force: false }, fill('one'));
    expect(existsSync(at('empty', 'program.assay'))).toBe(true);
  });
});

describe('external weights', () => {
  /** A model of one initializer that is stored elsewhere; protobuf by hand, field numbers as in onnx.proto. */
  function modelAt(location: string): Uint8Array {
    const field = (id: number, content: Uint8Array): Uint8Array => Uint8Array.of((id << 3) | 2, content.length, ...content);
    const text = (value: string): Uint8Array => new TextEncoder().encode(value);
    const pair = Uint8Array.of(...field(1, text('location')), ...field(2, text(location)));
    const tensor = Uint8Array.of(...field(13, pair), 14 << 3, 1);
    return field(7, field(5, tensor));
  }

  it('are found by the name that the model gives', async () => {
    mkdirSync(at('model', 'sub'), { recursive: true });
    writeFileSync(at('model', 'sub', 'weights.bin'), 'abc');
    expect(externalLocations(modelAt('sub/weights.bin'))).toEqual(['sub/weights.bin']);
    const read = await readExternalData(at('model', 'model.onnx'), modelAt('sub/weights.bin'));
    expect([...read].map(([name, bytes]) => [name, bytes.length])).toEqual([['sub/weights.bin', 3]]);
    // The importer names a missing one, with the tensor that needs it.
    expect((await readExternalData(at('model', 'model.onnx'), modelAt('other.bin'))).size).toBe(0);
  });

  it.each(['../secret', '/etc/passwd', 'sub/../../secret', '..'])('at %s are refused', async (location) => {
    await expect(readExternalData(at('model', 'model.onnx'), modelAt(location))).rejects.toMatchObject({ code: 'EXTERNAL_DATA_OUTSIDE' });
  });

  it('behind a link that leaves the folder are refused', async () => {
    symlinkSync('/etc/passwd', at('model', 'link.bin'));
    await expect(readExternalData(at('model', 'model.onnx'), modelAt('link.bin'))).rejects.toMatchObject({ code: 'EXTERNAL_DATA_OUTSIDE' });
  });

  it('are none in a file that is no model', () => {
    expect(externalLocations(new TextEncoder().encode('location, location, location'))).toEqual([]);
  });
});
