import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  batches,
  byteDataset,
  epochOrder,
  readBatch,
  slice,
  split,
  subset,
  type Dataset,
} from "../../src/data/dataset.js";
import { ArgumentError } from "../../src/util/errors.js";

/** `length` images of 1 × 2 × 2 whose pixels and label tell their index. */
function counting(length: number): Dataset {
  return byteDataset({
    name: "counting",
    classes: 7,
    imageShape: [1, 2, 2],
    length,
    pixels: (index) => Uint8Array.of(index, index + 1, 0, 255),
    label: (index) => index % 7,
  });
}

/** The indices that the images of a dataset had in the `counting` dataset under it. */
function origins(dataset: Dataset): number[] {
  const { images } = readBatch(
    dataset,
    Uint32Array.from({ length: dataset.length }, (_, i) => i),
  );
  return Array.from({ length: dataset.length }, (_, i) => Math.round((images[4 * i] as number) * 255));
}

describe("byteDataset", () => {
  it("reads pixel / 255 as float32 and the label, in the order asked for", () => {
    const images = new Float32Array(8);
    const labels = new Int32Array(2);
    counting(20).read([9, 3], images, labels);
    expect([...images]).toEqual([9, 10, 0, 255, 3, 4, 0, 255].map((v) => Math.fround(v / 255)));
    expect([...labels]).toEqual([2, 3]);
  });

  it.each([[-1], [20], [0.5], [Number.NaN]])("refuses index %s", (index) => {
    const read = () => {
      counting(20).read([0, index], new Float32Array(8), new Int32Array(2));
    };
    expect(read).toThrow(ArgumentError);
    expect(read).toThrow(`Expected an integer in [0, 20) for indices[1] but received ${index}`);
  });

  it("refuses outputs of another length", () => {
    const dataset = counting(20);
    expect(() => {
      dataset.read([1, 2], new Float32Array(9), new Int32Array(2));
    }).toThrow("Expected room for 8 values for images but received 9");
    expect(() => {
      dataset.read([1, 2], new Float32Array(8), new Int32Array(1));
    }).toThrow("Expected room for 2 labels for labels but received 1");
  });
});

describe("subset and slice", () => {
  it("show the chosen images", () => {
    expect(origins(subset(counting(20), [5, 5, 19, 0]))).toEqual([5, 5, 19, 0]);
    expect(origins(slice(counting(20), 3, 4))).toEqual([3, 4, 5, 6]);
    expect(origins(slice(slice(counting(20), 3, 10), 2, 3))).toEqual([5, 6, 7]);
  });

  it("end where the dataset ends", () => {
    expect(slice(counting(20), 18, 100).length).toBe(2);
    expect(slice(counting(20), 20).length).toBe(0);
  });

  it("do not read past their own end", () => {
    expect(() => readBatch(slice(counting(20), 3, 4), Uint32Array.of(4))).toThrow("an integer in [0, 4)");
  });

  it.each([
    [() => subset(counting(20), [20]), "indices[0]"],
    [() => slice(counting(20), 21, 1), "offset"],
    [() => slice(counting(20), 0, -1), "limit"],
  ])("refuse what is not there", (make, name) => {
    expect(make).toThrow(ArgumentError);
    expect(make).toThrow(name);
  });
});

describe("split", () => {
  it("parts every dataset into two disjoint sets that together are all of it", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 200 }),
        fc.double({ min: 0.01, max: 0.99, noNaN: true }),
        fc.nat(),
        (n, fraction, seed) => {
          const [train, heldOut] = split(counting(n), fraction, seed);
          const all = [...origins(train), ...origins(heldOut)].sort((a, b) => a - b);
          expect(all).toEqual(Array.from({ length: n }, (_, i) => i));
          expect(Math.abs(heldOut.length - fraction * n)).toBeLessThanOrEqual(1);
        },
      ),
      { numRuns: 50 },
    );
  });

  it("depends on the seed alone", () => {
    expect(origins(split(counting(100), 0.2, 1)[1])).toEqual(origins(split(counting(100), 0.2, 1)[1]));
    expect(origins(split(counting(100), 0.2, 1)[1])).not.toEqual(origins(split(counting(100), 0.2, 2)[1]));
  });

  it.each([0, 1, -0.1, Number.NaN])("refuses the fraction %s", (fraction) => {
    expect(() => split(counting(10), fraction, 0)).toThrow(`for fraction but received ${fraction}`);
  });
});

describe("batches", () => {
  it("visit every image once, in order, the last batch being what is left", () => {
    const seen = [...batches(counting(10), { batchSize: 4 })];
    expect(seen.map((batch) => batch.size)).toEqual([4, 4, 2]);
    expect(seen.flatMap((batch) => [...batch.indices])).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(seen.flatMap((batch) => [...batch.labels])).toEqual([0, 1, 2, 3, 4, 5, 6, 0, 1, 2]);
    expect(seen.map((batch) => batch.images.length)).toEqual([16, 16, 8]);
  });

  it("leave out a small last batch on demand", () => {
    expect([...batches(counting(10), { batchSize: 4, dropLast: true })].map((batch) => batch.size)).toEqual([4, 4]);
    expect([...batches(counting(3), { batchSize: 4, dropLast: true })]).toEqual([]);
  });

  it("shuffle by seed and epoch, and can be gone through again", () => {
    const pass = batches(counting(50), { batchSize: 8, shuffleSeed: 3, epoch: 2 });
    const order = [...pass].flatMap((batch) => [...batch.indices]);
    expect(order).toEqual([...epochOrder(50, 3, 2)]);
    expect([...pass].flatMap((batch) => [...batch.indices])).toEqual(order);
    for (const batch of pass) expect([...batch.labels]).toEqual(Array.from(batch.indices, (index) => index % 7));
  });

  it("refuse a batch size that is not a positive integer", () => {
    expect(() => batches(counting(10), { batchSize: 0 })).toThrow("Expected a positive integer for batchSize");
  });
});

describe("epochOrder", () => {
  it("is a permutation that differs by seed and epoch and repeats itself", () => {
    const order = epochOrder(1000, 5, 0);
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, i) => i));
    expect(epochOrder(1000, 5, 0)).toEqual(order);
    expect(epochOrder(1000, 5, 1)).not.toEqual(order);
    expect(epochOrder(1000, 6, 0)).not.toEqual(order);
  });
});
