import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { augment, type Augmentation } from "../../src/data/augment.js";

const SHAPE = [2, 3, 4] as const;
const SIZE = 24;

/** Images whose values all differ and are not 0, augmented. */
function augmented(indices: readonly number[], settings: Augmentation, seed = 5, epoch = 0): Float32Array[] {
  const images = Float32Array.from({ length: SIZE * indices.length }, (_, i) => (i % SIZE) + 1);
  augment({ images, indices: Uint32Array.from(indices) }, SHAPE, settings, seed, epoch);
  return indices.map((_, n) => images.slice(n * SIZE, (n + 1) * SIZE));
}

/** What was at each place before: null for the padding; and whether the image was mirrored. Fails unless it is one shift and flip of all channels. */
function shiftOf(image: Float32Array, crop: number): { down: number; right: number; mirrored: boolean } | undefined {
  const [channels, height, width] = SHAPE;
  for (let down = -crop; down <= crop; down++) {
    for (let right = -crop; right <= crop; right++) {
      for (const mirrored of [false, true]) {
        const wanted = Array.from({ length: SIZE }, (_, at) => {
          const [c, y, x] = [Math.floor(at / 12), (Math.floor(at / width) % height) + down, at % width];
          const column = (mirrored ? width - 1 - x : x) + right;
          const inside = y >= 0 && y < height && column >= 0 && column < width;
          return inside && c < channels ? (c * height + y) * width + column + 1 : 0;
        });
        if (image.every((value, at) => value === wanted[at])) return { down, right, mirrored };
      }
    }
  }
  return undefined;
}

describe("augment", () => {
  const both = { crop: 2, flip: true };
  const many = Array.from({ length: 2000 }, (_, i) => i);

  it("shifts all channels of an image alike, evenly over all places, and mirrors half of them", () => {
    const shifts = augmented(many, { crop: 1, flip: true }).map((image) => shiftOf(image, 1));
    expect(shifts).not.toContain(undefined);
    const counts = new Map<string, number>();
    for (const shift of shifts) {
      const key = JSON.stringify(shift);
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    // 2000 images over 3 × 3 × 2 kinds: 111 each, standard deviation 10.
    expect(counts.size).toBe(18);
    for (const count of counts.values()) expect(Math.abs(count - 111)).toBeLessThan(45);
  });

  it("is a function of seed, epoch and image alone, whatever the batch", () => {
    const index = fc.nat({ max: 60_000 });
    fc.assert(
      fc.property(fc.array(index, { minLength: 1 }), fc.nat(), fc.nat({ max: 100 }), (indices, seed, epoch) => {
        const together = augmented(indices, both, seed, epoch);
        for (const [n, own] of indices.entries()) expect(augmented([own], both, seed, epoch)).toEqual([together[n]]);
      }),
      { numRuns: 30 },
    );
  });

  it("differs from epoch to epoch, and by seed", () => {
    const first = augmented(many, both);
    for (const other of [augmented(many, both, 5, 1), augmented(many, both, 6, 0)]) {
      const equal = other.filter((image, n) => image.join() === first[n]!.join()).length;
      // One in 50.
      expect(equal).toBeLessThan(100);
    }
  });

  it("crops alike whether it flips or not", () => {
    const cropped = augmented(many, { crop: 2, flip: false });
    const flipped = augmented(many, both);
    const down = (image: Float32Array): number => shiftOf(image, 2)!.down;
    for (const n of many.slice(0, 100)) expect(down(cropped[n]!)).toBe(down(flipped[n]!));
    expect(cropped.map((image) => shiftOf(image, 2)!.mirrored)).not.toContain(true);
  });

  it("leaves images as they are where nothing is asked for", () => {
    const [image] = augmented([7], { crop: 0, flip: false });
    expect([...image!]).toEqual(Array.from({ length: SIZE }, (_, i) => i + 1));
  });
});
