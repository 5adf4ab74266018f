import { join } from "node:path";
import type { Command } from "commander";
import type { Backend } from "../backends/backend.js";
import type { Dataset } from "../data/dataset.js";
import { modelByName } from "../models/index.js";
import { initialParams } from "../nn/exit-model.js";
import { Network } from "../nn/network.js";
import { resultTable, type ResultRow } from "../report/index.js";
import { expectNoUnfinishedRun } from "../training/checkpoint.js";
import type { TrainConfig, TrainOptions, TrainResult } from "../training/index.js";
import { iterationsOf, milestonesOf } from "../training/config.js";
import { openPreset, writePreset } from "../training/preset-file.js";
import { addCommand } from "./command.js";
import { openSplit } from "./dataset-options.js";
import { defined } from "./defined.js";
import { openBackend } from "./engine-options.js";
import { onInterrupt } from "./interrupt.js";
import { note, print, duration, textTable } from "./output.js";
import { writeTrainReport } from "./train-report.js";
import { expectGiven, settingsOf } from "./train-config.js";
import { givenOptions, givesSettings, withTrainOptions, type TrainCommandOptions } from "./train-options.js";
import { readSettings, writeSettings, type TrainSettings } from "./train-settings.js";
import { trainWithProgress } from "./training-progress.js";
import { asUsage, Interrupted, UsageError } from "./usage-error.js";
import { expectWritableFile, expectWritableFolder } from "./writable.js";

/** What `rdi train --json` prints. */
interface TrainReport {
  readonly model: string;
  readonly dataset: string;
  readonly backend: string;
  readonly threads: number;
  readonly stopped: TrainResult["stopped"];
  readonly iteration: number;
  readonly iterations: number;
  /** Of training, before resumptions included. */
  readonly seconds: number;
  readonly thresholds: readonly number[];
  readonly rows: readonly ResultRow[];
  /** Paths. */
  readonly files: {
    readonly model: string;
    readonly checkpoint: string;
    readonly log: string;
    readonly report: string;
  };
}

export function addTrain(program: Command): void {
  const command = addCommand(program, "train", "Train a network adversarially, calibrate its exits, and report.", [
    "rdi train --model rdi-smallcnn --dataset digits --out run --epochs 2 --steps 10 --step 0.05",
    "rdi train --model rdi-smallcnn --dataset mnist --data mnist/ --out run --time-limit 45",
    "rdi train --preset paper-cifar10-resnet38 --data cifar10/ --form max-average --out run",
    "rdi train --preset paper-mnist-smallcnn --iterations 2000 --lr-milestones 0.6,0.9 --save-preset mine.json",
    "rdi train --resume --out run",
  ]);
  withTrainOptions(command).action(async (options: TrainCommandOptions) => {
    const settings = await chosenSettings(options, givenOptions(command));
    if (options.savePreset !== undefined) await savePreset(options.savePreset, settings);
    if (options.savePreset !== undefined && options.out === undefined) return;
    const report = await run(expectGiven(options.out, "out"), settings, options);
    print(options.json, report, () => reportText(report));
  });
}

/** Of a run to resume its own, else those that preset and options make. */
async function chosenSettings(
  { out, resume = false }: TrainCommandOptions,
  given: Partial<TrainCommandOptions>,
): Promise<TrainSettings> {
  const stored = resume ? await readSettings(expectGiven(out, "out")) : undefined;
  if (stored !== undefined && !givesSettings(given)) return stored;
  const { preset: source } = given;
  const preset = source === undefined ? undefined : await asUsage(() => openPreset(source));
  const settings = await settingsOf(given, preset);
  if (stored !== undefined && stored.dataset !== settings.dataset) {
    throw new UsageError(
      `Expected --dataset ${stored.dataset}, that of the run to resume, but received ${settings.dataset}`,
    );
  }
  // A run repeats, bit for bit, only with as many threads.
  return { ...settings, config: { ...settings.config, ...defined({ threads: stored?.config.threads }) } };
}

async function savePreset(path: string, { dataset, config }: TrainSettings): Promise<void> {
  await expectWritableFile(path);
  await writePreset(path, { dataset, config });
  note(`Preset: ${path}`);
}

async function run(out: string, settings: TrainSettings, options: TrainCommandOptions): Promise<TrainReport> {
  const { resume = false, reportImages, timeLimit } = options;
  const { dataset: name, config } = settings;
  const source = { ...settings, model: config.model };
  const images = await openSplit(source, "train");
  const test = await openSplit(source, "test");
  noteLateMilestones(config, images);
  await expectWritableFolder(out);

  using backend = await openBackend({ ...options, ...defined({ threads: options.threads ?? config.threads }) });
  using net = initialNetwork(config, images.classes, backend);
  if (!resume && options.overwrite !== true) await expectNoUnfinishedRun(join(out, "checkpoint.safetensors"));
  if (!resume) await writeSettings(out, { ...settings, config: { ...config, threads: backend.threads } });

  const result = await trainUntilInterrupted(net, images, config, {
    out,
    resume,
    overwrite: true,
    ...(timeLimit !== undefined && { timeLimit: 60 * timeLimit }),
  });
  const { model, policy } = result;
  if (model === undefined || policy === undefined) {
    throw new Interrupted(
      `Stopped after iteration ${result.iteration} of ${result.iterations}; ${result.checkpoint} is kept. Go on with: rdi train --resume --out ${out}`,
    );
  }
  if (result.stopped === "time limit") {
    note(
      `The time is up after iteration ${result.iteration} of ${result.iterations}. To train on: rdi train --resume --out ${out}`,
    );
  }
  const { report, rows } = await writeTrainReport(out, { net, policy, config, log: result.log }, test, reportImages);
  return {
    model: config.model,
    dataset: name,
    backend: backend.name,
    threads: backend.threads,
    stopped: result.stopped,
    iteration: result.iteration,
    iterations: result.iterations,
    seconds: result.seconds,
    thresholds: policy.thresholds,
    rows,
    files: { model, checkpoint: result.checkpoint, log: result.log, report },
  };
}

/** A shortened run may end before a preset's milestones, which count iterations: that should not go unseen. */
function noteLateMilestones(config: TrainConfig, { length }: Dataset): void {
  const held = Math.round(length * config.validationFraction);
  const iterations = iterationsOf(config, Math.floor((length - held) / config.batchSize));
  const late = milestonesOf(config.schedule, iterations).filter((milestone) => milestone >= iterations);
  if (late.length > 0) {
    note(
      `note: the learning rate does not change at ${late.join(", ")}, since the run ends after ${iterations} iterations; --lr-milestones takes fractions of the run too`,
    );
  }
}

function initialNetwork({ model: name, seed }: TrainConfig, classes: number, backend: Backend): Network {
  const model = modelByName(name, classes);
  return new Network(model, backend, initialParams(model, seed));
}

async function trainUntilInterrupted(
  net: Network,
  images: Dataset,
  config: TrainConfig,
  options: TrainOptions,
): Promise<TrainResult> {
  using interrupt = onInterrupt("Finishing the iteration and writing a checkpoint.");
  return await trainWithProgress(`Training ${net.model.name}`, net, images, config, {
    ...options,
    signal: interrupt.signal,
  });
}

function reportText({ model, dataset, rows, iteration, seconds: took, files }: TrainReport): string {
  return [
    textTable(resultTable(rows)),
    `Trained ${model} on ${dataset} for ${iteration} iterations (${duration(took)}).`,
    `Weights: ${files.model}`,
    `Report: ${files.report}`,
  ].join("\n");
}
