import { ArgumentError, expectArgument } from "../util/errors.js";
import { cifar10, cifar100 } from "./cifar.js";
import { slice, type Dataset } from "./dataset.js";
import { digits, type DigitsSplit } from "./digits.js";
import { imageFolder, type ImageFolderOptions } from "./image-folder.js";
import { mnist } from "./mnist.js";
import { svhn } from "./svhn.js";

export interface OpenDatasetOptions extends Partial<
  Pick<ImageFolderOptions, "imageShape" | "classes" | "limit" | "onCorrupt" | "onProgress" | "signal">
> {
  /** The folder of the files of a data set that is not embedded, or where it has one its archive; see `mnist`, `cifar10`, `svhn`, `imageFolder`. */
  readonly dir?: string;
  /** `train`, `test` and, of `digits` and `images`, `validation`. */
  readonly split: string;
  /** How many images, from the first on; all of them by default, of the endless `digits` as many as MNIST has. */
  readonly length?: number;
  /** For generated data only; 0 by default. */
  readonly seed?: number;
}

const OPENERS = {
  digits: openDigits,
  mnist: fromFiles(mnist, "the folder of the MNIST files (train-images-idx3-ubyte[.gz] …)"),
  cifar10: fromFiles(cifar10, "the folder of the CIFAR-10 files (data_batch_1.bin …) or cifar-10-binary.tar.gz"),
  cifar100: fromFiles(cifar100, "the folder of the CIFAR-100 files (train.bin, test.bin) or cifar-100-binary.tar.gz"),
  svhn: fromFiles(svhn, "the folder of the SVHN files (train_32x32.mat, test_32x32.mat)"),
  images: fromFiles(openImages, "the folder of the images (<split>/<class>/*.png or <class>/*.png)"),
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

/** An opener of a data set that has files. */
function fromFiles<Split extends string>(
  open: (options: OpenDatasetOptions & { readonly dir: string; readonly split: Split }) => Promise<Dataset>,
  files: string,
): (options: OpenDatasetOptions) => Promise<Dataset> {
  return async (options) => {
    const { dir, split, length } = options;
    if (dir === undefined) throw new ArgumentError(`Expected ${files} for dir but received none`);
    const dataset = await open({ ...options, dir, split: split as Split });
    if (length === undefined) return dataset;
    expectArgument(length <= dataset.length, "length", `at most the ${dataset.length} images there are`, length);
    return slice(dataset, 0, length);
  };
}

async function openImages(options: OpenDatasetOptions & { readonly dir: string }): Promise<Dataset> {
  const { imageShape } = options;
  if (imageShape === undefined) {
    throw new ArgumentError(
      "Expected what size to make the images, [channels, height, width], for imageShape but received none",
    );
  }
  return imageFolder({ ...options, imageShape });
}

function isKey<T extends object>(table: T, key: string): key is keyof T & string {
  return Object.hasOwn(table, key);
}
