import { quote } from "../../util/quote.js";
import { ByteReader } from "./byte-reader.js";
import type { Contents } from "./contents.js";
import { readPickle } from "./pickle.js";
import { storageBytes, StorageTable } from "./storages.js";
import { kindOf, type PickleValue } from "./values.js";

const MAGIC = 0x1950a86a20f9469cfc6cn;
const PROTOCOL_VERSION = 1001;

/**
 * Reads the stream of PyTorch up to 1.5 (torch/serialization.py, `_legacy_save`): pickles of a magic number, a version, facts of the machine that wrote
 * it, the object, and the keys of the storages; then for each storage its length and its values. Those are little-endian whatever the machine was.
 */
export function readStream(bytes: Uint8Array, source: string): Contents {
  const reader = new ByteReader(bytes, source);
  const magic = readPickle(reader);
  if (magic !== MAGIC)
    reader.fail(
      `Expected a PyTorch checkpoint, which begins with PyTorch's magic number, but received a pickle of ${kindOf(magic)}`,
    );
  const version = readPickle(reader);
  if (version !== PROTOCOL_VERSION)
    reader.fail(`Expected version ${PROTOCOL_VERSION} of PyTorch's stream but received ${describe(version)}`);
  const machine = readPickle(reader);
  if (!(machine instanceof Map))
    reader.fail(`Expected facts of the machine that wrote the file but received ${kindOf(machine)}`);
  const storages = new StorageTable(reader);
  const root = readPickle(reader, storages.resolve);
  const keys = readPickle(reader);
  if (!isTexts(keys)) return reader.fail(`Expected the keys of the storages but received ${kindOf(keys)}`);
  if (new Set(keys).size !== keys.length) reader.fail("Expected every storage once but received one twice");
  const data = new Map<string, Uint8Array>();
  for (const key of keys) {
    const storage = storages.get(key);
    if (storage === undefined)
      return reader.fail(`Expected storages that a tensor has but received ${quote(key)} as well`);
    const length = reader.u64("the length of a storage");
    if (length !== storage.length)
      reader.fail(`Expected ${storage.length} values for storage ${quote(key)} but received ${length}`);
    data.set(key, reader.take(storageBytes(storage), "the values of a storage"));
  }
  const missing = [...storages.keys()].find((key) => !data.has(key));
  if (missing !== undefined) reader.fail(`Expected storage ${quote(missing)}, which a tensor has, but received none`);
  if (reader.position !== bytes.length)
    reader.fail(
      `Expected the file to end at byte ${reader.position}, after the last storage, but received ${bytes.length} bytes`,
    );
  return { root, littleEndian: true, storage: (key) => data.get(key)! };
}

function isTexts(value: PickleValue): value is string[] {
  return Array.isArray(value) && value.every((key) => typeof key === "string");
}

function describe(value: PickleValue): string {
  return typeof value === "number" ? String(value) : kindOf(value);
}
