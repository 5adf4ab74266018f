import { expectArgument } from "../util/errors.js";
import { Random } from "../util/random.js";
import { byteDataset, type Dataset } from "./dataset.js";
import { drawDigit, SIDE } from "./digit-drawing.js";

/** The splits of `digits`, numbered for the random streams: their images never coincide. */
const SPLITS = { train: 0, validation: 1, test: 2 } as const;

export type DigitsSplit = keyof typeof SPLITS;

export interface DigitsOptions {
  readonly split: DigitsSplit;
  /** How many images: there is no end to them. */
  readonly length: number;
  /** Another seed is another data set; 0 by default. */
  readonly seed?: number;
}

/** Images are kept in blocks of this many, made as they are first touched. */
const BLOCK = 64;
const PIXELS = SIDE * SIDE;
const CLASSES = 10;

/** Random streams under one seed: one an image, one for each ten labels. */
const IMAGE_STREAM = 0xd16170;
const LABEL_STREAM = 0xd16171;

/**
 * The embedded data set: 28 × 28 × 1 handwritten-looking digits that the package draws itself.
 *
 * Image i and its label depend on (seed, split, i) alone, whatever `length` is and whichever images were read before.
 * Each ten consecutive labels hold every digit once, in random order. Images are drawn when first read, then kept as
 * bytes.
 *
 * @throws ArgumentError for an unknown split, or a length or seed that is not a non-negative integer
 */
export function digits(options: DigitsOptions): Dataset {
  const { split, length, seed = 0 } = options;
  expectArgument(Object.hasOwn(SPLITS, split), "split", `one of ${Object.keys(SPLITS).join(", ")}`, split);
  expectArgument(Number.isSafeInteger(length) && length >= 0, "length", "a non-negative integer", length);
  expectArgument(Number.isSafeInteger(seed) && seed >= 0, "seed", "a non-negative integer", seed);
  const stream = SPLITS[split];
  const blocks = new Map<number, { pixels: Uint8Array; drawn: Uint8Array }>();

  const label = (index: number): number => {
    const ten = new Random(seed, LABEL_STREAM, stream, Math.floor(index / CLASSES));
    return ten.permutation(CLASSES)[index % CLASSES] as number;
  };

  const pixels = (index: number): Uint8Array => {
    const key = Math.floor(index / BLOCK);
    let block = blocks.get(key);
    if (block === undefined) {
      block = { pixels: new Uint8Array(BLOCK * PIXELS), drawn: new Uint8Array(BLOCK) };
      blocks.set(key, block);
    }
    const at = index % BLOCK;
    const image = block.pixels.subarray(at * PIXELS, (at + 1) * PIXELS);
    if (block.drawn[at] === 0) {
      drawDigit(label(index), new Random(seed, IMAGE_STREAM, stream, index), image);
      block.drawn[at] = 1;
    }
    return image;
  };

  return byteDataset({ name: "digits", classes: CLASSES, imageShape: [1, SIDE, SIDE], length, pixels, label });
}
