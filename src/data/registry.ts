import { ArgumentError, expectArgument } from "../util/errors.js";
import { slice, type Dataset } from "./dataset.js";
import { digits, type DigitsSplit } from "./digits.js";
import { mnist, type MnistSplit } from "./mnist.js";

export interface OpenDatasetOptions {
  /** The folder of the files of a data set that is not embedded. */
  readonly dir?: string;
  /** `train`, `test` and, of `digits`, `validation`. */
  readonly split: string;
  /** How many images, from the first on; all of them by default, of the endless `digits` as many as MNIST has. */
  readonly length?: number;
  /** For generated data only; 0 by default. */
  readonly seed?: number;
}

const OPENERS = {
  digits: openDigits,
  mnist: openMnist,
} satisfies Record<string, (options: OpenDatasetOptions) => Promise<Dataset>>;

export type DatasetName = keyof typeof OPENERS;

/** The names that `openDataset` knows. */
export const DATASET_NAMES = Object.keys(OPENERS) as readonly DatasetName[];

/** As many digits as MNIST has, with 5 000 to validate. */
const DIGITS_LENGTHS: Readonly<Record<DigitsSplit, number>> = { train: 60_000, validation: 5_000, test: 10_000 };

/**
 * Opens a data set by name.
 *
 * @throws ArgumentError for an unknown name or split, a missing folder, or an option that the data set cannot honour
 * @throws FormatError for files that are missing or broken
 */
export async function openDataset(name: string, options: OpenDatasetOptions): Promise<Dataset> {
  expectArgument(Object.hasOwn(OPENERS, name), "dataset", `one of ${DATASET_NAMES.join(", ")}`, name);
  return OPENERS[name as DatasetName](options);
}

async function openDigits({ dir, split, length, seed = 0 }: OpenDatasetOptions): Promise<Dataset> {
  expectArgument(dir === undefined, "dir", "no folder with the embedded dataset digits", dir);
  expectArgument(isKey(DIGITS_LENGTHS, split), "split", `one of ${Object.keys(DIGITS_LENGTHS).join(", ")}`, split);
  return digits({ split, length: length ?? DIGITS_LENGTHS[split], seed });
}

async function openMnist({ dir, split, length }: OpenDatasetOptions): Promise<Dataset> {
  if (dir === undefined) {
    throw new ArgumentError(
      "Expected the folder of the MNIST files (train-images-idx3-ubyte[.gz] …) for dir but received none",
    );
  }
  const dataset = await mnist({ dir, split: split as MnistSplit });
  if (length === undefined) return dataset;
  expectArgument(length <= dataset.length, "length", `at most the ${dataset.length} images there are`, length);
  return slice(dataset, 0, length);
}

function isKey<T extends object>(table: T, key: string): key is keyof T & string {
  return Object.hasOwn(table, key);
}
