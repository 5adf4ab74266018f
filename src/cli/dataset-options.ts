import { Option, type Command } from "commander";
import { slice, type Dataset } from "../data/dataset.js";
import { hasSplits } from "../data/image-folder.js";
import { DATASET_NAMES, openDataset, type DatasetName } from "../data/registry.js";
import { readSafetensors } from "../formats/safetensors.js";
import { namedModel } from "../inference/adaptive-network.js";
import { modelByName } from "../models/index.js";
import type { ExitModel } from "../nn/exit-model.js";
import { RdiError, type FormatError } from "../util/errors.js";
import { defined } from "./defined.js";
import { integer } from "./numbers.js";
import { note } from "./output.js";
import { startProgress } from "./progress.js";
import { UsageError, asUsage } from "./usage-error.js";

/** The data set that needs no files. */
const EMBEDDED = "digits";
/** The data set whose files are made what the model wants. */
const IMAGES: DatasetName = "images";

/** Which data to take. */
export interface DatasetOptions {
  readonly dataset: string;
  readonly data?: string;
  readonly skipCorrupt?: boolean;
}

/** Which data to take, and the model that it is for: the file of its weights, or the name of one to train, which gets as many classes as the data have. */
export interface DataForModel extends DatasetOptions {
  readonly weights?: string;
  readonly model?: string;
}

/** Which part of it. */
export interface SliceOptions {
  readonly split: string;
  readonly offset: number;
  readonly limit?: number;
}

export function withDatasetOptions(command: Command): Command {
  return withDataOptions(command.addOption(datasetOption().makeOptionMandatory()));
}

export function datasetOption(): Option {
  return new Option(
    "--dataset <name>",
    "the data set; digits is embedded, images a folder of PNG and JPEG files",
  ).choices(DATASET_NAMES);
}

export function dataOption(): Option {
  return new Option(
    "--data <path>",
    "the folder of its files, the folder above it, or (cifar10, cifar100) the .tar.gz",
  );
}

/** Where its files are, and what to do with those that are no good. */
export function withDataOptions(command: Command): Command {
  return command
    .addOption(dataOption())
    .option("--skip-corrupt", "leave out files of images that cannot be decoded, and name them");
}

export function withSliceOptions(command: Command, split = "test"): Command {
  return command
    .option("--split <name>", "train, test and, of digits and images, validation", split)
    .addOption(new Option("--offset <index>", "the first image to take").argParser(integer(0)).default(0))
    .addOption(new Option("--limit <count>", "at most so many images; all by default").argParser(integer(1)));
}

/**
 * A split of the data set.
 *
 * @param limit how many images will be wanted: those after them need not be read
 */
export async function openSplit(options: DataForModel, split: string, limit?: number): Promise<Dataset> {
  const { dataset, data, skipCorrupt } = options;
  if (dataset !== EMBEDDED && data === undefined)
    throw new UsageError(`Expected --data, the folder of the files of ${dataset}`);
  if (dataset === EMBEDDED && data !== undefined)
    throw new UsageError(`Expected no --data with ${dataset}, which is embedded`);
  if (dataset !== IMAGES && skipCorrupt === true) throw new UsageError(`Expected no --skip-corrupt with ${dataset}`);
  return asUsage(() =>
    dataset === IMAGES ? openImages(options, split, limit) : openDataset(dataset, { split, ...defined({ dir: data }) }),
  );
}

async function openImages(options: DataForModel, split: string, limit: number | undefined): Promise<Dataset> {
  const { data: dir, skipCorrupt } = options;
  const { inputShape: imageShape, classes } = await wantedBy(options);
  if (split === "train" && !(await hasSplits(dir!)))
    note(`note: ${dir} has no folders train and test, so that the same images serve as both`);
  let skipped = 0;
  const onCorrupt = (error: FormatError): void => {
    if (skipCorrupt !== true) throw new RdiError(`${error.message} (--skip-corrupt leaves such files out)`);
    skipped++;
    note(`skipped ${error.message}`);
  };
  using progress = startProgress("Reading images");
  const images = await openDataset(IMAGES, {
    split,
    imageShape,
    onCorrupt,
    onProgress: progress.update,
    ...defined({ dir, limit, classes }),
  });
  if (skipped > 0)
    note(`skipped ${skipped} corrupt ${skipped === 1 ? "file" : "files"}; ${images.length} images are left`);
  return images;
}

/** What images and classes the model is for. */
async function wantedBy({
  weights,
  model,
}: DataForModel): Promise<{ inputShape: ExitModel["inputShape"]; classes?: number }> {
  if (weights !== undefined) return namedModel(weights, (await readSafetensors(weights)).metadata);
  return { inputShape: modelByName(model!).inputShape };
}

/** The part that the options ask for: at least one image. */
export async function openSlice(options: DataForModel & SliceOptions): Promise<Dataset> {
  const { limit } = options;
  const all = await openSplit(options, options.split, limit === undefined ? limit : options.offset + limit);
  if (options.offset >= all.length) {
    throw new UsageError(
      `Expected --offset in 0 … ${all.length - 1} for the ${all.length} images of ${all.name} but received ${options.offset}`,
    );
  }
  return slice(all, options.offset, limit);
}
