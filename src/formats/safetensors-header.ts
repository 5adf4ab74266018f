import { FormatError } from "../util/errors.js";
import { quote } from "../util/quote.js";
import { DTYPES, type Dtype } from "./dtypes.js";
import { duplicateKey } from "./json-keys.js";

/** Where one tensor lies: bytes [begin, end) of the data that follow the header. */
export interface TensorEntry {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

export interface Header {
  /** Sorted by place; together they cover the data without gap or overlap. */
  readonly entries: readonly TensorEntry[];
  readonly metadata: Record<string, string>;
  /** Where in the file the data begin. */
  readonly dataStart: number;
}

/** The limit of the format's own reader, so that a broken length cannot ask for all the memory. */
const MAX_HEADER_BYTES = 100_000_000;

/**
 * Parses and checks the header of a safetensors file: an 8-byte little-endian length, then that many bytes of JSON.
 *
 * @throws FormatError naming what was expected and what came
 */
export function parseHeader(bytes: Uint8Array, source: string): Header {
  const fail = (message: string): never => {
    throw new FormatError(source, message);
  };
  if (bytes.length < 8) fail(`Expected a safetensors file of at least 8 bytes but received ${bytes.length}`);
  const length = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  if (length > MAX_HEADER_BYTES) fail(`Expected a header of at most ${MAX_HEADER_BYTES} bytes but received ${length}`);
  const dataStart = 8 + Number(length);
  if (dataStart > bytes.length) {
    fail(`Expected a header of ${length} bytes but the file ends after ${bytes.length - 8}: it is truncated`);
  }
  const header = parseObject(bytes.subarray(8, dataStart), fail);
  const entries: TensorEntry[] = [];
  let metadata: Record<string, string> = {};
  for (const [name, value] of Object.entries(header)) {
    if (name === "__metadata__") metadata = checkMetadata(value, fail);
    else entries.push(checkEntry(name, value, fail));
  }
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
  checkCover(entries, bytes.length - dataStart, fail);
  return { entries, metadata, dataStart };
}

type Fail = (message: string) => never;

function parseObject(bytes: Uint8Array, fail: Fail): Record<string, unknown> {
  if (bytes[0] !== 0x7b) {
    fail(`Expected a JSON object, beginning with "{", as header but received ${describeStart(bytes)}`);
  }
  let text: string;
  let header: unknown;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    header = JSON.parse(text);
  } catch (error) {
    return fail(`Expected a header of valid JSON but received: ${(error as Error).message}`);
  }
  const duplicate = duplicateKey(text);
  if (duplicate !== undefined) fail(`Expected each name once in the header but received ${quote(duplicate)} twice`);
  // Text that begins with "{" and parses is an object.
  return header as Record<string, unknown>;
}

function checkMetadata(value: unknown, fail: Fail): Record<string, string> {
  if (!isObject(value)) return fail(`Expected an object for __metadata__ but received ${quote(value)}`);
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== "string") fail(`Expected a string for __metadata__.${key} but received ${quote(text)}`);
  }
  return value as Record<string, string>;
}

function checkEntry(name: string, value: unknown, fail: Fail): TensorEntry {
  const what = `tensor ${quote(name)}`;
  if (!isObject(value)) return fail(`Expected an object for ${what} but received ${quote(value)}`);
  const { dtype, shape, data_offsets: offsets } = value;
  if (typeof dtype !== "string" || !isDtype(dtype)) {
    return fail(
      `Expected one of ${Object.keys(DTYPES).join(", ")} for the dtype of ${what} but received ${quote(dtype)}`,
    );
  }
  if (!isSizes(shape)) {
    return fail(`Expected an array of non-negative integers for the shape of ${what} but received ${quote(shape)}`);
  }
  if (!isSizes(offsets) || offsets.length !== 2) {
    return fail(`Expected two non-negative integers for the data_offsets of ${what} but received ${quote(offsets)}`);
  }
  const [begin, end] = offsets as [number, number];
  const size = DTYPES[dtype].bytes;
  const needed = shape.reduce((product, dimension) => product * dimension, size);
  if (end - begin !== needed) {
    fail(`Expected ${needed} bytes for ${what} (${dtype} ${quote(shape)}) but received data_offsets ${quote(offsets)}`);
  }
  if (begin % size !== 0)
    fail(`Expected a multiple of ${size} for the offset of ${what} (${dtype}) but received ${begin}`);
  return { name, dtype, shape, begin, end };
}

/** Tensors sorted by place must cover the data exactly: the format allows neither gaps nor overlaps. */
function checkCover(entries: readonly TensorEntry[], dataLength: number, fail: Fail): void {
  let end = 0;
  let before = "the header";
  for (const entry of entries) {
    const what = `tensor ${quote(entry.name)}`;
    if (entry.end > dataLength) {
      fail(`Expected ${what} inside the ${dataLength} bytes of data but received an end at ${entry.end}: truncated?`);
    }
    if (entry.begin !== end) {
      const defect = entry.begin < end ? "overlap" : "a gap";
      fail(`Expected ${what} to begin at ${end}, after ${before}, but received ${entry.begin}: ${defect}`);
    }
    end = entry.end;
    before = what;
  }
  if (end !== dataLength) fail(`Expected the data to end at ${end}, after ${before}, but received ${dataLength} bytes`);
}

function isDtype(name: string): name is Dtype {
  return Object.hasOwn(DTYPES, name);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

function describeStart(bytes: Uint8Array): string {
  return bytes.length === 0 ? "an empty header" : quote(String.fromCharCode(...bytes.subarray(0, 16)));
}
