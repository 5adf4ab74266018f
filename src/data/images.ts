import { decode as decodeJpeg } from "jpeg-js";
import { PNG } from "pngjs";
import { FormatError, expectArgument } from "../util/errors.js";
import { readFileBytes } from "../util/read-file.js";
import { imageKind } from "./image-files.js";
import { expectShape, planesOf, type ImageShape, type Rgba } from "./pixels.js";
import { fit } from "./resize.js";

/** An image of more pixels is refused before it is unpacked: a small file can claim any size. */
const MAX_MEGAPIXELS = 64;

/**
 * Reads a PNG or JPEG file as a network's input; see `decodeImage`.
 *
 * @throws FormatError if the file cannot be read or decoded
 */
export async function readImage(path: string, shape: ImageShape): Promise<Float32Array> {
  return decodeImage(await readFileBytes(path, "an image"), path, shape);
}

/**
 * Decodes a PNG or a JPEG, told apart by content, to float32 in [0, 1] of the wanted shape, channels × height × width.
 *
 * Alpha is composited on black. One channel is the Rec. 601 luma of the colours. The image is scaled to fit, keeping its
 * aspect, and padded with black around (see `fit` for the rules). An orientation noted in Exif is not applied.
 *
 * @param source what to call the bytes in errors
 * @throws ArgumentError if the shape is not 1 or 3 channels by positive sizes
 * @throws FormatError if the bytes are no intact PNG or JPEG, or hold over 64 megapixels
 */
export function decodeImage(bytes: Uint8Array, source: string, shape: ImageShape): Float32Array {
  expectShape(shape);
  const [channels, height, width] = shape;
  return fit(planesOf(decodeRgba(bytes, source), channels), height, width).data;
}

/**
 * An 8-bit PNG of an image, gray for one channel and RGB for three.
 *
 * @param image float32, channels × height × width; values are clipped to [0, 1]
 * @param scale every pixel becomes scale × scale pixels; a positive integer, 1 by default
 */
export function encodePng(image: Float32Array, shape: ImageShape, scale = 1): Uint8Array {
  expectShape(shape);
  const [channels, height, width] = shape;
  const plane = height * width;
  expectArgument(image.length === channels * plane, "image", `${channels * plane} values`, image.length);
  expectArgument(Number.isInteger(scale) && scale > 0, "scale", "a positive integer", scale);
  const png = new PNG({ width: width * scale, height: height * scale });
  for (let y = 0; y < png.height; y++) {
    for (let x = 0; x < png.width; x++) {
      const from = Math.floor(y / scale) * width + Math.floor(x / scale);
      const to = 4 * (y * png.width + x);
      for (let c = 0; c < 3; c++) {
        const value = image[(channels === 3 ? c * plane : 0) + from] as number;
        png.data[to + c] = Math.round(255 * Math.min(Math.max(value, 0), 1));
      }
      png.data[to + 3] = 255;
    }
  }
  const encoded = PNG.sync.write(png, { colorType: channels === 3 ? 2 : 0, inputColorType: 6, inputHasAlpha: true });
  return new Uint8Array(encoded);
}

function decodeRgba(bytes: Uint8Array, source: string): Rgba {
  try {
    const kind = imageKind(bytes);
    if (kind === "png") return decodePng(bytes);
    if (kind === "jpeg") {
      return decodeJpeg(bytes, { useTArray: true, tolerantDecoding: false, maxResolutionInMP: MAX_MEGAPIXELS });
    }
  } catch (error) {
    throw new FormatError(source, `Expected an intact image but received: ${(error as Error).message}`);
  }
  const start = Array.from(bytes.subarray(0, 8), (byte) => byte.toString(16).padStart(2, "0")).join(" ");
  throw new FormatError(source, `Expected a PNG or JPEG image but received ${start === "" ? "no bytes" : start}`);
}

function decodePng(bytes: Uint8Array): Rgba {
  const header = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  // The size stands in the first chunk, after its length and name.
  const [width, height] = [header.getUint32(16), header.getUint32(20)];
  if (width * height > MAX_MEGAPIXELS * 1e6) {
    throw new RangeError(`${width} × ${height} pixels, over ${MAX_MEGAPIXELS} megapixels`);
  }
  return PNG.sync.read(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
}
