import { describe, expect, it } from "vitest";
import { cifar10, cifar100 } from "../../src/data/cifar.js";
import { readBatch, readFirst } from "../../src/data/dataset.js";
import { openDataset } from "../../src/data/registry.js";
import { sharedPath } from "../support/shared-data.js";
import { CIFAR10_TRAIN, records, tar, tarGz } from "./cifar-files.js";
import { withFolder } from "./idx-files.js";

const NAMES = "airplane automobile bird cat deer dog frog horse ship truck".split(" ");
const text = (lines: readonly string[]) => Buffer.from(`${lines.join("\n")}\n\n`);
const below = (folder: string, files: Readonly<Record<string, Uint8Array>>) =>
  Object.fromEntries(Object.entries(files).map(([name, bytes]) => [`${folder}/${name}`, bytes]));

const archive = await tarGz("cifar-10-batches-bin", CIFAR10_TRAIN);
const unpacked = await tar("cifar-10-batches-bin", CIFAR10_TRAIN);
const test100 = { "test.bin": records([[19, 99], [0, 42]]) }; // prettier-ignore
const archive100 = await tarGz("cifar-100-binary", test100);

describe("cifar10", () => {
  it.each([
    ["the folder of its files", CIFAR10_TRAIN, ""],
    ["the folder above it", below("cifar-10-batches-bin", CIFAR10_TRAIN), ""],
    ["a folder with the archive", { "cifar-10-binary.tar.gz": archive }, ""],
    ["the archive", { "any.tgz": archive }, "any.tgz"],
    ["the archive, unpacked by gzip", { "c.tar": unpacked }, "c.tar"],
  ])("reads %s, batch after batch", async (_, files, below) => {
    await withFolder(files, async (dir) => {
      const dataset = await cifar10({ dir: `${dir}/${below}`, split: "train" });
      expect(dataset).toMatchObject({ name: "cifar10", classes: 10, imageShape: [3, 32, 32], length: 15 });
      const { labels } = readFirst(dataset, 15);
      expect([...labels]).toEqual([0, 1, 2, 2, 3, 4, 3, 4, 5, 6, 4, 5, 6, 7, 8]);
      // The last record of the third file, whose pixels begin at 2.
      const { images } = readBatch(dataset, Uint32Array.of(5));
      expect([...images]).toEqual(Array.from({ length: 3072 }, (_, p) => Math.fround(((2 + p) % 256) / 255)));
    });
  });

  it("knows the names of its classes where the archive has them", async () => {
    const files = { "test_batch.bin": records([[3]]) };
    await withFolder(files, async (dir) => {
      expect(await cifar10({ dir, split: "test" })).not.toHaveProperty("classNames");
    });
    await withFolder({ ...files, "batches.meta.txt": text(NAMES) }, async (dir) => {
      expect((await cifar10({ dir, split: "test" })).classNames).toEqual(NAMES);
      expect((await openDataset("cifar10", { dir, split: "test", length: 1 })).classNames).toEqual(NAMES);
    });
  });

  it("refuses an unknown split", async () => {
    await expect(cifar10({ dir: ".", split: "dev" as "test" })).rejects.toThrow(
      "Expected one of train, test for split",
    );
  });

  const shared = sharedPath("data", "cifar-10-batches-bin");
  it.skipIf(shared === undefined)("reads a real test batch (needs RDI_SHARED or ../shared)", async () => {
    const dataset = await cifar10({ dir: shared!, split: "test" });
    const { images, labels } = readFirst(dataset, 10_000);
    const counts = new Array<number>(10).fill(0);
    for (const label of labels) counts[label]!++;
    expect(counts).toEqual(new Array<number>(10).fill(1000));
    // The mean of each channel of the test images, as is well known.
    const sums = [0, 0, 0];
    for (const [i, value] of images.entries()) sums[Math.floor(i / 1024) % 3]! += value;
    for (const [c, mean] of [0.494, 0.485, 0.45].entries()) expect(sums[c]! / 10_240_000).toBeCloseTo(mean, 2);
  });
});

describe("cifar100", () => {
  it.each([
    ["its folder", test100],
    ["the folder above it", below("cifar-100-binary", test100)],
    ["its archive", { "cifar-100-binary.tar.gz": archive100 }],
  ])("takes the fine labels as classes, from %s", async (_, files) => {
    await withFolder(files, async (dir) => {
      const dataset = await cifar100({ dir, split: "test" });
      expect(dataset).toMatchObject({ name: "cifar100", classes: 100, imageShape: [3, 32, 32], length: 2 });
      const { images, labels } = readFirst(dataset, 2);
      expect([...labels]).toEqual([99, 42]);
      expect([...images.subarray(0, 2)]).toEqual([0, Math.fround(1 / 255)]);
      expect(images[3072]).toBe(Math.fround(1 / 255));
    });
  });
});
