import { join } from "node:path";
import { attackForm, pgd, type Attack } from "../attacks/index.js";
import type { Dataset } from "../data/dataset.js";
import type { DatasetName } from "../data/registry.js";
import type { ExitPolicy } from "../inference/index.js";
import type { ExitModel } from "../nn/exit-model.js";
import type { Network } from "../nn/network.js";
import { renderReport, type ResultRow } from "../report/index.js";
import type { TrainConfig } from "../training/index.js";
import { writeTextAtomic } from "../util/atomic-file.js";
import { ATTACK_SETTINGS } from "./attack-options.js";
import { startProgress } from "./progress.js";
import { formsFor, study } from "./study.js";
import { readTrainingLog } from "./training-log.js";

export interface TrainedRun {
  readonly net: Network;
  readonly policy: ExitPolicy;
  readonly config: TrainConfig;
  /** The path of `log.jsonl`. */
  readonly log: string;
}

/** Images are classified clean in so many times the number that is attacked, which takes far longer. */
const CLEAN_FACTOR = 10;
const SAMPLES = 10;

/**
 * Attacks a trained network in every form and writes `report.html` into the folder.
 *
 * @returns the path of the report, and its rows
 */
export async function writeTrainReport(
  folder: string,
  { net, policy, config, log }: TrainedRun,
  test: Dataset,
  attackedImages: number,
): Promise<{ report: string; rows: readonly ResultRow[] }> {
  using progress = startProgress("Testing");
  const results = await study(net, {
    policy,
    dataset: test,
    cleanImages: CLEAN_FACTOR * attackedImages,
    attackedImages,
    attacks: testAttacks(net.model, config, test.name as DatasetName),
    samples: SAMPLES,
    onProgress: progress.update,
  });
  const report = join(folder, "report.html");
  const page = renderReport({
    title: `${net.model.name} on ${test.name}`,
    generated: new Date().toISOString(),
    model: net.model.name,
    dataset: test.name,
    settings: settingsOf(config, attackedImages),
    training: [{ name: net.model.name, log: await readTrainingLog(log) }],
    ...results,
  });
  await writeTextAtomic(report, page);
  return { report, rows: results.rows };
}

/** PGD in every form, with the ε of training, by which the paper's step is scaled. */
function testAttacks(model: ExitModel, { attack, seed }: TrainConfig, dataset: DatasetName): Attack[] {
  const paper = ATTACK_SETTINGS[dataset];
  const eps = attack?.eps ?? paper.eps;
  const method = pgd({ eps, step: (paper.step * eps) / paper.eps, steps: paper.steps, seed });
  return formsFor(model.exits).map((form) => attackForm(form, method));
}

function settingsOf(
  { epochs, iterations, batchSize, learningRate, seed, attack }: TrainConfig,
  attacked: number,
): Record<string, string | number> {
  return {
    ...(iterations === undefined ? { Epochs: epochs! } : { Iterations: iterations }),
    Batch: batchSize,
    "Learning rate": learningRate,
    Seed: seed,
    "Trained on":
      attack === null
        ? "clean images"
        : `${attack.method.toUpperCase()}, ${attack.form}, ε ${attack.eps}, ${attack.steps} steps`,
    "Test images": CLEAN_FACTOR * attacked,
    "Attacked images": attacked,
  };
}
