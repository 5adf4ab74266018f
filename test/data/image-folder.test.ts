import { encode as encodeJpeg } from "jpeg-js";
import { describe, expect, it } from "vitest";
import { readBatch, type Dataset } from "../../src/data/dataset.js";
import { hasSplits, imageFolder, type ImageFolderOptions } from "../../src/data/image-folder.js";
import { decodeImage, encodePng } from "../../src/data/images.js";
import { openDataset } from "../../src/data/registry.js";
import { FormatError } from "../../src/util/errors.js";
import { withFolder } from "./idx-files.js";

/** A gray image of one level. */
const level = (value: number, side = 4): Uint8Array =>
  encodePng(new Float32Array(side * side).fill(value / 255), [1, side, side]);

const jpeg = Uint8Array.from(encodeJpeg({ width: 16, height: 8, data: Buffer.alloc(4 * 128, 90) }, 90).data);
const FLAT = {
  "cat/b.png": level(2),
  "cat/a.png": level(1),
  "cat/notes.txt": Buffer.from("no image"),
  "cat/.hidden.png": Buffer.from("no image"),
  "dog/c.png": level(3),
  "Ant/d.jpeg": jpeg,
  "README.md": Buffer.from("not a class"),
  ".git/e.png": Buffer.from("not a class"),
};
const under = (folder: string, files: Readonly<Record<string, Uint8Array>>) =>
  Object.fromEntries(Object.entries(files).map(([name, bytes]) => [`${folder}/${name}`, bytes]));
const shape = { imageShape: [1, 4, 4] as const };

/** The label of every image with the level of its first pixel. */
function contents(dataset: Dataset): [label: number, level: number][] {
  const indices = Uint32Array.from({ length: dataset.length }, (_, i) => i);
  const { images, labels, size } = readBatch(dataset, indices);
  const row = images.length / size;
  return Array.from(labels, (label, i) => [label, Math.round(255 * images[i * row]!)]);
}

describe("imageFolder", () => {
  it("takes folders as classes, sorted, and an image from each in turn", async () => {
    await withFolder(FLAT, async (dir) => {
      const dataset = await imageFolder({ dir, split: "test", ...shape });
      expect(dataset).toMatchObject({ name: "images", classes: 3, classNames: ["Ant", "cat", "dog"], length: 4 });
      // The JPEG is twice as wide as high: black above.
      expect(contents(dataset)).toEqual([[0, 0], [1, 1], [2, 3], [1, 2]]); // prettier-ignore
      expect(await hasSplits(dir)).toBe(false);
    });
  });

  it("makes of an image what classify makes of it, to within a rounding to bytes", async () => {
    const image = encodePng(
      Float32Array.from({ length: 3 * 49 }, (_, i) => (i % 11) / 10),
      [3, 7, 7],
    );
    await withFolder({ "a/1.png": image, "b/2.jpg": jpeg }, async (dir) => {
      const dataset = await imageFolder({ dir, split: "test", imageShape: [3, 5, 4] });
      const { images } = readBatch(dataset, Uint32Array.of(0, 1));
      for (const [n, bytes] of [image, jpeg].entries()) {
        const wanted = decodeImage(bytes, "image", [3, 5, 4]);
        wanted.forEach((value, i) =>
          expect(Math.abs(images[60 * n + i]! - value)).toBeLessThanOrEqual(0.5 / 255 + 1e-6),
        );
      }
    });
  });

  it("takes splits from folders, and the classes of all splits together", async () => {
    const files = {
      ...under("train", { "cat/a.png": level(1), "dog/b.png": level(2), "eel/c.png": level(3) }),
      ...under("test", { "dog/d.png": level(4), "eel/e.png": level(5) }),
    };
    await withFolder(files, async (dir) => {
      const classes = { classes: 3, classNames: ["cat", "dog", "eel"] };
      const train = await imageFolder({ dir, split: "train", classes: 3, ...shape });
      const test = await imageFolder({ dir, split: "test", classes: 3, ...shape });
      expect([train, test]).toMatchObject([classes, classes]);
      expect(contents(train)).toEqual([[0, 1], [1, 2], [2, 3]]); // prettier-ignore
      expect(contents(test)).toEqual([[1, 4], [2, 5]]); // prettier-ignore
      expect(await hasSplits(dir)).toBe(true);
      await expect(imageFolder({ dir, split: "validation", ...shape })).rejects.toThrow(
        `${dir}: Expected a folder validation with a folder a class but received only train, test`,
      );
    });
  });

  it("takes a folder called like a split as a class if it holds images", async () => {
    await withFolder({ "plane/a.png": level(1), "train/b.png": level(2) }, async (dir) => {
      expect((await imageFolder({ dir, split: "test", ...shape })).classNames).toEqual(["plane", "train"]);
    });
  });

  it("reads no more files than it is asked for", async () => {
    await withFolder({ ...FLAT, "dog/d.png": Buffer.from("broken") }, async (dir) => {
      const options = { dir, split: "test", ...shape };
      expect(await imageFolder({ ...options, limit: 4 })).toMatchObject({ length: 4 });
      await expect(imageFolder({ ...options, limit: 5 })).rejects.toThrow("dog/d.png: Expected a PNG or JPEG image");
    });
  });

  it("leaves corrupt files out where it is told to, and tells of them", async () => {
    const files = { ...FLAT, "cat/a.png": level(1).subarray(0, 50), "dog/c.png": new Uint8Array() };
    await withFolder(files, async (dir) => {
      const told: string[] = [];
      const options: ImageFolderOptions = {
        dir,
        split: "test",
        ...shape,
        onCorrupt: ({ message }) => told.push(message),
      };
      expect(contents(await imageFolder(options))).toEqual([[0, 0], [1, 2]]); // prettier-ignore
      expect(told).toEqual([
        expect.stringContaining(`${dir}/cat/a.png: Expected an intact image`),
        expect.stringContaining(`${dir}/dog/c.png: Expected a PNG or JPEG image but received no bytes`),
      ]);
      // The limit counts what is intact.
      expect(await imageFolder({ ...options, limit: 2 })).toMatchObject({ length: 2 });
    });
  });

  it("tells how far it has come, and stops when told to", async () => {
    const files = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`a/${i}.png`, level(i)]));
    await withFolder(files, async (dir) => {
      const controller = new AbortController();
      const steps: number[][] = [];
      const onProgress = (...step: number[]): void => {
        steps.push(step);
        if (step[0]! > 50) controller.abort();
      };
      const { signal } = controller;
      await expect(imageFolder({ dir, split: "test", ...shape, signal, onProgress })).rejects.toThrow("aborted");
      expect(steps).toEqual([[32, 100], [64, 100]]); // prettier-ignore
    });
  });
});

