import { FormatError, expectArgument } from "../util/errors.js";
import { readArchiveFiles, type ArchiveLayout, type NamedFile } from "./archive-files.js";
import { byteDataset, type Dataset } from "./dataset.js";

export type CifarSplit = "train" | "test";

export interface CifarOptions {
  /** The folder of the files, the one above it, or the archive `cifar-10-binary.tar.gz` or `cifar-100-binary.tar.gz`, which may lie in the folder too. */
  readonly dir: string;
  readonly split: CifarSplit;
}

/** Labels of a record, one a byte; the last is the class. */
interface Layout extends ArchiveLayout {
  readonly name: string;
  /** How many values each label byte has. */
  readonly labels: readonly number[];
  readonly files: Readonly<Record<CifarSplit, readonly string[]>>;
  /** The names of the classes, one a line. */
  readonly classNames: string;
}

const IMAGE_SHAPE = [3, 32, 32] as const;
const PIXELS = 3 * 32 * 32;

const CIFAR10: Layout = {
  name: "cifar10",
  title: "CIFAR-10",
  folders: ["cifar-10-batches-bin"],
  archive: "cifar-10-binary.tar.gz",
  labels: [10],
  files: { train: [1, 2, 3, 4, 5].map((batch) => `data_batch_${batch}.bin`), test: ["test_batch.bin"] },
  classNames: "batches.meta.txt",
};

/** A record begins with the coarse label, of 20, and the fine one. */
const CIFAR100: Layout = {
  name: "cifar100",
  title: "CIFAR-100",
  folders: ["cifar-100-binary"],
  archive: "cifar-100-binary.tar.gz",
  labels: [20, 100],
  files: { train: ["train.bin"], test: ["test.bin"] },
  classNames: "fine_label_names.txt",
};

/**
 * CIFAR-10 from its binary version (https://www.cs.toronto.edu/~kriz/cifar.html): 32 × 32 × 3, 10 classes. The pixels stay bytes in memory, as they are
 * in the files.
 *
 * @throws ArgumentError for an unknown split
 * @throws FormatError naming the file, what was expected, and what came: for a missing folder or file, a truncated or corrupt archive, bytes that are
 *   not whole records, or a label out of range
 */
export function cifar10(options: CifarOptions): Promise<Dataset> {
  return open(CIFAR10, options);
}

/** CIFAR-100 from its binary version: 32 × 32 × 3, the 100 fine labels as classes. Otherwise as `cifar10`. */
export function cifar100(options: CifarOptions): Promise<Dataset> {
  return open(CIFAR100, options);
}

async function open(layout: Layout, { dir, split }: CifarOptions): Promise<Dataset> {
  const splits = Object.keys(layout.files);
  expectArgument(splits.includes(split), "split", `one of ${splits.join(", ")}`, split);
  const names = layout.files[split];
  const files = await readArchiveFiles(dir, layout, names, [layout.classNames]);
  const record = layout.labels.length + PIXELS;
  const parts = names.map((name) => expectRecords(files.get(name)!, layout.labels, record));
  const classes = layout.labels.at(-1)!;
  const meta = files.get(layout.classNames);
  /** Where an image's record is: the files hold different numbers of them if somebody has cut them. */
  const find = (index: number): Uint8Array => {
    let at = index * record;
    for (const part of parts) {
      if (at < part.length) return part.subarray(at, at + record);
      at -= part.length;
    }
    throw new RangeError(`There is no image ${index}`);
  };
  return byteDataset({
    name: layout.name,
    classes,
    ...(meta && { classNames: namesIn(meta, classes) }),
    imageShape: IMAGE_SHAPE,
    length: parts.reduce((sum, part) => sum + part.length, 0) / record,
    pixels: (index) => find(index).subarray(layout.labels.length),
    label: (index) => find(index)[layout.labels.length - 1]!,
  });
}

/** @throws FormatError if the bytes are not records, at least one, with labels in their ranges */
function expectRecords({ source, bytes }: NamedFile, labels: readonly number[], record: number): Uint8Array {
  if (bytes.length === 0 || bytes.length % record !== 0) {
    const parts = `${labels.length === 1 ? "label" : "coarse label, fine label"}, ${PIXELS} pixels`;
    throw new FormatError(
      source,
      `Expected whole records of ${record} bytes (${parts}) but received ${bytes.length} bytes: the file is truncated or has trailing bytes`,
    );
  }
  for (let at = 0; at < bytes.length; at += record) {
    for (const [i, count] of labels.entries()) {
      if (bytes[at + i]! < count) continue;
      throw new FormatError(
        source,
        `Expected labels from 0 to ${count - 1} but received ${bytes[at + i]} in record ${at / record}`,
      );
    }
  }
  return bytes;
}

function namesIn({ source, bytes }: NamedFile, classes: number): string[] {
  const names = new TextDecoder()
    .decode(bytes)
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  if (names.length === classes) return names;
  throw new FormatError(source, `Expected ${classes} class names, one a line, but received ${names.length}`);
}
