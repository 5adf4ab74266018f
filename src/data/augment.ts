import { Random } from "../util/random.js";
import type { Batch, Dataset } from "./dataset.js";

/** Random changes of training images that keep their class. */
export interface Augmentation {
  /** Pads with so many zeros (black) on every side and takes a random part of the old size; 0: no. The paper's for CIFAR-10 is 4. */
  readonly crop: number;
  /** Mirrors every other image, at random, left to right. */
  readonly flip: boolean;
}

/** Keeps these draws apart from other uses of a seed. */
const AUGMENT_STREAM = 0x5f0003;

/**
 * Crops and flips the images of a batch, in place. What becomes of an image is a function of the seed, the epoch, and its index in the dataset, whichever
 * batch it is in; and the crop does not depend on whether images are flipped.
 */
export function augment(
  { images, indices }: Pick<Batch, "images" | "indices">,
  [channels, height, width]: Dataset["imageShape"],
  { crop, flip }: Augmentation,
  seed: number,
  epoch: number,
): void {
  if (crop === 0 && !flip) return;
  const plane = height * width;
  const before = new Float32Array(plane);
  for (const [n, index] of indices.entries()) {
    const random = new Random(seed, AUGMENT_STREAM, epoch, index);
    const down = random.integer(2 * crop + 1) - crop;
    const right = random.integer(2 * crop + 1) - crop;
    const mirrored = random.integer(2) === 1 && flip;
    for (let c = 0; c < channels; c++) {
      const start = (n * channels + c) * plane;
      const image = images.subarray(start, start + plane);
      before.set(image);
      for (let y = 0, at = 0; y < height; y++) {
        const row = y + down;
        for (let x = 0; x < width; x++, at++) {
          const column = (mirrored ? width - 1 - x : x) + right;
          const inside = row >= 0 && row < height && column >= 0 && column < width;
          image[at] = inside ? before[row * width + column]! : 0;
        }
      }
    }
  }
}
