import { Option, type Command } from "commander";
import { models } from "../models/index.js";
import { TRAINING_METHODS } from "../training/index.js";
import { presets } from "../training/presets.js";
import { withAttackOptions, type AttackOptions } from "./attack-options.js";
import { datasetOption, withDataOptions } from "./dataset-options.js";
import { withEngineOptions, type EngineOptions } from "./engine-options.js";
import { integer, number } from "./numbers.js";

/** The settings of a new run. */
export interface RunOptions extends Partial<AttackOptions<(typeof TRAINING_METHODS)[number]>> {
  readonly preset?: string;
  readonly model?: string;
  readonly dataset?: string;
  readonly data?: string;
  readonly skipCorrupt?: boolean;
  readonly epochs?: number;
  readonly iterations?: number;
  readonly batchSize?: number;
  readonly lr?: number;
  readonly lrMilestones?: readonly number[];
  readonly lrFactor?: number;
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
  readonly out?: string;
  readonly savePreset?: string;
  readonly resume?: boolean;
  readonly overwrite?: boolean;
  /** Minutes. */
  readonly timeLimit?: number;
  readonly reportImages: number;
  readonly json?: boolean;
}

export const DEFAULT_EPOCHS = 10;

export function withTrainOptions(command: Command): Command {
  withAttackOptions(
    withDataOptions(
      command
        .option(
          "--preset <name>",
          `a recipe to begin with, whose settings the other options replace: ${[...presets.keys()].join(", ")}, or a .json file`,
        )
        .option("--save-preset <file>", "write the settings as such a file; without --out, nothing is trained")
        .addOption(new Option("--model <name>", "the network").choices([...models.keys()]))
        .addOption(datasetOption()),
    )
      .option("--out <dir>", "where the checkpoint, the log, the model and the report go")
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
          "when it changes: fractions of the run, as 0.5,0.75, or iterations, as 32000,48000 (default: 0.893,0.985)",
        ).argParser(numberList),
      )
      .addOption(
        new Option("--lr-factor <factor>", "what each milestone multiplies it by (default: 0.1)").argParser(number(0)),
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
        "how the network runs while it is attacked: as in training (dropout, statistics of the batch) or as at inference (default: eval)",
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
    .option("--no-augment-flip", "mirror none, whatever the preset says")
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
    .addOption(new Option("--overwrite", "begin anew even if --out holds an unfinished run").conflicts("resume"))
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

/** Options that do not say what is trained, and how: a resumed run may have others. */
const NO_SETTINGS = new Set([
  "out",
  "resume",
  "overwrite",
  "timeLimit",
  "reportImages",
  "savePreset",
  "json",
  "backend",
  "threads",
  "device",
]);

/** The options that the command line itself has, without defaults. */
export function givenOptions(command: Command): Partial<TrainCommandOptions> {
  return Object.fromEntries(
    Object.entries(command.opts()).filter(([name]) => command.getOptionValueSource(name) === "cli"),
  );
}

/** Whether some of the options given are settings of a run: resumed, it must then be that very run. */
export function givesSettings(given: Partial<TrainCommandOptions>): boolean {
  return Object.keys(given).some((name) => !NO_SETTINGS.has(name));
}

function numberList(text: string): number[] {
  return text.split(",").map(number(0));
}
