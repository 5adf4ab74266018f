import { join } from "node:path";
import { z } from "zod";
import { trainConfigSchema, type TrainConfig } from "../training/index.js";
import { FormatError } from "../util/errors.js";
import { readJson, writeJson } from "../util/json-file.js";

const settingsSchema = z.object({
  dataset: z.string(),
  data: z.string().exactOptional(),
  skipCorrupt: z.boolean().exactOptional(),
  config: trainConfigSchema,
});

/** What `rdi train --resume` must know of a run besides its checkpoint. */
export interface TrainSettings {
  readonly dataset: string;
  /** The folder of the data set's files. */
  readonly data?: string;
  /** Whether images that cannot be decoded are left out. */
  readonly skipCorrupt?: boolean;
  readonly config: TrainConfig;
}

const FILE = "settings.json";

export async function writeSettings(folder: string, settings: TrainSettings): Promise<void> {
  await writeJson(join(folder, FILE), settings);
}

/** @throws FormatError if the folder holds no run, or a damaged one */
export async function readSettings(folder: string): Promise<TrainSettings> {
  const path = join(folder, FILE);
  const result = settingsSchema.safeParse(await readJson(path, "the settings of a training run to resume"));
  if (!result.success)
    throw new FormatError(path, `Expected training settings but received: ${z.prettifyError(result.error)}`);
  return result.data;
}
