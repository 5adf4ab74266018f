import { FormatError } from "../util/errors.js";

/** An IDX file of unsigned bytes: the format of MNIST and its kin (http://yann.lecun.com/exdb/mnist/). */
export interface IdxFile {
  /** As many sizes as the file has dimensions. */
  readonly shape: readonly number[];
  /** The values, row-major; a view of the file's bytes. */
  readonly data: Uint8Array;
}

/** Third byte of the magic number: the type of the values. */
const UNSIGNED_BYTE = 0x08;

/**
 * Parses an IDX file of unsigned bytes: two zero bytes, the type, the number of dimensions, each size as a big-endian
 * 32-bit integer, then the values.
 *
 * @param source what to call the bytes in errors
 * @param dimensions how many the file must have: 3 for images, 1 for labels
 * @throws FormatError if the magic number is another, or bytes are missing or left over
 */
export function parseIdx(bytes: Uint8Array, source: string, dimensions: number): IdxFile {
  const headerLength = 4 + 4 * dimensions;
  const magic = (UNSIGNED_BYTE << 8) | dimensions;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const actual = bytes.length >= 4 ? view.getUint32(0) : undefined;
  if (actual !== undefined && actual !== magic) {
    throw new FormatError(source, `Expected the IDX magic number ${hex(magic)} but received ${hex(actual)}`);
  }
  if (bytes.length < headerLength) {
    throw new FormatError(source, `Expected an IDX header of ${headerLength} bytes but received ${bytes.length} bytes`);
  }
  const shape = Array.from({ length: dimensions }, (_, i) => view.getUint32(4 + 4 * i));
  const expected = shape.reduce((product, size) => product * size, 1);
  const data = bytes.subarray(headerLength);
  if (data.length !== expected) {
    const defect = data.length < expected ? "the file is truncated" : "there are trailing bytes";
    const wanted = `${expected} bytes of data (${shape.join(" × ")})`;
    throw new FormatError(source, `Expected ${wanted} but received ${data.length}: ${defect}`);
  }
  return { shape, data };
}

function hex(magic: number): string {
  return `0x${magic.toString(16).padStart(8, "0")}`;
}
