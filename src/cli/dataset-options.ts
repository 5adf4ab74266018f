import { Option, type Command } from "commander";
import { slice, type Dataset } from "../data/dataset.js";
import { DATASET_NAMES, openDataset } from "../data/registry.js";
import { defined } from "./defined.js";
import { integer } from "./numbers.js";
import { UsageError, asUsage } from "./usage-error.js";

/** The data set that needs no files. */
const EMBEDDED = "digits";

/** Which data to take. */
export interface DatasetOptions {
  readonly dataset: string;
  readonly data?: string;
}

/** Which part of it. */
export interface SliceOptions {
  readonly split: string;
  readonly offset: number;
  readonly limit?: number;
}

export function withDatasetOptions(command: Command): Command {
  return command
    .addOption(
      new Option("--dataset <name>", "the data set; digits is embedded").choices(DATASET_NAMES).makeOptionMandatory(),
    )
    .option("--data <dir>", "the folder of its files, or the folder above it");
}

export function withSliceOptions(command: Command, split = "test"): Command {
  return command
    .option("--split <name>", "train, test and, of digits, validation", split)
    .addOption(new Option("--offset <index>", "the first image to take").argParser(integer(0)).default(0))
    .addOption(new Option("--limit <count>", "at most so many images; all by default").argParser(integer(1)));
}

/** A whole split of the data set. */
export async function openSplit({ dataset, data }: DatasetOptions, split: string): Promise<Dataset> {
  if (dataset !== EMBEDDED && data === undefined)
    throw new UsageError(`Expected --data, the folder of the files of ${dataset}`);
  if (dataset === EMBEDDED && data !== undefined)
    throw new UsageError(`Expected no --data with ${dataset}, which is embedded`);
  return asUsage(() => openDataset(dataset, { split, ...defined({ dir: data }) }));
}

/** The part that the options ask for: at least one image. */
export async function openSlice(options: DatasetOptions & SliceOptions): Promise<Dataset> {
  const all = await openSplit(options, options.split);
  if (options.offset >= all.length) {
    throw new UsageError(
      `Expected --offset in 0 … ${all.length - 1} for the ${all.length} images of ${all.name} but received ${options.offset}`,
    );
  }
  return slice(all, options.offset, options.limit);
}
