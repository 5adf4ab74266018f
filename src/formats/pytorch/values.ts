import type { Dtype } from "../dtypes.js";

/** What a pickle can hold here. Dicts and sets of Python become maps and sets, integers beyond 2^53 bigints; `Tuple` keeps tuples apart from lists. */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickleValue[]
  | Tuple
  | Dict
  | Set<PickleValue>
  | GlobalName
  | StorageRef
  | TensorView;

export type Dict = Map<PickleValue, PickleValue>;

export class Tuple {
  constructor(readonly items: readonly PickleValue[]) {}
}

/** One of the known names of Python's modules, such as `torch.float32`: a name, and nothing that could run. */
export class GlobalName {
  constructor(readonly name: string) {}
}

/** A run of values to which tensors refer, and which the file holds apart from the pickle. */
export class StorageRef {
  constructor(
    readonly key: string,
    readonly dtype: Dtype,
    /** Values in all that the file holds under `key`. */
    readonly length: number,
    /** Where in those values this storage begins, which in old files may be a part of another. */
    readonly start: number,
    readonly end: number,
  ) {}
}

/** A tensor as strides over a storage. */
export class TensorView {
  constructor(
    readonly storage: StorageRef,
    /** Values from the beginning of what the file holds under the storage's key. */
    readonly offset: number,
    readonly shape: readonly number[],
    readonly strides: readonly number[],
  ) {}
}

/** A value for people: plain ones as JSON, others by their kind. */
export function kindOf(value: PickleValue | undefined): string {
  if (value === undefined) return "nothing";
  if (value === null) return "None";
  if (value instanceof GlobalName) return value.name;
  if (value instanceof TensorView) return `a tensor [${value.shape.join(",")}]`;
  if (value instanceof StorageRef) return "a storage";
  if (value instanceof Map) return `a dict of ${value.size}`;
  if (value instanceof Set) return `a set of ${value.size}`;
  if (value instanceof Tuple) return `a tuple of ${value.items.length}`;
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === "string") return "text";
  return typeof value === "boolean" ? "a boolean" : "a number";
}

/** Whether a value can be a size, an offset or a length. */
export function isCount(value: PickleValue | undefined): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}
