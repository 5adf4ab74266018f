import { zipSync, type Zippable } from "fflate";

/** Opcodes of a pickle that leave one value on the stack. */
export type Code = readonly number[];

const ascii = (text: string): number[] => [...new TextEncoder().encode(text)];
const u32 = (value: number): number[] => [...new Uint8Array(Uint32Array.of(value).buffer)];

export const none: Code = ascii("N");
export const int = (value: number): Code => [0x4a, ...new Uint8Array(Int32Array.of(value).buffer)];
export const float = (value: number): Code => [0x47, ...new Uint8Array(Float64Array.of(value).buffer).reverse()];
export const text = (value: string): Code => [0x58, ...u32(ascii(value).length), ...ascii(value)];
export const bool = (value: boolean): Code => [value ? 0x88 : 0x89];
export const list = (...items: Code[]): Code => [...ascii("]("), ...items.flat(), ...ascii("e")];
export const tuple = (...items: Code[]): Code => [...ascii("("), ...items.flat(), ...ascii("t")];
export const dict = (entries: Readonly<Record<string, Code>>): Code => [...ascii("}"), ...setItems(entries)];
export const global = (module: string, name: string): Code => ascii(`c${module}\n${name}\n`);
export const call = (callee: Code, ...args: Code[]): Code => [...callee, ...tuple(...args), ...ascii("R")];
export const orderedDict = (entries: Readonly<Record<string, Code>>): Code => [
  ...call(global("collections", "OrderedDict")),
  ...setItems(entries),
];
/** `target` with attributes. */
export const build = (target: Code, state: Code): Code => [...target, ...state, ...ascii("b")];
export const pickle = (value: Code): number[] => [0x80, 2, ...value, ...ascii(".")];

function setItems(entries: Readonly<Record<string, Code>>): number[] {
  return [...ascii("("), ...Object.entries(entries).flatMap(([key, value]) => [...text(key), ...value]), ...ascii("u")];
}

/** Values that tensors refer to. */
export interface StoredValues {
  readonly key: string;
  /** PyTorch's name, such as FloatStorage. */
  readonly kind: string;
  readonly values:
    Float64Array | Float32Array | BigInt64Array | Int32Array | Int16Array | Uint16Array | Int8Array | Uint8Array;
}

export function reference({ key, kind, values }: StoredValues, part: Code = none): Code {
  return [
    ...tuple(text("storage"), global("torch", kind), text(key), text("cpu"), int(values.length), part),
    ...ascii("Q"),
  ];
}

export interface TensorOptions {
  readonly offset?: number;
  /** Those of contiguous values by default. */
  readonly strides?: readonly number[];
  readonly part?: Code;
}

/** A tensor as torch.save writes it. */
export function tensor(storage: StoredValues, shape: readonly number[], options: TensorOptions = {}): Code {
  const { offset = 0, strides = contiguous(shape), part } = options;
  return call(
    global("torch._utils", "_rebuild_tensor_v2"),
    reference(storage, part),
    int(offset),
    tuple(...shape.map(int)),
    tuple(...strides.map(int)),
    bool(false),
    orderedDict({}),
  );
}

function contiguous(shape: readonly number[]): number[] {
  return shape.map((_, axis) => shape.slice(axis + 1).reduce((product, size) => product * size, 1));
}

/** The file of PyTorch up to 1.5. */
export function legacyFile(root: Code, storages: readonly StoredValues[], littleEndian = true): Uint8Array {
  return Uint8Array.from([
    ...pickle([0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19]),
    ...pickle(int(1001)),
    ...pickle(
      dict({ protocol_version: int(1001), little_endian: bool(littleEndian), type_sizes: dict({ int: int(4) }) }),
    ),
    ...pickle(root),
    ...pickle(list(...storages.map(({ key }) => text(key)))),
    ...storages.flatMap(({ values }) => [...u32(values.length), ...u32(0), ...bytesOf(values)]),
  ]);
}

/** The archive of PyTorch from 1.6 on; `extra` entries replace those of the same name. */
export function zipFile(
  root: Code,
  storages: readonly StoredValues[],
  { extra = {}, level = 0 }: { readonly extra?: Zippable; readonly level?: 0 | 9 } = {},
): Uint8Array {
  const entries: Zippable = {
    "model/data.pkl": Uint8Array.from(pickle(root)),
    "model/version": Uint8Array.from(ascii("3\n")),
  };
  for (const { key, values } of storages) entries[`model/data/${key}`] = bytesOf(values);
  return zipSync({ ...entries, ...extra }, { level });
}

export function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength).slice();
}

/** float32 storages and tensors for weights, by their names. */
export function floatTensors(weights: ReadonlyMap<string, { shape: readonly number[]; data: Float32Array }>): {
  storages: StoredValues[];
  entries: Record<string, Code>;
} {
  const storages: StoredValues[] = [];
  const entries: Record<string, Code> = {};
  for (const [name, { shape, data }] of weights) {
    const storage = { key: String(storages.length), kind: "FloatStorage", values: data };
    storages.push(storage);
    entries[name] = tensor(storage, shape);
  }
  return { storages, entries };
}