describe("image folders that are no good", () => {
  it.each<[string, Readonly<Record<string, Uint8Array>>, Partial<ImageFolderOptions>, string, string]>([
    ["no folder", FLAT, { dir: "none" }, "/none", "Expected a folder of images but received nothing there"],
    [
      "a file in its place",
      FLAT,
      { dir: "README.md" },
      "/README.md",
      "Expected a folder of images but received a file",
    ],
    ["no class", { "a.png": level(1) }, {}, "", "Expected a folder for each class but received none"],
    [
      "an empty class",
      { ...FLAT, "eel/a.txt": jpeg.subarray(5) },
      {},
      "/eel",
      "Expected PNG or JPEG files in the folder",
    ],
    ["too few classes", FLAT, { classes: 10 }, "", "Expected 10 folders, one a class, but received 3: Ant, cat, dog"],
    ["too many classes", FLAT, { classes: 2 }, "", "Expected 2 folders, one a class, but received 3"],
    [
      "a corrupt image",
      { ...FLAT, "cat/b.png": level(1).subarray(0, 40) },
      {},
      "/cat/b.png",
      "Expected an intact image",
    ],
    ["nothing but corrupt images", { "a/b.png": Buffer.from("x") }, { onCorrupt: () => {} }, "", "one intact image"],
  ])("%s", async (_, files, options, named, message) => {
    await withFolder(files, async (dir) => {
      const path = options.dir === undefined ? dir : `${dir}/${options.dir}`;
      const opening = imageFolder({ split: "test", ...shape, ...options, dir: path });
      await expect(opening).rejects.toThrow(FormatError);
      await expect(opening).rejects.toThrow(`${dir}${named}: `);
      await expect(opening).rejects.toThrow(message);
    });
  });

  it("an unknown split, and no size", async () => {
    await expect(imageFolder({ dir: ".", split: "dev", ...shape })).rejects.toThrow(
      "Expected one of train, validation",
    );
    await expect(openDataset("images", { dir: ".", split: "test" })).rejects.toThrow(
      "for imageShape but received none",
    );
  });
});
