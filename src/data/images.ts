import { open, readdir, stat } from "node:fs/promises";
import { extname, join } from "node:path";
import { decode as decodeJpeg } from "jpeg-js";
import { PNG } from "pngjs";
import { FormatError, expectArgument } from "../util/errors.js";
import { readFileBytes } from "../util/read-file.js";
import { fit, type Planes } from "./resize.js";

/** Channels (1, gray, or 3, red, green, blue), height and width. */
export type ImageShape = readonly [channels: number, height: number, width: number];

/** 8-bit red, green, blue, alpha, row by row: what both decoders give. */
interface Rgba {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

const EXTENSIONS = [".png", ".jpg", ".jpeg"];
const PNG_SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const JPEG_SIGNATURE = [0xff, 0xd8, 0xff];

/** An image of more pixels is refused before it is unpacked: a small file can claim any size. */
const MAX_MEGAPIXELS = 64;

/** Rec. 601 luma: how bright red, green and blue look. */
const LUMA = [0.299, 0.587, 0.114] as const;

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
 * The image files at `path`: itself, if it is a file; if a folder, those directly in it, sorted by name (by code unit,
 * so the same everywhere), that end in .png, .jpg or .jpeg or begin as such files do. Hidden files are left out.
 *
 * @throws FormatError if there is nothing at `path`, or no image in the folder
 */
export async function listImages(path: string): Promise<string[]> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined)
    throw new FormatError(path, "Expected an image or a folder of images but received nothing there");
  if (!found.isDirectory()) return [path];
  const images: string[] = [];
  for (const name of (await readdir(path)).sort()) {
    const file = join(path, name);
    if (!name.startsWith(".") && (await stat(file)).isFile() && (await isImage(file))) images.push(file);
  }
  if (images.length === 0) throw new FormatError(path, "Expected PNG or JPEG files in the folder but received none");
  return images;
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

function expectShape(shape: ImageShape): void {
  const [channels, height, width] = shape;
  const positive = [height, width].every((size) => Number.isInteger(size) && size > 0);
  expectArgument((channels === 1 || channels === 3) && positive, "shape", "[1 or 3, height, width]", shape);
}

async function isImage(path: string): Promise<boolean> {
  if (EXTENSIONS.includes(extname(path).toLowerCase())) return true;
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(new Uint8Array(PNG_SIGNATURE.length), 0, PNG_SIGNATURE.length, 0);
    const start = buffer.subarray(0, bytesRead);
    return startsWith(start, PNG_SIGNATURE) || startsWith(start, JPEG_SIGNATURE);
  } finally {
    await file.close();
  }
}

function decodeRgba(bytes: Uint8Array, source: string): Rgba {
  try {
    if (startsWith(bytes, PNG_SIGNATURE)) return decodePng(bytes);
    if (startsWith(bytes, JPEG_SIGNATURE)) {
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

/** Float planes in [0, 1], composited on black. */
function planesOf({ width, height, data }: Rgba, channels: number): Planes {
  const plane = width * height;
  const values = new Float32Array(channels * plane);
  for (let at = 0; at < plane; at++) {
    const opacity = (data[4 * at + 3] as number) / (255 * 255);
    const red = (data[4 * at] as number) * opacity;
    const green = (data[4 * at + 1] as number) * opacity;
    const blue = (data[4 * at + 2] as number) * opacity;
    if (channels === 1) {
      values[at] = LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue;
    } else {
      values[at] = red;
      values[plane + at] = green;
      values[2 * plane + at] = blue;
    }
  }
  return { channels, height, width, data: values };
}

function startsWith(bytes: Uint8Array, signature: readonly number[]): boolean {
  return signature.every((byte, i) => bytes[i] === byte);
}
