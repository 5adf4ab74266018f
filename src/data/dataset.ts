import { expectArgument } from "../util/errors.js";
import { Random } from "../util/random.js";

/** Labelled images of one size, read on demand. */
export interface Dataset {
  readonly name: string;
  /** Labels lie in [0, classes). */
  readonly classes: number;
  /** What the labels stand for, where the data set says so. */
  readonly classNames?: readonly string[];
  readonly imageShape: readonly [channels: number, height: number, width: number];
  /** How many images there are. */
  readonly length: number;
  /**
   * Copies the images and labels at `indices` into the outputs.
   *
   * @param indices integers in [0, length), in any order, repeats allowed
   * @param images float32 NCHW in [0, 1], exactly `indices.length` images long
   * @param labels exactly `indices.length` long
   * @throws ArgumentError if an index is out of range or an output has another length
   */
  read(indices: ArrayLike<number>, images: Float32Array, labels: Int32Array): void;
}

/** What a dataset of 8-bit pixels must tell about itself. */
export interface ByteSource {
  readonly name: string;
  readonly classes: number;
  readonly classNames?: readonly string[];
  readonly imageShape: Dataset["imageShape"];
  readonly length: number;
  /** The pixels of image `index`, channels × height × width bytes; a view, not kept by the caller. */
  pixels(index: number): Uint8Array;
  label(index: number): number;
}

/** Images and labels of consecutive positions of an epoch. */
export interface Batch {
  /** float32 NCHW in [0, 1], `size` images. */
  readonly images: Float32Array;
  readonly labels: Int32Array;
  /** Where in the dataset each image came from. */
  readonly indices: Uint32Array;
  readonly size: number;
}

export interface BatchOptions {
  readonly batchSize: number;
  /** Visit the images in `epochOrder(length, shuffleSeed, epoch)`; without it, in order. */
  readonly shuffleSeed?: number;
  /** Which of the orders of `shuffleSeed`; 0 by default. */
  readonly epoch?: number;
  /** Leave out a last batch that is smaller than `batchSize`. */
  readonly dropLast?: boolean;
}

/** Names of the random streams of this file, so that one seed can serve both uses. */
const SHUFFLE_STREAM = 0x5f0001;
const SPLIT_STREAM = 0x5f0002;

/** v / 255 as float32: pixels in memory stay bytes. */
const UNIT_OF_BYTE = Float32Array.from({ length: 256 }, (_, v) => v / 255);

/** The number of values in one image of the dataset. */
export function imageSize(dataset: Pick<Dataset, "imageShape">): number {
  const [channels, height, width] = dataset.imageShape;
  return channels * height * width;
}

/** A dataset over 8-bit pixels; floats (pixel / 255) are made only as images are read. */
export function byteDataset(source: ByteSource): Dataset {
  const size = imageSize(source);
  const { length } = source;
  return {
    ...described(source),
    length,
    read(indices, images, labels) {
      expectReadable(length, size, indices, images, labels);
      for (let n = 0; n < indices.length; n++) {
        const index = indices[n] as number;
        const pixels = source.pixels(index);
        for (let p = 0, at = n * size; p < size; p++) images[at++] = UNIT_OF_BYTE[pixels[p] as number] as number;
        labels[n] = source.label(index);
      }
    },
  };
}

/**
 * The images at `indices` of a dataset, in that order, as a dataset.
 *
 * @throws ArgumentError if an index is not an integer in [0, dataset.length)
 */
export function subset(dataset: Dataset, indices: ArrayLike<number>): Dataset {
  expectIndices(indices, dataset.length);
  const chosen = Uint32Array.from(indices);
  return view(dataset, chosen.length, (index) => chosen[index] as number);
}

/**
 * At most `limit` consecutive images from `offset` on, as a dataset: fewer where the dataset ends before.
 *
 * @throws ArgumentError if `offset` is not an integer in [0, length] or `limit` is not a non-negative integer
 */
export function slice(dataset: Dataset, offset: number, limit: number = dataset.length): Dataset {
  const inside = Number.isInteger(offset) && offset >= 0 && offset <= dataset.length;
  expectArgument(inside, "offset", `an integer in [0, ${dataset.length}]`, offset);
  expectArgument(Number.isInteger(limit) && limit >= 0, "limit", "a non-negative integer", limit);
  return view(dataset, Math.min(limit, dataset.length - offset), (index) => offset + index);
}

