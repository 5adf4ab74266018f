import { DTYPES } from "../dtypes.js";
import type { StoredTensor } from "../safetensors.js";
import type { TensorView } from "./values.js";

/** The number of bytes of a tensor's values. */
export function tensorBytes({ shape, storage }: TensorView): number {
  // Apart, since the product of the other sizes may be infinite.
  if (shape.includes(0)) return 0;
  return shape.reduce((product, size) => product * size, DTYPES[storage.dtype].bytes);
}

/**
 * A tensor's values in row-major order, copied out of its storage.
 *
 * @param stored the bytes of the whole storage
 */
export function gather(view: TensorView, stored: Uint8Array, littleEndian: boolean): StoredTensor {
  const { shape, storage } = view;
  const { dtype } = storage;
  const size = DTYPES[dtype].bytes;
  const bytes = isContiguous(view)
    ? new Uint8Array(stored.subarray(size * view.offset, size * view.offset + tensorBytes(view)))
    : gatherStrided(view, stored, size);
  if (!littleEndian) swapBytes(bytes, size);
  return { dtype, shape, data: DTYPES[dtype].decode(bytes.buffer as ArrayBuffer) } as StoredTensor;
}

function isContiguous({ shape, strides }: TensorView): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== expected) return false;
    expected *= shape[axis]!;
  }
  return true;
}

function gatherStrided(view: TensorView, stored: Uint8Array, size: number): Uint8Array {
  const { shape, strides } = view;
  const bytes = new Uint8Array(tensorBytes(view));
  const index = shape.map(() => 0);
  let from = view.offset;
  for (let to = 0; to < bytes.length; to += size) {
    for (let k = 0; k < size; k++) bytes[to + k] = stored[size * from + k]!;
    // The next index in row-major order: the last axis runs fastest.
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      from -= strides[axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
  return bytes;
}

function swapBytes(bytes: Uint8Array, size: number): void {
  for (let start = 0; start < bytes.length; start += size) bytes.subarray(start, start + size).reverse();
}
