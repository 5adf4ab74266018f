import { deflateSync } from "node:zlib";

/** Codes of MATLAB's types. */
export const UINT8 = 2;
export const DOUBLE = 9;
const INT8 = 1;
const INT32 = 5;
const UINT32 = 6;
const MATRIX = 14;
const COMPRESSED = 15;

/** A MATLAB 5 file of elements. */
export function matFile(elements: readonly Uint8Array[], version = 1, order = "IM"): Uint8Array {
  const header = Buffer.alloc(128, " ");
  header.write("MATLAB 5.0 MAT-file");
  header.fill(0, 116);
  header[125] = version;
  header.write(order, 126);
  return Buffer.concat([header, ...elements]);
}

/** An array; `values` are its bytes as they are stored, of the given type. */
export function matArray(name: string, shape: readonly number[], values: Uint8Array, type = UINT8): Uint8Array {
  const arrayClass = Uint32Array.of(9, 0);
  return part(
    MATRIX,
    Buffer.concat([
      part(UINT32, new Uint8Array(arrayClass.buffer)),
      part(INT32, new Uint8Array(Int32Array.from(shape).buffer)),
      part(INT8, Buffer.from(name)),
      part(type, values),
    ]),
  );
}

export function compressed(element: Uint8Array): Uint8Array {
  const packed = deflateSync(element);
  return Buffer.concat([Buffer.from(Uint32Array.of(COMPRESSED, packed.length).buffer), packed]);
}

/** A tagged part, padded to 8 bytes; one of at most 4 bytes lies in its tag. */
export function part(type: number, bytes: Uint8Array): Uint8Array {
  const small = bytes.length > 0 && bytes.length <= 4;
  const head = small ? Uint32Array.of((bytes.length << 16) | type) : Uint32Array.of(type, bytes.length);
  const length = Math.ceil((head.byteLength + bytes.length) / 8) * 8;
  const padded = Buffer.alloc(length);
  padded.set(new Uint8Array(head.buffer));
  padded.set(bytes, head.byteLength);
  return padded;
}

/** SVHN images whose pixel (channel c, row y, column x) of image n is 64c + 2y + x + n. */
export function svhnPixels(images: number): Uint8Array {
  const pixels = new Uint8Array(3072 * images);
  for (const at of pixels.keys()) {
    const [y, x, c, n] = [at % 32, (at >> 5) % 32, (at >> 10) % 3, Math.floor(at / 3072)];
    pixels[at] = 64 * c + 2 * y + x + n;
  }
  return pixels;
}
