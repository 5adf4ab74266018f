import { describe, expect, it } from "vitest";
import { readFirst } from "../../src/data/dataset.js";
import { svhn } from "../../src/data/svhn.js";
import { withFolder } from "./idx-files.js";
import { compressed, DOUBLE, matArray, matFile, svhnPixels } from "./mat-files.js";

const X = matArray("X", [32, 32, 3, 5], svhnPixels(5));
const y = matArray("y", [5, 1], Uint8Array.of(10, 1, 9, 10, 5));
const doubles = matArray("y", [5, 1], new Uint8Array(Float64Array.of(10, 1, 9, 10, 5).buffer), DOUBLE);
const other = matArray("a_longer_name", [1, 3], Uint8Array.of(1, 2, 3));

describe("svhn", () => {
  it.each([
    ["compressed", { "test_32x32.mat": matFile([X, y].map(compressed)) }],
    ["plain, with another array", { "test_32x32.mat": matFile([other, X, y]) }],
    ["with labels that are doubles", { "test_32x32.mat": matFile([compressed(X), compressed(doubles)]) }],
    ["in svhn/", { "svhn/test_32x32.mat": matFile([y, compressed(X)]) }],
  ])("reads its files %s: planes in rows, and digit 0 for class 10", async (_, files) => {
    await withFolder(files, async (dir) => {
      const dataset = await svhn({ dir, split: "test" });
      expect(dataset).toMatchObject({ name: "svhn", classes: 10, imageShape: [3, 32, 32], length: 5 });
      const { images, labels } = readFirst(dataset, 5);
      expect([...labels]).toEqual([0, 1, 9, 0, 5]);
      const wanted = Array.from({ length: 5 * 3072 }, (_, at) => {
        const [n, c, row, column] = [Math.floor(at / 3072), Math.floor(at / 1024) % 3, (at >> 5) % 32, at % 32];
        return Math.fround(((64 * c + 2 * row + column + n) % 256) / 255);
      });
      expect([...images]).toEqual(wanted);
    });
  });

  it("has the splits train and test", async () => {
    await withFolder({ "test_32x32.mat": matFile([X, y]) }, async (dir) => {
      await expect(svhn({ dir, split: "train" })).rejects.toThrow("Expected train_32x32.mat, here or in svhn or SVHN");
      await expect(svhn({ dir, split: "extra" as "test" })).rejects.toThrow("Expected one of train, test for split");
    });
  });
});
