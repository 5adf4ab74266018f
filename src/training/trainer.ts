import { joinPath, makeFolder } from "#files";
import { split, type Dataset } from "../data/dataset.js";
import { save } from "../inference/adaptive-network.js";
import { calibrate, checkDataset } from "../inference/calibrate.js";
import type { ExitPolicy } from "../inference/policy.js";
import type { Network } from "../nn/network.js";
import { ArgumentError, expectArgument } from "../util/errors.js";
import { packageVersion } from "../util/package-version.js";
import { iterationsOf, parseTrainConfig, type TrainConfig, type TrainConfigInput } from "./config.js";
import { TrainingRun, type RunControl, type RunFiles, type StopReason } from "./run.js";
import { TrainingStep } from "./step.js";

export interface TrainOptions extends RunControl {
  /** The folder for `checkpoint.safetensors`, `log.jsonl` and `model.safetensors`; made if it is not there. */
  readonly out: string;
  /** Go on from the folder's checkpoint: the result is that of an uninterrupted run, bit for bit, with as many threads. */
  readonly resume?: boolean;
  /** Begin anew even where the folder holds an unfinished run. */
  readonly overwrite?: boolean;
}

export interface TrainResult {
  readonly stopped: StopReason;
  /** Done, and planned. */
  readonly iteration: number;
  readonly iterations: number;
  readonly seconds: number;
  readonly checkpoint: string;
  readonly log: string;
  /** The calibrated model; not of an aborted run. */
  readonly model?: string;
  readonly policy?: ExitPolicy;
}

/**
 * Trains a network in place, adversarially if the settings say so; see `TrainConfig`. It begins with the weights that `net` has.
 *
 * @throws ArgumentError if settings, dataset and network do not fit each other, or `out` holds an unfinished run
 * @throws DivergedError if the loss cannot recover; the last checkpoint is kept
 * @throws RdiError if `out` cannot be written
 */
export async function train(
  net: Network,
  dataset: Dataset,
  input: TrainConfigInput,
  options: TrainOptions,
): Promise<TrainResult> {
  const config = { ...parseTrainConfig(input), threads: net.backend.threads };
  checkConfig(net, dataset, config);
  const [training, validation] = split(dataset, config.validationFraction, config.seed);
  const epochLength = Math.floor(training.length / config.batchSize);
  expectArgument(epochLength > 0, "batchSize", `at most the ${training.length} training images`, config.batchSize);
  const iterations = iterationsOf(config, epochLength);
  const files = filesIn(options.out);
  await makeFolder(options.out);

  const exitWeights = config.exitWeights ?? Array.from({ length: net.model.exits }, () => 1);
  using step = new TrainingStep(net, { ...config, exitWeights, dropout: true }, config.batchSize);
  const run = new TrainingRun(net, step, config, { training, validation, epochLength, iterations, exitWeights }, files);
  await (options.resume === true ? run.resume() : run.begin(options.overwrite === true));
  const stopped = await run.go(options);
  const { iteration, seconds } = run;
  const result = { stopped, iteration, iterations, seconds, checkpoint: files.checkpoint, log: files.log };
  if (stopped === "aborted") return result;

  const policy = await calibrate(net, validation);
  const { name, classNames } = dataset;
  const record = {
    config,
    dataset: name,
    ...(classNames && { classNames }),
    iteration,
    iterations,
    seconds,
    version: packageVersion(),
  };
  await save(files.model, net, { policy, training: record });
  return { ...result, model: files.model, policy };
}

function filesIn(folder: string): RunFiles {
  const path = (name: string): string => joinPath(folder, name);
  return { checkpoint: path("checkpoint.safetensors"), log: path("log.jsonl"), model: path("model.safetensors") };
}

function checkConfig(net: Network, dataset: Dataset, config: TrainConfig): void {
  const { model } = net;
  expectArgument(config.model === model.name, "the network", `the model ${config.model} of the settings`, model.name);
  checkDataset(model, dataset);
  const side = Math.min(...model.inputShape.slice(1));
  expectArgument(
    config.augment.crop < side,
    "augment.crop",
    `less than the ${side} pixels of an image`,
    config.augment.crop,
  );
  const weights = config.exitWeights;
  if (weights !== undefined && weights.length !== model.exits) {
    throw new ArgumentError(
      `Expected ${model.exits} exitWeights, one an exit of ${model.name}, but received ${weights.length}`,
    );
  }
}
