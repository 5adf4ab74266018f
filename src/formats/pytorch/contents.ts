import type { PickleValue } from "./values.js";

/** What a container holds: the object that was saved, and the values of its storages. */
export interface Contents {
  readonly root: PickleValue;
  readonly littleEndian: boolean;
  /** The bytes of a storage to which the object refers, exactly as many as its length and dtype take. */
  readonly storage: (key: string) => Uint8Array;
}
