/** A float32 image, channels × height × width. */
export interface Planes {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly data: Float32Array;
}

/**
 * Scales an image by one factor for both axes until it just fits into `height` × `width`, and centres it there; the
 * rest is 0 (black). An odd pixel of padding goes to the right or the bottom.
 *
 * An axis that shrinks averages the area that each new pixel covers; one that grows interpolates linearly between
 * pixel centres (the edge pixels extend outwards); one that keeps its size keeps its values exactly.
 */
export function fit(image: Planes, height: number, width: number): Planes {
  const scale = Math.min(height / image.height, width / image.width);
  const inner = resize(
    image,
    Math.max(Math.round(image.height * scale), 1),
    Math.max(Math.round(image.width * scale), 1),
  );
  if (inner.height === height && inner.width === width) return inner;
  const top = Math.floor((height - inner.height) / 2);
  const left = Math.floor((width - inner.width) / 2);
  const data = new Float32Array(image.channels * height * width);
  for (let row = 0; row < image.channels * inner.height; row++) {
    const channel = Math.floor(row / inner.height);
    const y = top + (row % inner.height);
    data.set(inner.data.subarray(row * inner.width, (row + 1) * inner.width), (channel * height + y) * width + left);
  }
  return { channels: image.channels, height, width, data };
}

/** Scales both axes, each by the rule of `fit`. */
export function resize(image: Planes, height: number, width: number): Planes {
  const { channels } = image;
  const rows = channels * image.height;
  const wide = resample(image.data, rows, image.width, 1, width);
  const data = resample(wide, channels, image.height, width, height);
  return { channels, height, width, data };
}

/** Resamples the middle axis of [outer, from, inner] to [outer, to, inner]. */
function resample(data: Float32Array, outer: number, from: number, inner: number, to: number): Float32Array {
  if (from === to) return data;
  const out = new Float32Array(outer * to * inner);
  for (let position = 0; position < to; position++) {
    const { start, weights } = to < from ? areaWeights(position, from, to) : linearWeights(position, from, to);
    for (let o = 0; o < outer; o++) {
      for (let i = 0; i < inner; i++) {
        let sum = 0;
        for (let w = 0; w < weights.length; w++) {
          sum += (weights[w] as number) * (data[(o * from + start + w) * inner + i] as number);
        }
        out[(o * to + position) * inner + i] = sum;
      }
    }
  }
  return out;
}

/** The values, from `start` on, that make up one new value, and how much each counts; the weights sum to 1. */
interface Weights {
  readonly start: number;
  readonly weights: readonly number[];
}

/** How much of [position, position + 1) · from/to each old pixel covers. */
function areaWeights(position: number, from: number, to: number): Weights {
  const ratio = from / to;
  const begin = position * ratio;
  const end = Math.min(begin + ratio, from);
  const start = Math.floor(begin);
  const weights: number[] = [];
  for (let pixel = start; pixel < end; pixel++) {
    weights.push((Math.min(pixel + 1, end) - Math.max(pixel, begin)) / (end - begin));
  }
  return { start, weights };
}

/** The two old pixels whose centres lie on either side of the new pixel's centre. */
function linearWeights(position: number, from: number, to: number): Weights {
  const centre = Math.min(Math.max(((position + 0.5) * from) / to - 0.5, 0), from - 1);
  const start = Math.min(Math.floor(centre), Math.max(from - 2, 0));
  const right = centre - start;
  return { start, weights: from === 1 ? [1] : [1 - right, right] };
}
