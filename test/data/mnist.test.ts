import { existsSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { readBatch } from "../../src/data/dataset.js";
import { mnist } from "../../src/data/mnist.js";
import { openDataset } from "../../src/data/registry.js";
import { idx, withFolder } from "./idx-files.js";

const images = idx(
  [3, 28, 28],
  Uint8Array.from({ length: 3 * 784 }, (_, i) => (i * 7) % 256),
);
const labels = idx([3], Uint8Array.of(4, 0, 9));

describe("mnist", () => {
  it.each([
    ["plain", { "train-images-idx3-ubyte": images, "train-labels-idx1-ubyte": labels }],
    ["gzip", { "train-images-idx3-ubyte.gz": gzipSync(images), "train-labels-idx1-ubyte.gz": gzipSync(labels) }],
    ["dotted", { "train-images.idx3-ubyte": images, "train-labels.idx1-ubyte.gz": gzipSync(labels) }],
    ["unpacked but called .gz", { "train-images-idx3-ubyte.gz": images, "train-labels-idx1-ubyte.gz": labels }],
    ["in mnist/", { "mnist/train-images-idx3-ubyte": images, "mnist/train-labels-idx1-ubyte": labels }],
    ["in MNIST/raw/", { "MNIST/raw/train-images-idx3-ubyte": images, "MNIST/raw/train-labels-idx1-ubyte": labels }],
  ])("reads its files %s", async (_, files) => {
    await withFolder(files, async (dir) => {
      const dataset = await mnist({ dir, split: "train" });
      expect(dataset).toMatchObject({ name: "mnist", classes: 10, imageShape: [1, 28, 28], length: 3 });
      const batch = readBatch(dataset, Uint32Array.of(2, 0));
      expect([...batch.labels]).toEqual([9, 4]);
      const start = 2 * 784;
      expect(batch.images[5]).toBe(Math.fround((((start + 5) * 7) % 256) / 255));
      expect(batch.images[784 + 5]).toBe(Math.fround(35 / 255));
    });
  });

  it("reads the test split from the t10k files", async () => {
    const files = { "t10k-images-idx3-ubyte": images, "t10k-labels-idx1-ubyte": labels };
    await withFolder(files, async (dir) => {
      expect((await mnist({ dir, split: "test" })).length).toBe(3);
      await expect(mnist({ dir, split: "train" })).rejects.toThrow("train-images-idx3-ubyte");
      await expect(mnist({ dir, split: "dev" as "test" })).rejects.toThrow("Expected one of train, test for split");
    });
  });

  const shared = join(process.env.RDI_SHARED ?? "../shared", "data");
  it.skipIf(!existsSync(shared))("reads the published files (needs RDI_SHARED or ../shared)", async () => {
    const train = await mnist({ dir: shared, split: "train" });
    const test = await mnist({ dir: shared, split: "test" });
    expect([train.length, test.length]).toEqual([60_000, 10_000]);
    const { labels: firstLabels, images: firstImages } = readBatch(train, Uint32Array.of(0, 1, 2, 3, 4, 5, 6, 7, 8, 9));
    expect([...firstLabels]).toEqual([5, 0, 4, 1, 9, 2, 1, 3, 1, 4]);
    const all = readBatch(
      train,
      Uint32Array.from({ length: 60_000 }, (_, i) => i),
    );
    // The mean and the counts of the digits that are published with MNIST.
    expect(all.images.reduce((sum, value) => sum + value, 0) / all.images.length).toBeCloseTo(0.1307, 4);
    const counts = new Array<number>(10).fill(0);
    for (const label of all.labels) counts[label] = (counts[label] ?? 0) + 1;
    expect(counts).toEqual([5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]);
    expect(Math.max(...firstImages)).toBe(1);
  });
});

describe("openDataset", () => {
  it("opens the digits with as many images as asked for", async () => {
    expect(await openDataset("digits", { split: "validation", length: 12, seed: 3 })).toMatchObject({ length: 12 });
    expect((await openDataset("digits", { split: "test" })).length).toBe(10_000);
  });

  it("opens MNIST and limits it", async () => {
    await withFolder({ "train-images-idx3-ubyte": images, "train-labels-idx1-ubyte": labels }, async (dir) => {
      expect((await openDataset("mnist", { dir, split: "train" })).length).toBe(3);
      expect((await openDataset("mnist", { dir, split: "train", length: 2 })).length).toBe(2);
      const tooLong = openDataset("mnist", { dir, split: "train", length: 4 });
      await expect(tooLong).rejects.toThrow("Expected at most the 3 images there are for length but received 4");
    });
  });

  it.each([
    [
      "imagenet",
      { split: "test" },
      'Expected one of digits, mnist, cifar10, cifar100, svhn, images for dataset but received "imagenet"',
    ],
    ["toString", { split: "test" }, "Expected one of digits, mnist"],
    ["mnist", { split: "test" }, "Expected the folder of the MNIST files"],
    ["digits", { split: "dev" }, 'Expected one of train, validation, test for split but received "dev"'],
    ["digits", { split: "test", dir: "x" }, "for dir but received"],
  ])("refuses %s with %o", async (name, options, message) => {
    await expect(openDataset(name, options)).rejects.toThrow(message);
  });
});
