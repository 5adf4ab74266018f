import { expectArgument } from "../util/errors.js";
import type { Planes } from "./resize.js";

/** Channels (1, gray, or 3, red, green, blue), height and width. */
export type ImageShape = readonly [channels: number, height: number, width: number];

/** 8-bit red, green, blue, alpha, row by row: what decoders and canvases give. */
export interface Rgba {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array | Uint8ClampedArray;
}

/** Rec. 601 luma: how bright red, green and blue look. */
const LUMA = [0.299, 0.587, 0.114] as const;

/** @throws ArgumentError */
export function expectShape(shape: ImageShape): void {
  const [channels, height, width] = shape;
  const positive = [height, width].every((size) => Number.isInteger(size) && size > 0);
  expectArgument((channels === 1 || channels === 3) && positive, "shape", "[1 or 3, height, width]", shape);
}

/** Float planes in [0, 1], composited on black. */
export function planesOf({ width, height, data }: Rgba, channels: number): Planes {
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
