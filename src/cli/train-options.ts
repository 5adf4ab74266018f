import { Option, type Command } from "commander";
import type { Dataset } from "../data/dataset.js";
import { models } from "../models/index.js";
import { parseTrainConfig, TRAINING_METHODS, type TrainConfig } from "../training/index.js";
import { expectExit, trainingAttack, withAttackOptions, type AttackOptions } from "./attack-options.js";
import { datasetOption, withDataOptions } from "./dataset-options.js";
import { defined } from "./defined.js";
import { withEngineOptions, type EngineOptions } from "./engine-options.js";
import { integer, number } from "./numbers.js";
import { epochsOf } from "./train-settings.js";
import { asUsage, UsageError } from "./usage-error.js";

/** The settings of a new run. */
export interface RunOptions extends AttackOptions<(typeof TRAINING_METHODS)[number]> {
  readonly model?: string;
  readonly dataset?: string;
  readonly data?: string;
  readonly skipCorrupt?: boolean;
  readonly epochs?: number;
  readonly iterations?: number;
  readonly batchSize?: number;
  readonly lr?: number;
  readonly lrMilestones?: readonly number[];
  readonly momentum?: number;
  readonly weightDecay?: number;
  readonly attackMode?: "train" | "eval";
  readonly epsWarmup?: number;
  readonly augmentCrop?: number;
  readonly augmentFlip?: boolean;
  readonly exitWeights?: readonly number[];
  readonly validation?: number;
  readonly checkpointEvery?: number;
  readonly logEvery?: number;
}

export interface TrainCommandOptions extends RunOptions, EngineOptions {
  readonly out: string;
  readonly resume?: boolean;
  readonly overwrite?: boolean;
  /** Minutes. */
  readonly timeLimit?: number;
  readonly reportImages: number;
  readonly json?: boolean;
}

const DEFAULT_EPOCHS = 10;

export function withTrainOptions(command: Command): Command {
  withAttackOptions(
    withDataOptions(
      command
        .addOption(new Option("--model <name>", "the network").choices([...models.keys()]))
        .addOption(datasetOption()),
    )
      .requiredOption("--out <dir>", "where the checkpoint, the log, the model and the report go")
      .addOption(
        new Option(
          "--epochs <count>",
          `passes over the training images, may be a fraction (default: ${DEFAULT_EPOCHS})`,
        ).argParser(number(0)),
      )
      .addOption(new Option("--iterations <count>", "the same in iterations").argParser(integer(1)).conflicts("epochs"))
      .addOption(new Option("--batch-size <count>", "images of an iteration (default: 256)").argParser(integer(1)))
      .addOption(new Option("--lr <rate>", "learning rate at the beginning (default: 0.033)").argParser(number(0)))
      .addOption(
        new Option(
          "--lr-milestones <list>",
          "fractions of the run after which it is divided by 10 (default: 0.893,0.985)",
        ).argParser(numberList),
      )
      .addOption(new Option("--momentum <factor>", "of the optimizer (default: 0.9)").argParser(number(0, 1)))
      .addOption(new Option("--weight-decay <factor>", "of the optimizer (default: 0.0005)").argParser(number(0))),
    TRAINING_METHODS,
    "pgd",
  );
  command
    .addOption(
      new Option(
        "--attack-mode <mode>",
        "whether attacks see dropout, as training does, or not (default: eval)",
      ).choices(["train", "eval"]),
    )
    .addOption(
      new Option("--eps-warmup <fraction>", "of the run over which ε grows from 0 (default: 0)").argParser(
        number(0, 1),
      ),
    )
    .addOption(
      new Option(
        "--augment-crop <pixels>",
        "pad training images with so many pixels on every side and take a random part (default: 0)",
      ).argParser(integer(0)),
    )
    .option("--augment-flip", "mirror a random half of the training images")
    .addOption(
      new Option("--exit-weights <list>", "the weight of each exit's loss, as 0.5,1,1 (default: 1 each)").argParser(
        numberList,
      ),
    )
    .addOption(
      new Option(
        "--validation <fraction>",
        "of the training images to hold out and calibrate on (default: 0.05)",
      ).argParser(number(0, 1)),
    )
    .addOption(
      new Option("--checkpoint-every <count>", "iterations between checkpoints (default: 200)").argParser(integer(1)),
    )
    .addOption(
      new Option("--log-every <count>", "iterations between lines of the log (default: 10)").argParser(integer(1)),
    );
  return withEngineOptions(command)
    .option("--resume", "go on with the run in --out, by its own settings")
    .option("--overwrite", "begin anew even if --out holds an unfinished run")
    .addOption(
      new Option("--time-limit <minutes>", "stop training after so long, with a calibrated model").argParser(number(0)),
    )
    .addOption(
      new Option("--report-images <count>", "test images that the report attacks in every form")
        .argParser(integer(1))
        .default(200),
    )
    .option("--json", "print one JSON object");
}

/** The settings that the options of a new run make. @throws UsageError if one is out of range or does not fit the others */
export async function configOf(options: RunOptions, dataset: Dataset): Promise<TrainConfig> {
  const model = models.get(expectGiven(options.model, "model"))!;
  const attack = await trainingAttack(options, dataset.name);
  if (attack !== null) expectExit(attack, model);
  const { batchSize, momentum, weightDecay, attackMode, epsWarmup, exitWeights, checkpointEvery, logEvery, seed } =
    options;
  const config = await asUsage(() =>
    parseTrainConfig({
      model: model.name,
      epochs: options.epochs ?? DEFAULT_EPOCHS,
      attack:
        attack === null || options.attack === "none"
          ? null
          : {
              method: options.attack,
              form: attack.form,
              norm: options.norm,
              eps: attack.method.eps,
              step: attack.method.step,
              steps: attack.method.steps,
              randomStart: attack.method.randomStart,
            },
      seed,
      ...defined({ batchSize, momentum, weightDecay, attackMode, epsWarmup, checkpointEvery, logEvery }),
      ...defined({
        exitWeights: exitWeights && [...exitWeights],
        learningRate: options.lr,
        schedule: options.lrMilestones && { milestones: [...options.lrMilestones], factor: 0.1 },
        validationFraction: options.validation,
        augment:
          options.augmentCrop === undefined && options.augmentFlip === undefined
            ? undefined
            : defined({ crop: options.augmentCrop, flip: options.augmentFlip }),
      }),
    }),
  );
  return options.iterations === undefined
    ? config
    : { ...config, epochs: epochsOf(options.iterations, dataset, config) };
}

/** Options that do not say what is trained, and how: a resumed run may have others. */
const NO_SETTINGS = new Set(["out", "resume", "overwrite", "timeLimit", "reportImages", "json", "backend", "threads"]);

/** Whether the command line itself has settings of a run: resumed, it must then be that very run. */
export function givesSettings(command: Command): boolean {
  return Object.keys(command.opts()).some(
    (name) => !NO_SETTINGS.has(name) && command.getOptionValueSource(name) === "cli",
  );
}

/** An option that a new run needs, although a resumed one does not. */
export function expectGiven(value: string | undefined, name: string): string {
  if (value === undefined)
    throw new UsageError(`required option --${name} not specified (only --resume alone does without)`);
  return value;
}

function numberList(text: string): number[] {
  return text.split(",").map(number(0));
}
