import { realpath } from 'node:fs/promises';
import path from 'node:path';
import { AssayError } from '../core/errors.ts';
import { decodeModel, type TensorMessage } from '../core/onnx/schema.ts';
import { MODEL_LIMIT, readInputFile } from './files.ts';

const MAX_FILES = 1_000;

/**
 * The files of large weights that an ONNX model names, read from beside it.
 * Locations come out of an untrusted file: one that leaves the model's folder is refused, one that is missing is left to the importer to name.
 * @returns contents by the location written in the model
 * @throws AssayError EXTERNAL_DATA_OUTSIDE, FILE_TOO_LARGE, FILE_UNUSABLE
 */
export async function readExternalData(modelFile: string, model: Uint8Array): Promise<Map<string, Uint8Array>> {
  const folder = path.dirname(path.resolve(modelFile));
  const contents = new Map<string, Uint8Array>();
  let total = 0;
  for (const location of externalLocations(model)) {
    const file = path.resolve(folder, location);
    if (path.isAbsolute(location) || location.includes('\0') || !(await liesBelow(folder, file))) {
      throw new AssayError('The model names a file of weights outside its own folder', {
        code: 'EXTERNAL_DATA_OUTSIDE',
        facts: { location: location.slice(0, 200) },
        fix: 'export the model with its external data in the same folder',
      });
    }
    try {
      const bytes = await readInputFile(file, { what: 'A file of external weights', limit: MODEL_LIMIT - total });
      total += bytes.length;
      contents.set(location, bytes);
    } catch (error) {
      if (!(error instanceof AssayError && error.code === 'FILE_MISSING')) throw error;
    }
  }
  return contents;
}

/** Also where links lead: a shared folder of models must not read its reader's own files. */
async function liesBelow(folder: string, file: string): Promise<boolean> {
  if (!file.startsWith(`${folder}${path.sep}`)) return false;
  const [realFolder, realFile] = await Promise.all([realpath(folder), realpath(file).catch(() => undefined)]);
  return realFile === undefined || realFile.startsWith(`${realFolder}${path.sep}`);
}

/** Locations of external tensors, each once; none for bytes that are no model, which the importer refuses in its own words. */
export function externalLocations(model: Uint8Array): string[] {
  // Most models hold their weights themselves: a search is cheaper than a second decoding.
  if (!Buffer.from(model.buffer, model.byteOffset, model.length).includes('location')) return [];
  const locations = new Set<string>();
  const visit = (tensor: TensorMessage | undefined | null): void => {
    if (tensor?.dataLocation !== 1) return;
    const location = tensor.externalData.find(({ key }) => key === 'location')?.value;
    if (location !== undefined && location !== '') locations.add(location);
  };
  try {
    const { graph } = decodeModel(model);
    for (const initializer of graph?.initializer ?? []) visit(initializer);
    for (const node of graph?.node ?? []) for (const attribute of node.attribute) visit(attribute.t);
  } catch {
    return [];
  }
  return [...locations].slice(0, MAX_FILES);
}
