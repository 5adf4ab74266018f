import { stat } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { FormatError, expectArgument } from "../util/errors.js";
import { isFile } from "../util/paths.js";
import { readFileBytes } from "../util/read-file.js";
import { byteDataset, type Dataset } from "./dataset.js";
import { parseIdx } from "./idx.js";

/** How the files of each split are called. */
const PREFIXES = { train: "train", test: "t10k" } as const;

export type MnistSplit = keyof typeof PREFIXES;

export interface MnistOptions {
  /** The folder of the files, or one above it: `mnist`, `MNIST`, `raw` and `MNIST/raw` below it are looked into. */
  readonly dir: string;
  readonly split: MnistSplit;
}

const FOLDERS = ["", "mnist", "MNIST", "raw", join("MNIST", "raw")];
const SIDE = 28;
const CLASSES = 10;

/** Far above the 47 MB of MNIST's largest file: what a damaged gzip file may grow to before it is refused. */
const MAX_FILE_BYTES = 2 ** 29;

/**
 * MNIST (or a set of its format, such as Fashion-MNIST) from its IDX files, plain or gzip, named as in the archive
 * (`train-images-idx3-ubyte[.gz]`) or with a dot (`train-images.idx3-ubyte[.gz]`). Images are 28 × 28 × 1; the pixels
 * stay bytes in memory.
 *
 * @throws ArgumentError for an unknown split
 * @throws FormatError naming the file, what was expected, and what came: for a missing folder or file, a wrong magic
 *   number, truncated, trailing or corrupt data, another image size, counts that differ, or a label above 9
 */
export async function mnist(options: MnistOptions): Promise<Dataset> {
  const { dir, split } = options;
  expectArgument(Object.hasOwn(PREFIXES, split), "split", `one of ${Object.keys(PREFIXES).join(", ")}`, split);
  const [imagesPath, labelsPath] = await findFiles(dir, PREFIXES[split]);
  const images = parseIdx(await readMaybeGzip(imagesPath), imagesPath, 3);
  const labels = parseIdx(await readMaybeGzip(labelsPath), labelsPath, 1);
  const [count, height, width] = images.shape as [number, number, number];
  if (height !== SIDE || width !== SIDE) {
    throw new FormatError(imagesPath, `Expected images of ${SIDE} × ${SIDE} pixels but received ${height} × ${width}`);
  }
  if (count === 0) throw new FormatError(imagesPath, "Expected at least one image but received none");
  if (labels.data.length !== count) {
    const expected = `${count} labels, one for each image of ${imagesPath},`;
    throw new FormatError(labelsPath, `Expected ${expected} but received ${labels.data.length}`);
  }
  const wrong = labels.data.findIndex((label) => label >= CLASSES);
  if (wrong >= 0) {
    const received = String(labels.data[wrong]);
    throw new FormatError(labelsPath, `Expected labels from 0 to ${CLASSES - 1} but received ${received} at ${wrong}`);
  }
  return byteDataset({
    name: "mnist",
    classes: CLASSES,
    imageShape: [1, SIDE, SIDE],
    length: count,
    pixels: (index) => images.data.subarray(index * SIDE * SIDE, (index + 1) * SIDE * SIDE),
    label: (index) => labels.data[index] as number,
  });
}

/** The images file and the labels file of a split, both from the first folder that holds one of them. */
async function findFiles(dir: string, prefix: string): Promise<[images: string, labels: string]> {
  const folder = await stat(dir).catch(() => undefined);
  if (!folder?.isDirectory()) {
    const received = folder === undefined ? "nothing there" : "a file";
    throw new FormatError(dir, `Expected the folder of the MNIST files but received ${received}`);
  }
  const imageNames = namesOf(prefix, "images", "idx3");
  const labelNames = namesOf(prefix, "labels", "idx1");
  for (const below of FOLDERS) {
    const images = await firstExisting(join(dir, below), imageNames);
    const labels = await firstExisting(join(dir, below), labelNames);
    if (images !== undefined && labels !== undefined) return [images, labels];
    if (images !== undefined || labels !== undefined) {
      const missing = images === undefined ? imageNames : labelNames;
      throw new FormatError(join(dir, below), `Expected one of ${missing.join(", ")} but received no such file`);
    }
  }
  const folders = FOLDERS.filter((below) => below !== "").join(", ");
  const expected = `${imageNames.join(" or ")}, here or in a folder ${folders} below`;
  throw new FormatError(dir, `Expected ${expected}, but received no such file`);
}

function namesOf(prefix: string, kind: string, idx: string): string[] {
  return [`${prefix}-${kind}-${idx}-ubyte`, `${prefix}-${kind}.${idx}-ubyte`].flatMap((name) => [name, `${name}.gz`]);
}

async function firstExisting(folder: string, names: readonly string[]): Promise<string | undefined> {
  for (const name of names) {
    const path = join(folder, name);
    if (await isFile(path)) return path;
  }
  return undefined;
}

/** The content of a file, unpacked if it begins as gzip does: downloads often keep `.gz` on unpacked files. */
async function readMaybeGzip(path: string): Promise<Uint8Array> {
  const bytes = await readFileBytes(path, "an IDX file");
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  try {
    return await promisify(gunzip)(bytes, { maxOutputLength: MAX_FILE_BYTES });
  } catch (error) {
    throw new FormatError(path, `Expected intact gzip data but received: ${(error as Error).message}`);
  }
}