/**
 * Splits a dataset at random into two disjoint parts that together hold every image once.
 *
 * @param fraction the share of images held out, in (0, 1); rounded to whole images, at least one on either side
 * @returns [train, held out], both in the dataset's own order
 * @throws ArgumentError if `fraction` is outside (0, 1) or the dataset has fewer than two images
 */
export function split(dataset: Dataset, fraction: number, seed: number): [train: Dataset, heldOut: Dataset] {
  expectArgument(fraction > 0 && fraction < 1, "fraction", "a number in (0, 1)", fraction);
  expectArgument(dataset.length >= 2, "dataset", "at least two images to split", dataset.length);
  const heldOut = Math.min(Math.max(Math.round(dataset.length * fraction), 1), dataset.length - 1);
  const order = randomOf(seed, SPLIT_STREAM).permutation(dataset.length);
  return [subset(dataset, order.slice(heldOut).sort()), subset(dataset, order.slice(0, heldOut).sort())];
}

/** The order in which `epoch` visits `length` images: a permutation that depends on nothing else but the seed. */
export function epochOrder(length: number, seed: number, epoch: number): Uint32Array {
  expectArgument(Number.isSafeInteger(epoch) && epoch >= 0, "epoch", "a non-negative integer", epoch);
  return randomOf(seed, SHUFFLE_STREAM, epoch).permutation(length);
}

/**
 * One pass over a dataset. Every batch has arrays of its own, so it may be kept.
 *
 * @throws ArgumentError if `batchSize` is not a positive integer
 */
export function batches(dataset: Dataset, options: BatchOptions): Iterable<Batch> {
  const { batchSize, shuffleSeed, epoch = 0, dropLast = false } = options;
  expectArgument(Number.isInteger(batchSize) && batchSize > 0, "batchSize", "a positive integer", batchSize);
  const order =
    shuffleSeed === undefined ? firstIndices(dataset.length) : epochOrder(dataset.length, shuffleSeed, epoch);
  const end = dropLast ? dataset.length - (dataset.length % batchSize) : dataset.length;
  return {
    *[Symbol.iterator]() {
      for (let start = 0; start < end; start += batchSize) {
        yield readBatch(dataset, order.slice(start, Math.min(start + batchSize, end)));
      }
    },
  };
}

/** The images at `indices`, in new arrays. */
export function readBatch(dataset: Dataset, indices: Uint32Array): Batch {
  const size = indices.length;
  const images = new Float32Array(size * imageSize(dataset));
  const labels = new Int32Array(size);
  dataset.read(indices, images, labels);
  return { images, labels, indices, size };
}

/** The first `count` images, in new arrays; all of them by default. */
export function readFirst(dataset: Dataset, count = dataset.length): Batch {
  return readBatch(dataset, firstIndices(count));
}

function firstIndices(count: number): Uint32Array {
  return Uint32Array.from({ length: count }, (_, i) => i);
}

function view(base: Dataset, length: number, indexOf: (index: number) => number): Dataset {
  return {
    ...described(base),
    length,
    read(indices, images, labels) {
      expectIndices(indices, length);
      base.read(Uint32Array.from(indices, indexOf), images, labels);
    },
  };
}

/** What a dataset and every view of it have in common. */
function described({ name, classes, classNames, imageShape }: Dataset | ByteSource): Omit<Dataset, "length" | "read"> {
  return { name, classes, imageShape, ...(classNames && { classNames }) };
}

function randomOf(seed: number, ...stream: number[]): Random {
  expectArgument(Number.isSafeInteger(seed) && seed >= 0, "seed", "a non-negative integer", seed);
  return new Random(seed, ...stream);
}

function expectReadable(
  length: number,
  size: number,
  indices: ArrayLike<number>,
  images: Float32Array,
  labels: Int32Array,
): void {
  expectIndices(indices, length);
  const values = indices.length * size;
  expectArgument(images.length === values, "images", `room for ${values} values`, images.length);
  expectArgument(labels.length === indices.length, "labels", `room for ${indices.length} labels`, labels.length);
}

function expectIndices(indices: ArrayLike<number>, length: number): void {
  for (let n = 0; n < indices.length; n++) {
    const index = indices[n] as number;
    const inside = Number.isInteger(index) && index >= 0 && index < length;
    if (!inside) expectArgument(false, `indices[${n}]`, `an integer in [0, ${length})`, index);
  }
}
