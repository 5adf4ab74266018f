import { join } from "node:path";
import { FormatError, expectArgument } from "../util/errors.js";
import { locateFiles } from "./archive-files.js";
import { byteDataset, type Dataset } from "./dataset.js";
import { readMat } from "./mat.js";

export type SvhnSplit = "train" | "test";

export interface SvhnOptions {
  /** The folder of the files, or one above it: `svhn` and `SVHN` below it are looked into. */
  readonly dir: string;
  readonly split: SvhnSplit;
}

const FILES: Readonly<Record<SvhnSplit, string>> = { train: "train_32x32.mat", test: "test_32x32.mat" };
const LAYOUT = { title: "SVHN", folders: ["svhn", "SVHN"] };
const SIDE = 32;
const PLANE = SIDE * SIDE;
const CHANNELS = 3;
const CLASSES = 10;

/**
 * SVHN, cropped digits (http://ufldl.stanford.edu/housenumbers), from its MATLAB files `train_32x32.mat` and `test_32x32.mat`: 32 × 32 × 3, 10 classes, the
 * digits. The files call the digit 0 class 10. The pixels stay bytes in memory.
 *
 * @throws ArgumentError for an unknown split
 * @throws FormatError naming the file, what was expected, and what came: for a missing folder or file, a truncated or corrupt one, arrays X and y of
 *   other shapes, or a label out of range
 */
export async function svhn({ dir, split }: SvhnOptions): Promise<Dataset> {
  expectArgument(Object.hasOwn(FILES, split), "split", `one of ${Object.keys(FILES).join(", ")}`, split);
  const name = FILES[split];
  const path = join((await locateFiles(dir, LAYOUT, [name])).path, name);
  const { X, y } = await readMat(path, ["X", "y"]);
  const length = X.shape[3] ?? 0;
  if (X.shape.join() !== [SIDE, SIDE, CHANNELS, length].join() || length === 0) {
    throw new FormatError(path, `Expected X of 32 × 32 × 3 × images but received ${X.shape.join(" × ")}`);
  }
  if (y.data.length !== length) {
    throw new FormatError(path, `Expected ${length} labels y, one an image, but received ${y.data.length}`);
  }
  const wrong = y.data.findIndex((label) => label < 1 || label > CLASSES);
  if (wrong >= 0) {
    throw new FormatError(path, `Expected labels from 1 to ${CLASSES} but received ${y.data[wrong]} at ${wrong}`);
  }
  // Column-major: an image is three planes, each transposed.
  for (let plane = 0; plane < X.data.length; plane += PLANE) transpose(X.data.subarray(plane, plane + PLANE));
  return byteDataset({
    name: "svhn",
    classes: CLASSES,
    imageShape: [CHANNELS, SIDE, SIDE],
    length,
    pixels: (index) => X.data.subarray(index * CHANNELS * PLANE, (index + 1) * CHANNELS * PLANE),
    label: (index) => y.data[index]! % CLASSES,
  });
}

function transpose(plane: Uint8Array): void {
  for (let row = 0; row < SIDE; row++) {
    for (let column = 0; column < row; column++) {
      const [a, b] = [row * SIDE + column, column * SIDE + row];
      const held = plane[a]!;
      plane[a] = plane[b]!;
      plane[b] = held;
    }
  }
}
