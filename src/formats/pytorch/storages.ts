import { DTYPES } from "../dtypes.js";
import type { ByteReader } from "./byte-reader.js";
import { STORAGES } from "./globals.js";
import type { Persistent } from "./pickle-machine.js";
import { GlobalName, isCount, kindOf, StorageRef, Tuple } from "./values.js";

/** The storages that a pickle has referred to, by their keys. */
export class StorageTable {
  readonly #storages = new Map<string, StorageRef>();

  constructor(readonly reader: ByteReader) {}

  get size(): number {
    return this.#storages.size;
  }

  keys(): Iterable<string> {
    return this.#storages.keys();
  }

  get(key: string): StorageRef | undefined {
    return this.#storages.get(key);
  }

  /**
   * What a reference of a pickle stands for: ("storage", kind, key, device, number of values), and in streams after that None or the part of the storage
   * that is meant: (key of the part, first value, number of values).
   */
  readonly resolve: Persistent = (id) => {
    const [tag, kind, key, , length, part = null] = id instanceof Tuple ? id.items : [];
    const dtype = kind instanceof GlobalName ? STORAGES.get(kind.name) : undefined;
    if (tag !== "storage" || dtype === undefined || typeof key !== "string" || !isCount(length)) {
      return this.reader.fail(
        `Expected ("storage", kind, key, device, length) in a reference but received ${id instanceof Tuple ? `(${id.items.slice(0, 8).map(kindOf).join(", ")})` : kindOf(id)}`,
      );
    }
    const known = this.#storages.get(key);
    if (known === undefined) this.#storages.set(key, new StorageRef(key, dtype, length, 0, length));
    else if (known.dtype !== dtype || known.length !== length) {
      this.reader.fail(
        `Expected one storage under a key but received ${known.length} values ${known.dtype} and ${length} values ${dtype}`,
      );
    }
    if (part === null) return this.#storages.get(key)!;
    const [start, count] = part instanceof Tuple ? part.items.slice(1) : [];
    if (!isCount(start) || !isCount(count) || start + count > length)
      this.reader.fail(`Expected a part of a storage of ${length} values but received ${kindOf(part)}`);
    return new StorageRef(key, dtype, length, start, start + count);
  };
}

/** Bytes that a storage takes. */
export function storageBytes({ dtype, length }: StorageRef): number {
  return length * DTYPES[dtype].bytes;
}
