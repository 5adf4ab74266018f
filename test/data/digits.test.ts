import { describe, expect, it } from "vitest";
import { readBatch, type Batch, type Dataset } from "../../src/data/dataset.js";
import { digits } from "../../src/data/digits.js";

const PIXELS = 28 * 28;

function first(dataset: Dataset, count: number): Batch {
  return readBatch(
    dataset,
    Uint32Array.from({ length: count }, (_, i) => i),
  );
}

describe("digits", () => {
  it("makes image i from seed, split and i alone", () => {
    const long = digits({ split: "train", length: 5000, seed: 7 });
    const indices = Uint32Array.of(130, 4999, 0, 130);
    const some = readBatch(long, indices);
    const all = first(digits({ split: "train", length: 131, seed: 7 }), 131);
    expect(some.images.subarray(0, PIXELS)).toEqual(all.images.subarray(130 * PIXELS));
    expect(some.images.subarray(2 * PIXELS, 3 * PIXELS)).toEqual(all.images.subarray(0, PIXELS));
    expect([some.labels[0], some.labels[2]]).toEqual([all.labels[130], all.labels[0]]);
    expect(readBatch(long, indices)).toEqual(some);
  });

  it("never repeats an image across seeds, splits and indices", () => {
    const seen = new Set<string>();
    for (const split of ["train", "validation", "test"] as const) {
      for (const seed of [0, 1, 2 ** 32]) {
        const { images } = first(digits({ split, length: 50, seed }), 50);
        for (let i = 0; i < 50; i++) seen.add(images.subarray(i * PIXELS, (i + 1) * PIXELS).join());
      }
    }
    expect(seen.size).toBe(3 * 3 * 50);
  });

  it("holds every digit once in each ten consecutive labels, in no fixed order", () => {
    const { labels } = first(digits({ split: "test", length: 200 }), 200);
    const tens = Array.from({ length: 20 }, (_, i) => [...labels.subarray(10 * i, 10 * i + 10)]);
    for (const ten of tens) expect(ten.toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(new Set(tens.map((ten) => ten.join())).size).toBe(20);
  });

  it("draws light strokes on a dark ground, wholly inside the image", () => {
    const { images } = first(digits({ split: "train", length: 500 }), 500);
    for (let i = 0; i < 500; i++) {
      const image = images.subarray(i * PIXELS, (i + 1) * PIXELS);
      const inked = image.filter((value) => value > 0.5).length / PIXELS;
      expect(Math.max(...image)).toBeGreaterThan(0.9);
      expect(Math.min(...image)).toBe(0);
      expect(inked).toBeGreaterThan(0.03);
      expect(inked).toBeLessThan(0.35);
      const border = [...image].filter((_, p) => p < 28 || p >= PIXELS - 28 || p % 28 === 0 || p % 28 === 27);
      expect(Math.max(...border)).toBeLessThan(0.75);
    }
  });

  it("is too varied for a linear classifier: softmax regression on 10 000 stays under 90%", () => {
    const train = first(digits({ split: "train", length: 10_000 }), 10_000);
    const test = first(digits({ split: "test", length: 2_000 }), 2_000);
    const accuracy = softmaxRegression(train, test, 6);
    expect(accuracy).toBeLessThan(0.9);
    // Far above chance, so that the bound is the data's doing and not a broken classifier's.
    expect(accuracy).toBeGreaterThan(0.75);
  });

  it.each([
    [{ split: "dev" as "test", length: 1 }, 'Expected one of train, validation, test for split but received "dev"'],
    [{ split: "test", length: -1 } as const, "Expected a non-negative integer for length but received -1"],
    [{ split: "test", length: 1, seed: 0.5 } as const, "Expected a non-negative integer for seed but received 0.5"],
  ])("refuses %o", (options, message) => {
    expect(() => digits(options)).toThrow(message);
  });
});

/** The test accuracy of multinomial logistic regression, fitted by stochastic gradient descent. */
function softmaxRegression(train: Batch, test: Batch, epochs: number): number {
  const classes = Array.from({ length: 10 }, () => ({ weights: new Float64Array(PIXELS), bias: 0 }));
  const scores = (batch: Batch, n: number): number[] =>
    classes.map(({ weights, bias }) => {
      let sum = bias;
      for (let p = 0, at = n * PIXELS; p < PIXELS; p++)
        sum += (weights[p] as number) * (batch.images[at + p] as number);
      return sum;
    });
  for (let epoch = 0; epoch < epochs; epoch++) {
    const rate = 0.05 / (1 + 0.6 * epoch);
    for (let n = 0; n < train.size; n++) {
      const logits = scores(train, n);
      const top = Math.max(...logits);
      const powers = logits.map((logit) => Math.exp(logit - top));
      const total = powers.reduce((a, b) => a + b);
      for (const [k, model] of classes.entries()) {
        const step = rate * ((powers[k] as number) / total - (train.labels[n] === k ? 1 : 0));
        model.bias -= step;
        const { weights } = model;
        for (let p = 0, at = n * PIXELS; p < PIXELS; p++) {
          weights[p] = (weights[p] as number) - step * (train.images[at + p] as number);
        }
      }
    }
  }
  let right = 0;
  for (let n = 0; n < test.size; n++) {
    const logits = scores(test, n);
    if (logits.indexOf(Math.max(...logits)) === test.labels[n]) right++;
  }
  return right / test.size;
}
