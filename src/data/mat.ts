import { createReadStream } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { pipeline } from "node:stream";
import { createInflate } from "node:zlib";
import { FormatError } from "../util/errors.js";
import { ByteReader } from "./byte-reader.js";

/** A numeric array of a MATLAB file whose values are bytes. */
export interface MatArray {
  readonly shape: readonly number[];
  /** Column-major: the first index runs fastest. */
  readonly data: Uint8Array;
}

/** What an array may hold: far above the 225 MB of SVHN's largest. */
const MAX_BYTES = 2 ** 29;
/** What the parts before the values may hold: the dimensions, the name. */
const MAX_HEADER_BYTES = 1024;
const CHUNK = 2 ** 18;

const FILE_HEADER = 128;
const MATRIX = 14;
const COMPRESSED = 15;

/** Makes an array of numbers over little-endian bytes, as this machine and the files have them. */
interface Storage {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBufferLike, offset: number, length: number): ArrayLike<number>;
}

/** How values are stored, by the code of the type; it may be narrower than the array's own type. */
const STORAGE: ReadonlyMap<number, Storage> = new Map<number, Storage>([
  [1, Int8Array],
  [2, Uint8Array],
  [3, Int16Array],
  [4, Uint16Array],
  [5, Int32Array],
  [6, Uint32Array],
  [7, Float32Array],
  [9, Float64Array],
]);

/**
 * Arrays of a MATLAB 5 file (the format of `save -v6` and `-v7`: MathWorks, "MAT-File Format", 2.1) whose values are integers from 0 to 255. An array that
 * is compressed is unpacked as a stream into the memory that it needs, and not before its size has been checked.
 *
 * @param names the arrays to read; the others are passed over
 * @throws FormatError if the file cannot be read, is of another version or corrupt, lacks an array, or has a larger value in one
 */
