import { FormatError } from "../util/errors.js";
import { bfloatOfFloat, floatOfBfloat, floatOfHalf, halfOfFloat } from "./half.js";

/** In which array the values of each stored dtype are held in memory; 16-bit floats are widened to float32. */
export interface DtypeArrays {
  F64: Float64Array;
  F32: Float32Array;
  F16: Float32Array;
  BF16: Float32Array;
  I64: BigInt64Array;
  I32: Int32Array;
  I16: Int16Array;
  I8: Int8Array;
  U64: BigUint64Array;
  U32: Uint32Array;
  U16: Uint16Array;
  U8: Uint8Array;
  /** 0 or 1 a value. */
  BOOL: Uint8Array;
}

export type Dtype = keyof DtypeArrays;

interface DtypeDef<D extends Dtype> {
  /** Bytes a value takes in the file. */
  readonly bytes: number;
  readonly array: abstract new (length: number) => DtypeArrays[D];
  /** The values in `stored`, which they may take over. */
  decode(stored: ArrayBuffer): DtypeArrays[D];
  /** The bytes to store; may be a view of `values`. */
  encode(values: DtypeArrays[D]): Uint8Array;
}

interface ArrayType<A> {
  new (bufferOrLength: ArrayBuffer | number): A;
  readonly BYTES_PER_ELEMENT: number;
}

/** Every dtype that can be read and written. Files are little-endian, as is every machine that runs this. */
export const DTYPES: { readonly [D in Dtype]: DtypeDef<D> } = {
  F64: plain(Float64Array),
  F32: plain(Float32Array),
  F16: narrow(floatOfHalf, halfOfFloat),
  BF16: narrow(floatOfBfloat, bfloatOfFloat),
  I64: plain(BigInt64Array),
  I32: plain(Int32Array),
  I16: plain(Int16Array),
  I8: plain(Int8Array),
  U64: plain(BigUint64Array),
  U32: plain(Uint32Array),
  U16: plain(Uint16Array),
  U8: plain(Uint8Array),
  BOOL: plain(Uint8Array),
};

function plain<A extends ArrayBufferView>(array: ArrayType<A>) {
  return {
    bytes: array.BYTES_PER_ELEMENT,
    array,
    decode: (stored: ArrayBuffer): A => new array(stored),
    encode: (values: A): Uint8Array => new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
  };
}

function narrow(widen: (bits: number) => number, round: (value: number) => number) {
  return {
    bytes: 2,
    array: Float32Array,
    decode: (stored: ArrayBuffer): Float32Array => Float32Array.from(new Uint16Array(stored), widen),
    encode: (values: Float32Array): Uint8Array => new Uint8Array(Uint16Array.from(values, round).buffer),
  };
}

/** @throws FormatError if a value of a BOOL tensor is neither 0 nor 1 */
export function expectBooleans(stored: Uint8Array, name: string, source: string): void {
  const at = stored.findIndex((value) => value > 1);
  if (at < 0) return;
  const what = `value ${at} of the BOOL tensor ${JSON.stringify(name)}`;
  throw new FormatError(source, `Expected 0 or 1 for ${what} but received ${String(stored[at])}`);
}
