import { z } from "zod";
import { ArgumentError } from "../util/errors.js";
import { checkSettings } from "../util/settings.js";
import { parseTrainConfig, trainConfigSchema, type TrainConfig } from "./config.js";

/** A preset as a JSON file holds it; published as `schema/preset.schema.json`. */
export const presetSchema = z
  .strictObject({
    $schema: z.string().optional().describe("Where this schema is, for editors"),
    description: z.string().optional(),
    dataset: z.string().describe("The data set, by its name"),
    config: trainConfigSchema,
  })
  .meta({ title: "Training preset of rdi-net" });

/** All that makes a training run but the folder of the data: plain JSON. */
export interface Preset {
  readonly description?: string;
  /** The name of a data set. */
  readonly dataset: string;
  readonly config: TrainConfig;
}

/**
 * Checks a preset and fills in the defaults.
 *
 * @param source what to call it in errors
 * @throws ArgumentError that names the keys at fault, and for an unknown key the nearest known ones
 */
export function parsePreset(value: unknown, source: string): Preset {
  const result = checkSettings(presetSchema, value);
  if ("problems" in result) throw new ArgumentError(`In the preset ${source}: ${result.problems}`);
  const { description, dataset, config } = result.data;
  return { ...(description !== undefined && { description }), dataset, config: parseTrainConfig(config) };
}

/** The JSON schema of preset files. */
export function presetJsonSchema(): object {
  return z.toJSONSchema(presetSchema, { io: "input" });
}
