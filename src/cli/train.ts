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
import { addCommand } from "./command.js";
import { openSplit } from "./dataset-options.js";
import { defined } from "./defined.js";
import { openBackend } from "./engine-options.js";
import { onInterrupt } from "./interrupt.js";
import { note, print, duration, textTable } from "./output.js";
import { writeTrainReport } from "./train-report.js";
import { configOf, expectGiven, givesSettings, withTrainOptions, type TrainCommandOptions } from "./train-options.js";
import { readSettings, writeSettings, type TrainSettings } from "./train-settings.js";
import { trainWithProgress } from "./training-progress.js";
import { Interrupted, UsageError } from "./usage-error.js";
import { expectWritableFolder } from "./writable.js";

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
    "rdi train --resume --out run",
  ]);
  withTrainOptions(command).action(async (options: TrainCommandOptions) => {
    const report = await run(options, command);
    print(options.json, report, () => reportText(report));
  });
}

async function run(options: TrainCommandOptions, command: Command): Promise<TrainReport> {
  const { out, resume = false, reportImages, timeLimit } = options;
  const stored = resume ? await readSettings(out) : undefined;
  const { settings, images } =
    stored !== undefined && !givesSettings(command) ? await openStored(stored) : await settingsOf(options, stored);
  const { dataset: name, config } = settings;
  const test = await openSplit({ ...settings, model: config.model }, "test");
  await expectWritableFolder(out);

  // A run repeats, bit for bit, only with as many threads.
  using backend = await openBackend({ ...options, ...defined({ threads: options.threads ?? stored?.config.threads }) });
  using net = initialNetwork(config, backend);
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

/** What to train by, and on. */
interface Prepared {
  readonly settings: TrainSettings;
  readonly images: Dataset;
}

/** The settings that the options make; of a resumed run, on the same data set. */
async function settingsOf(options: TrainCommandOptions, stored: TrainSettings | undefined): Promise<Prepared> {
  const dataset = expectGiven(options.dataset, "dataset");
  if (stored !== undefined && stored.dataset !== dataset) {
    throw new UsageError(`Expected --dataset ${stored.dataset}, that of the run to resume, but received ${dataset}`);
  }
  const source = { dataset, ...defined({ data: options.data, skipCorrupt: options.skipCorrupt }) };
  const images = await openSplit({ ...source, model: expectGiven(options.model, "model") }, "train");
  return { settings: { ...source, config: await configOf(options, images) }, images };
}

async function openStored(settings: TrainSettings): Promise<Prepared> {
  return { settings, images: await openSplit({ ...settings, model: settings.config.model }, "train") };
}

function initialNetwork({ model: name, seed }: TrainConfig, backend: Backend): Network {
  const model = modelByName(name);
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
