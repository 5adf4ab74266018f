import { exists } from "#files";
import { z } from "zod";
import { readSafetensors, writeSafetensors, type StoredTensor } from "../formats/safetensors.js";
import { parseMetadata, storedWeights, weightsOf } from "../inference/adaptive-network.js";
import { learnedParams, type ExitModel } from "../nn/exit-model.js";
import { ArgumentError, FormatError } from "../util/errors.js";
import { differingSettings } from "../util/differing-settings.js";
import { trainConfigSchema, type TrainConfig } from "./config.js";
import type { LossHistory } from "./loss-watch.js";

/** All that a run needs to go on as if it had never stopped: everything else is a function of the settings and the iteration. */
export interface Checkpoint {
  readonly config: TrainConfig;
  /** Iterations done, and how many the run has. */
  readonly iteration: number;
  readonly iterations: number;
  /** Seconds of training so far. */
  readonly seconds: number;
  readonly history: LossHistory | undefined;
  readonly weights: ReadonlyMap<string, Float32Array>;
  readonly velocities: ReadonlyMap<string, Float32Array>;
}

const FORMAT = "rdi-net-checkpoint";
const WEIGHT = "weight/";
const VELOCITY = "velocity/";

const positionSchema = z.strictObject({
  iteration: z.int().min(0),
  iterations: z.int().min(1),
  seconds: z.number().min(0),
  history: z.strictObject({ average: z.number(), first: z.number(), best: z.number(), lost: z.int() }).optional(),
});

/** Writes a checkpoint atomically: a run that is killed meanwhile leaves the one before. @throws RdiError if the file cannot be written */
export async function writeCheckpoint(path: string, model: ExitModel, checkpoint: Checkpoint): Promise<void> {
  const { config, iteration, iterations, seconds, history, weights, velocities } = checkpoint;
  const prefixed = (prefix: string, tensors: ReadonlyMap<string, StoredTensor>): [string, StoredTensor][] =>
    [...tensors].map(([name, tensor]) => [prefix + name, tensor]);
  const stored = [
    ...prefixed(WEIGHT, storedWeights(model.params, weights)),
    ...prefixed(VELOCITY, storedWeights(learnedParams(model), velocities)),
  ];
  await writeSafetensors(path, new Map(stored), {
    format: FORMAT,
    config: JSON.stringify(config),
    position: JSON.stringify({ iteration, iterations, seconds, history }),
  });
}

/** @throws FormatError if the file is missing, damaged, or no checkpoint of the model */
export async function readCheckpoint(path: string, model: ExitModel): Promise<Checkpoint> {
  const { tensors, metadata } = await readSafetensors(path);
  if (metadata.format !== FORMAT || metadata.config === undefined || metadata.position === undefined) {
    throw new FormatError(
      path,
      `Expected a checkpoint (metadata "format": "${FORMAT}", "config", "position") but received metadata ${JSON.stringify(metadata)}`,
    );
  }
  const unprefixed = (prefix: string, params: ExitModel["params"]): Map<string, Float32Array> =>
    weightsOf(
      { name: model.name, params },
      new Map(
        [...tensors]
          .filter(([name]) => name.startsWith(prefix))
          .map(([name, tensor]) => [name.slice(prefix.length), tensor]),
      ),
      path,
    );
  const { history, ...position } = parseMetadata(path, "position", metadata.position, positionSchema);
  return {
    config: parseMetadata(path, "config", metadata.config, trainConfigSchema),
    ...position,
    history,
    weights: unprefixed(WEIGHT, model.params),
    velocities: unprefixed(VELOCITY, learnedParams(model)),
  };
}

/** Keeps a run that was interrupted from being overwritten by mistake. @throws ArgumentError */
export async function expectNoUnfinishedRun(path: string): Promise<void> {
  if (!(await exists(path))) return;
  const { metadata } = await readSafetensors(path);
  const { iteration, iterations } = parseMetadata(path, "position", metadata.position ?? "", positionSchema);
  if (iteration === 0 || iteration === iterations) return;
  throw new ArgumentError(
    `Expected a folder without an unfinished run but received ${path} at iteration ${iteration} of ${iterations}: resume it, overwrite it, or choose another folder`,
  );
}

/** @throws ArgumentError naming the settings in which a run and the checkpoint that it is to resume from differ */
export function expectSameRun(path: string, saved: TrainConfig, asked: TrainConfig): void {
  // Other threads only change the rounding of sums.
  const differing = differingSettings({ ...saved, threads: undefined }, { ...asked, threads: undefined });
  if (differing.length === 0) return;
  throw new ArgumentError(
    `Expected the settings of ${path} to resume from it but received others: ${differing.join("; ")}`,
  );
}