export async function readMat<Name extends string>(
  path: string,
  names: readonly Name[],
): Promise<Record<Name, MatArray>> {
  const arrays = new Map<string, MatArray>();
  try {
    const file = await open(path);
    try {
      for await (const [name, array] of arraysIn(path, file, new Set(names))) arrays.set(name, array);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw new FormatError(path, `Expected an intact MATLAB 5 file but received: ${(error as Error).message}`);
  }
  const missing = names.filter((name) => !arrays.has(name));
  if (missing.length > 0) throw new FormatError(path, `Expected the array ${missing.join(", ")} but received none`);
  return Object.fromEntries(arrays) as Record<Name, MatArray>;
}

async function* arraysIn(
  path: string,
  file: FileHandle,
  names: ReadonlySet<string>,
): AsyncGenerator<[string, MatArray]> {
  const { size } = await file.stat();
  await expectHeader(file);
  for (let at = FILE_HEADER; at < size;) {
    const { type, length } = tagOf(await bytesAt(file, at, 8));
    const end = at + 8 + length;
    if (end > size) throw new RangeError(`an element that ends at byte ${end} of ${size}: the file is truncated`);
    const packed = createReadStream(path, { start: at + 8, end: end - 1, highWaterMark: CHUNK });
    // A failure to read arrives as a failure of the stream that is iterated.
    const stream = type === COMPRESSED ? pipeline(packed, createInflate({ chunkSize: CHUNK }), () => {}) : packed;
    try {
      const reader = new ByteReader(stream as AsyncIterable<Buffer>);
      const inner = type === COMPRESSED ? tagOf(await reader.read(8)).type : type;
      if (inner !== MATRIX) throw new RangeError(`an element of type ${inner} instead of an array`);
      const array = await readArray(reader, names);
      if (array !== undefined) yield array;
    } finally {
      stream.destroy();
    }
    at = end;
  }
}

async function expectHeader(file: FileHandle): Promise<void> {
  const bytes = await bytesAt(file, 0, FILE_HEADER);
  const order = String.fromCharCode(bytes[126]!, bytes[127]!);
  if (order !== "IM" || bytes[125] !== 1) {
    throw new RangeError(`a header of version ${bytes[125]}, byte order ${JSON.stringify(order)} (needed: 1, "IM")`);
  }
}

async function bytesAt(file: FileHandle, position: number, length: number): Promise<Uint8Array> {
  const { bytesRead, buffer } = await file.read(new Uint8Array(length), 0, length, position);
  if (bytesRead < length) throw new RangeError(`the end of the file ${length - bytesRead} bytes too early`);
  return buffer;
}

/** The type and the length of what follows; or, of a small element, its bytes, which follow at once. */
function tagOf(tag: Uint8Array): { readonly type: number; readonly length: number; readonly small?: Uint8Array } {
  const view = new DataView(tag.buffer, tag.byteOffset, tag.byteLength);
  const [type, length] = [view.getUint32(0, true), view.getUint32(4, true)];
  if (type >>> 16 === 0) return { type, length };
  const short = type >>> 16;
  if (short > 4) throw new RangeError(`a small element of ${short} bytes`);
  return { type: type & 0xffff, length: short, small: tag.subarray(4, 4 + short) };
}

/** A part of an array; parts begin at multiples of 8 bytes. */
async function readPart(
  reader: ByteReader,
  expectLength: (length: number, type: number) => void,
): Promise<{ readonly type: number; readonly bytes: Uint8Array }> {
  const { type, length, small } = tagOf(await reader.read(8));
  expectLength(length, type);
  if (small !== undefined) return { type, bytes: small.slice() };
  const bytes = await reader.read(length);
  if (length % 8 > 0) await reader.read(8 - (length % 8));
  return { type, bytes };
}

/** The array that a reader stands at the beginning of; undefined if it is none of the wanted ones. */
async function readArray(
  reader: ByteReader,
  names: ReadonlySet<string>,
): Promise<[name: string, array: MatArray] | undefined> {
  const expectHeaderLength = (length: number): void => {
    if (length > MAX_HEADER_BYTES) throw new RangeError(`an array whose header has a part of ${length} bytes`);
  };
  await readPart(reader, expectHeaderLength); // The array's own type: what counts is how it is stored.
  const dimensions = await readPart(reader, expectHeaderLength);
  const name = new TextDecoder().decode((await readPart(reader, expectHeaderLength)).bytes);
  if (!names.has(name)) return undefined;
  const shape = Array.from(typed(Int32Array, dimensions.bytes));
  const count = shape.reduce((product, size) => product * size, 1);
  const { type, bytes } = await readPart(reader, (length, code) => {
    const width = STORAGE.get(code)?.BYTES_PER_ELEMENT;
    if (width === undefined) throw new RangeError(`the array ${name}, whose values are of type ${code}, not numbers`);
    if (length !== count * width || length > MAX_BYTES) {
      throw new RangeError(`the array ${name} of ${shape.join(" × ")} values in ${length} bytes`);
    }
  });
  if (!(await reader.ended())) throw new RangeError(`bytes after the values of the array ${name}`);
  const values = typed(STORAGE.get(type)!, bytes);
  return [name, { shape, data: values instanceof Uint8Array ? values : bytesOf(values, name) }];
}

function bytesOf(values: ArrayLike<number>, name: string): Uint8Array {
  return Uint8Array.from(values, (value) => {
    if (Number.isInteger(value) && value >= 0 && value <= 255) return value;
    throw new RangeError(`the value ${value} in the array ${name}`);
  });
}

function typed(storage: Storage, bytes: Uint8Array): ArrayLike<number> {
  const width = storage.BYTES_PER_ELEMENT;
  if (bytes.length % width > 0) throw new RangeError(`numbers of ${width} bytes in ${bytes.length} bytes`);
  return new storage(bytes.buffer, bytes.byteOffset, bytes.length / width);
}
