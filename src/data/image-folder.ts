import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { FormatError, expectArgument } from "../util/errors.js";
import { nextTurn } from "../util/next-turn.js";
import { isFolder } from "../util/paths.js";
import { readFileBytes } from "../util/read-file.js";
import { byteDataset, imageSize, type Dataset } from "./dataset.js";
import { listImages } from "./image-files.js";
import type { ImageShape } from "./pixels.js";

export interface ImageFolderOptions {
  /** Holds a folder for each class, or for each split one that does: `<dir>/<split>/<class>/*.png` or `<dir>/<class>/*.png`. */
  readonly dir: string;
  /** `train`, `validation`, `val` or `test`. A folder without such folders is one split, whichever is asked for. */
  readonly split: string;
  /** What the images are made: 1 or 3 channels, height, width. */
  readonly imageShape: ImageShape;
  /** How many classes there must be; as many as there are folders by default. */
  readonly classes?: number;
  /** At most so many images, from the first on: the files after them are not read. */
  readonly limit?: number;
  /** Called for every file that cannot be decoded, which is then left out; without it, the first such file is an error. */
  readonly onCorrupt?: (error: FormatError) => void;
  readonly onProgress?: (doneFiles: number, totalFiles: number) => void;
  readonly signal?: AbortSignal;
}

const SPLITS = ["train", "validation", "val", "test"];

/** Files that are read together. */
const READ_TOGETHER = 32;

/**
 * PNG and JPEG files in a folder for each class, as a dataset. The classes are the names of the folders, sorted (by code unit, so the same everywhere);
 * with split folders, those of all splits together, so that a label means the same in each. The images come from each class in turn, by name within
 * a class, so that the first of them show all classes.
 *
 * Every file is decoded once, here, as by `decodeImage`, and kept as bytes of the wanted size: channels × height × width bytes an image, whatever the
 * size of the files. So what is corrupt is known before training begins, and reading a batch costs no more than of any other dataset.
 *
 * @throws ArgumentError for an unknown split or an impossible shape
 * @throws FormatError naming the folder or file: for a folder that is missing or holds no images, another number of classes, or a file that is corrupt
 */
export async function imageFolder(options: ImageFolderOptions): Promise<Dataset> {
  const { dir, split, imageShape, classes, limit = Infinity, onCorrupt, onProgress, signal } = options;
  expectArgument(SPLITS.includes(split), "split", `one of ${SPLITS.join(", ")}`, split);
  const { folder, classNames } = await findClasses(dir, split);
  if (classes !== undefined && classNames.length !== classes) {
    throw new FormatError(
      dir,
      `Expected ${classes} folders, one a class, but received ${classNames.length}: ${classNames.join(", ")}`,
    );
  }
  const files = await listFiles(folder, classNames);
  const count = Math.min(files.length, limit);
  const size = imageSize({ imageShape });
  const pixels = new Uint8Array(count * size);
  const labels = new Uint32Array(count);
  let length = 0;
  for (let start = 0; start < files.length && length < count;) {
    signal?.throwIfAborted();
    const together = files.slice(start, start + Math.min(READ_TOGETHER, count - length));
    start += together.length;
    const images = await Promise.all(together.map(({ path }) => decode(path, imageShape)));
    for (const [i, image] of images.entries()) {
      if (image instanceof FormatError) {
        if (onCorrupt === undefined) throw image;
        onCorrupt(image);
        continue;
      }
      pixels.set(image, length * size);
      labels[length++] = together[i]!.label;
    }
    onProgress?.(length, count);
    await nextTurn();
  }
  if (length === 0) throw new FormatError(folder, "Expected at least one intact image but received none");
  return byteDataset({
    name: "images",
    classes: classNames.length,
    classNames,
    imageShape,
    length,
    pixels: (index) => pixels.subarray(index * size, (index + 1) * size),
    label: (index) => labels[index]!,
  });
}

/** Whether a folder of images has one for each split. */
export async function hasSplits(dir: string): Promise<boolean> {
  return (await splitsIn(dir)).length > 0;
}

/** The folder that holds those of the classes, and the classes of all splits. */
async function findClasses(
  dir: string,
  split: string,
): Promise<{ readonly folder: string; readonly classNames: readonly string[] }> {
  const splits = await splitsIn(dir);
  if (splits.length === 0) return { folder: dir, classNames: await expectFolders(dir) };
  if (!splits.includes(split)) {
    throw new FormatError(
      dir,
      `Expected a folder ${split} with a folder a class but received only ${splits.join(", ")}`,
    );
  }
  const names = await Promise.all(splits.map((name) => expectFolders(join(dir, name))));
  return { folder: join(dir, split), classNames: [...new Set(names.flat())].sort() };
}

async function splitsIn(dir: string): Promise<string[]> {
  const folders = await expectFolders(dir);
  const splits = SPLITS.filter((name) => folders.includes(name));
  // A class may be called like a split: then it holds images.
  const below = await Promise.all(splits.map((name) => foldersIn(join(dir, name))));
  return splits.filter((_, i) => below[i]!.length > 0);
}

async function expectFolders(dir: string): Promise<string[]> {
  const folders = await foldersIn(dir);
  if (folders.length === 0) throw new FormatError(dir, "Expected a folder for each class but received none");
  return folders;
}

/** The names of the folders in a folder, sorted; hidden ones are left out. */
async function foldersIn(dir: string): Promise<string[]> {
  let names: readonly string[];
  try {
    names = (await readdir(dir)).sort();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const received = code === "ENOENT" ? "nothing there" : code === "ENOTDIR" ? "a file" : message;
    throw new FormatError(dir, `Expected a folder of images but received ${received}`);
  }
  const folders = await Promise.all(names.map((name) => isFolder(join(dir, name))));
  return names.filter((name, i) => folders[i] && !name.startsWith("."));
}

interface LabelledFile {
  readonly path: string;
  readonly label: number;
}

/** The first image of each class, the second of each, and so on. */
async function listFiles(folder: string, classNames: readonly string[]): Promise<LabelledFile[]> {
  const present = await foldersIn(folder);
  const byClass = await Promise.all(
    classNames.map((name) => (present.includes(name) ? listImages(join(folder, name)) : Promise.resolve([]))),
  );
  const longest = Math.max(...byClass.map((paths) => paths.length));
  return Array.from({ length: longest }, (_, i) =>
    byClass.flatMap((paths, label) => (i < paths.length ? [{ path: paths[i]!, label }] : [])),
  ).flat();
}

/** A file's image in bytes, or what is wrong with it. */
async function decode(path: string, shape: ImageShape): Promise<Uint8Array | FormatError> {
  try {
    // Only here, where images are decoded: the decoders require built-in modules when they are loaded, which not every bundle can.
    const { decodeImage } = await import("./images.js");
    const image = decodeImage(await readFileBytes(path, "an image"), path, shape);
    return Uint8Array.from(image, (value) => Math.round(255 * value));
  } catch (error) {
    if (error instanceof FormatError) return error;
    throw error;
  }
}
