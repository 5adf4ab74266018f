import { unzipSync, type UnzipFileInfo } from "fflate";
import { FormatError } from "../../util/errors.js";
import { quote } from "../../util/quote.js";
import { ByteReader } from "./byte-reader.js";
import type { Contents } from "./contents.js";
import { readPickle } from "./pickle.js";
import { storageBytes, StorageTable } from "./storages.js";

/**
 * Reads the zip archive of PyTorch from 1.6 on: `<name>/data.pkl` is the object, `<name>/data/<key>` the values of each storage, in the byte order that
 * `<name>/byteorder` names (little-endian in files that are older than that entry).
 */
export function readArchive(bytes: Uint8Array, source: string): Contents {
  const listed = list(bytes, source);
  const pickles = [...listed.keys()].filter((name) => /^[^/]+\/data\.pkl$/.test(name));
  const [pickle] = pickles;
  if (pickle === undefined || pickles.length > 1) {
    throw new FormatError(
      source,
      `Expected a PyTorch checkpoint, a zip archive with one data.pkl, but received ${pickles.length} of them among ${listed.size} entries`,
    );
  }
  const entries = extract(bytes, listed, source);
  const folder = pickle.slice(0, -"data.pkl".length);
  const reader = new ByteReader(entries.get(pickle)!, `${source}, data.pkl`);
  const storages = new StorageTable(reader);
  const root = readPickle(reader, storages.resolve);
  if (reader.position !== reader.bytes.length)
    reader.fail(`Expected the pickle to end at byte ${reader.position} but received ${reader.bytes.length} bytes`);
  const littleEndian = isLittleEndian(entries.get(`${folder}byteorder`), source);
  const storage = (key: string): Uint8Array => entries.get(`${folder}data/${key}`)!;
  for (const key of storages.keys()) {
    const expected = storageBytes(storages.get(key)!);
    const received = entries.get(`${folder}data/${key}`)?.length;
    if (received === expected) continue;
    throw new FormatError(
      source,
      `Expected ${expected} bytes in the entry ${quote(`data/${key}`)}, which a tensor has, but received ${received ?? "no such entry"}`,
    );
  }
  return { root, littleEndian, storage };
}

function isLittleEndian(entry: Uint8Array | undefined, source: string): boolean {
  const order = entry === undefined ? "little" : new TextDecoder().decode(entry);
  if (order === "little" || order === "big") return order === "little";
  throw new FormatError(source, `Expected little or big in the entry byteorder but received ${quote(order)}`);
}

/** The directory of a zip archive, by name. */
function list(bytes: Uint8Array, source: string): Map<string, UnzipFileInfo> {
  const listed = new Map<string, UnzipFileInfo>();
  unzip(bytes, source, (entry) => {
    if (listed.has(entry.name))
      throw new FormatError(source, `Expected every entry once but received ${quote(entry.name)} twice`);
    listed.set(entry.name, entry);
    return false;
  });
  return listed;
}

/**
 * The entries of a zip archive, by name. PyTorch stores them as they are, so that they can be mapped into memory, and only that is accepted: an entry
 * takes its own size in the file, all of them together at most the file's, so that nothing can expand, neither by compression nor by entries that overlap.
 * Checksums are not looked at, as PyTorch does not either, and may leave them out.
 */
function extract(
  bytes: Uint8Array,
  listed: ReadonlyMap<string, UnzipFileInfo>,
  source: string,
): Map<string, Uint8Array> {
  const fail = (message: string): never => {
    throw new FormatError(source, message);
  };
  let total = 0;
  for (const [name, { size, originalSize, compression }] of listed) {
    if (compression !== 0)
      fail(
        `Expected entries stored as they are, as PyTorch writes them, but received ${quote(name)} compressed from ${originalSize} to ${size} bytes; unpack the archive and zip it again with zip -0`,
      );
    if (size !== originalSize)
      fail(`Expected ${originalSize} bytes in the stored entry ${quote(name)} but received ${size}: it is damaged`);
    total += size + HEADERS_BYTES;
  }
  if (total > bytes.length)
    fail(`Expected entries that fit into the ${bytes.length} bytes of the file but received ${total}: they overlap`);
  const entries = new Map(Object.entries(unzip(bytes, source, () => true)));
  for (const [name, { size }] of listed) {
    const received = entries.get(name)?.length;
    if (received !== size)
      fail(`Expected ${size} bytes in the entry ${quote(name)} but received ${received ?? "none"}: it is truncated`);
  }
  return entries;
}

/** What an entry takes besides its content: a header at its place and one in the directory. */
const HEADERS_BYTES = 30 + 46;

function unzip(
  bytes: Uint8Array,
  source: string,
  filter: (entry: UnzipFileInfo) => boolean,
): Record<string, Uint8Array> {
  try {
    return unzipSync(bytes, { filter });
  } catch (error) {
    if (error instanceof FormatError) throw error;
    throw new FormatError(
      source,
      `Expected a whole zip archive but received a damaged or truncated one (${(error as Error).message})`,
    );
  }
}
