import { join } from "node:path";
import { z } from "zod";
import type { Backend } from "../backends/backend.js";
import type { Dataset } from "../data/dataset.js";
import { readSafetensors } from "../formats/safetensors.js";
import { parseMetadata } from "../inference/adaptive-network.js";
import { modelByName } from "../models/index.js";
import { initialParams } from "../nn/exit-model.js";
import { Network } from "../nn/network.js";
import { networkId, type TableNetwork } from "../reproduce/tables.js";
import type { TableRow } from "../reproduce/weights.js";
import { expectSameRun } from "../training/checkpoint.js";
import { trainConfigSchema, type TrainConfig } from "../training/index.js";
import type { Preset } from "../training/preset.js";
import { exists } from "../util/paths.js";
import { trainWithProgress } from "./training-progress.js";
import { UsageError } from "./usage-error.js";

export interface TableTraining {
  readonly preset: Preset;
  readonly backend: Backend;
  /** Opened only if something is to be trained. */
  readonly images: () => Promise<Dataset>;
  /** Each network gets a folder in it, named after it. */
  readonly out: string;
  readonly signal: AbortSignal;
}

/**
 * Trains the networks that have no weights, going on with runs that were interrupted. A stopped run leaves its row, and those after it, without.
 *
 * @throws ArgumentError naming the settings in which a run in `out` differs from those asked for
 */
export async function trainMissing(rows: readonly TableRow[], training: TableTraining): Promise<TableRow[]> {
  const trained: TableRow[] = [];
  for (const row of rows) {
    const weights = row.weights ?? (training.signal.aborted ? undefined : await trainOne(row, training));
    trained.push(weights === undefined ? row : { ...row, weights });
  }
  return trained;
}

/** The folder in which a network of a table is trained. */
export function trainingFolder(out: string, { model, defence }: TableNetwork): string {
  return join(out, model, defence.replace(":", "-"));
}

async function trainOne(
  row: TableRow,
  { preset, backend, images, out, signal }: TableTraining,
): Promise<string | undefined> {
  const config = configOf(row, preset);
  const folder = trainingFolder(out, row);
  const finished = await finishedModel(join(folder, "model.safetensors"), config);
  if (finished !== undefined) return finished;
  const model = modelByName(row.model);
  using net = new Network(model, backend, initialParams(model, config.seed));
  const resume = await exists(join(folder, "checkpoint.safetensors"));
  const result = await trainWithProgress(`Training ${networkId(row)}`, net, await images(), config, {
    out: folder,
    resume,
    signal,
  });
  return result.model;
}

function configOf({ model, defence }: TableNetwork, { config }: Preset): TrainConfig {
  if (defence === "standard") return { ...config, model, attack: null };
  if (config.attack === null) {
    throw new UsageError(
      `Expected a preset with an attack, to train ${model} against ${defence}, but received one of clean images`,
    );
  }
  return { ...config, model, attack: { ...config.attack, form: defence } };
}

const recordSchema = z.object({ config: trainConfigSchema, iteration: z.int(), iterations: z.int() });

/** The path, if a run of these settings has come to its end there. */
async function finishedModel(path: string, config: TrainConfig): Promise<string | undefined> {
  if (!(await exists(path))) return undefined;
  const { training = "{}" } = (await readSafetensors(path)).metadata;
  const record = recordSchema.safeParse(parseMetadata(path, "training", training, z.unknown()));
  if (!record.success || record.data.iteration < record.data.iterations) return undefined;
  expectSameRun(path, record.data.config, config);
  return path;
}
