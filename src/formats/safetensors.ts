import { readFileBytes, writeFileAtomic } from "#files";
import { ArgumentError, expectArgument } from "../util/errors.js";
import { DTYPES, expectBooleans, type Dtype, type DtypeArrays } from "./dtypes.js";
import { parseHeader } from "./safetensors-header.js";

/** A tensor as a safetensors file holds it: row-major values, their shape (`[]` for a scalar), and how they are stored. */
export type StoredTensor = {
  [D in Dtype]: { readonly dtype: D; readonly shape: readonly number[]; readonly data: DtypeArrays[D] };
}[Dtype];

export interface Safetensors {
  /** In the order of their data in the file. */
  readonly tensors: Map<string, StoredTensor>;
  readonly metadata: Record<string, string>;
}

/**
 * Reads a safetensors file (https://github.com/huggingface/safetensors#format). F16 and BF16 become float32.
 *
 * @throws FormatError naming the defect if the file is missing or breaks the format in any way
 */
export async function readSafetensors(path: string): Promise<Safetensors> {
  return decodeSafetensors(await readFileBytes(path, "a safetensors file"), path);
}

/**
 * The tensors in the bytes of a safetensors file, copied out of them.
 *
 * @param source what to call the bytes in errors
 * @throws FormatError naming the defect if the bytes break the format in any way
 */
export function decodeSafetensors(bytes: Uint8Array, source: string): Safetensors {
  const { entries, metadata, dataStart } = parseHeader(bytes, source);
  const tensors = new Map<string, StoredTensor>();
  for (const entry of entries) {
    // Not bytes.slice(): of Node's Buffer that is a view, whose buffer is the whole file.
    const stored = new Uint8Array(bytes.subarray(dataStart + entry.begin, dataStart + entry.end));
    if (entry.dtype === "BOOL") expectBooleans(stored, entry.name, source);
    const { dtype, shape } = entry;
    tensors.set(entry.name, { dtype, shape, data: DTYPES[dtype].decode(stored.buffer) } as StoredTensor);
  }
  return { tensors, metadata };
}

/**
 * Writes tensors as a safetensors file, atomically: after an error the old file, if any, is as it was.
 *
 * @param tensors F16 and BF16 are rounded from float32 to the nearest, ties to even
 * @param metadata free text, such as the model's name
 * @throws ArgumentError if a tensor's data does not fit its dtype and shape, or a name is reserved
 * @throws RdiError if the file cannot be written
 */
export async function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, StoredTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  await writeFileAtomic(path, encodeSafetensors(tensors, metadata));
}

/** The content of a safetensors file in pieces; see `writeSafetensors`. */
export function encodeSafetensors(
  tensors: ReadonlyMap<string, StoredTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array[] {
  for (const [key, value] of Object.entries(metadata)) {
    expectArgument(typeof value === "string", `metadata[${JSON.stringify(key)}]`, "a string", value);
  }
  for (const [name, tensor] of tensors) checkTensor(name, tensor);
  // Widest values first, so that every tensor is aligned to its own values; then by name, so that files are comparable.
  const ordered = [...tensors].sort(
    ([nameA, a], [nameB, b]) => DTYPES[b.dtype].bytes - DTYPES[a.dtype].bytes || (nameA < nameB ? -1 : 1),
  );
  const header: [string, unknown][] = [];
  if (Object.keys(metadata).length > 0) header.push(["__metadata__", metadata]);
  const payload: Uint8Array[] = [];
  let offset = 0;
  for (const [name, tensor] of ordered) {
    const stored = encodeTensor(tensor);
    const end = offset + stored.byteLength;
    header.push([name, { dtype: tensor.dtype, shape: tensor.shape, data_offsets: [offset, end] }]);
    payload.push(stored);
    offset = end;
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
  const padded = new Uint8Array(Math.ceil(json.length / 8) * 8).fill(0x20);
  padded.set(json);
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(padded.length), true);
  return [length, padded, ...payload];
}

/** Whether the data fit the dtype and the shape: callers from JavaScript have no types to tell them. */
function checkTensor(name: string, tensor: StoredTensor): void {
  const { dtype, shape, data } = tensor;
  const what = `tensor ${JSON.stringify(name)}`;
  if (name === "__metadata__") throw new ArgumentError(`Expected a tensor name other than "__metadata__"`);
  const known = Object.hasOwn(DTYPES, dtype);
  expectArgument(known, `the dtype of ${what}`, `one of ${Object.keys(DTYPES).join(", ")}`, dtype);
  const { array } = DTYPES[dtype];
  expectArgument(data instanceof array, `the data of ${what}`, `a ${array.name} for dtype ${dtype}`, data);
  const dimensions = shape.every((size) => Number.isSafeInteger(size) && size >= 0);
  expectArgument(dimensions, `the shape of ${what}`, "non-negative integers", shape);
  const count = shape.reduce((product, size) => product * size, 1);
  if (data.length !== count) {
    throw new ArgumentError(
      `Expected ${count} values for ${what} of shape [${shape.join(", ")}] but received ${data.length}`,
    );
  }
}

/** The bytes to store for a tensor whose data fit its dtype, a tie that the compiler cannot follow through the table. */
function encodeTensor({ dtype, data }: StoredTensor): Uint8Array {
  return (DTYPES[dtype] as { encode(values: StoredTensor["data"]): Uint8Array }).encode(data);
}
