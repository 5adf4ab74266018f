import { z } from "zod";
import type { Attack } from "../attacks/index.js";
import { split, type Dataset } from "../data/dataset.js";
import {
  calibrate,
  CALIBRATION_RULES,
  checkPolicy,
  type AdaptiveNetwork,
  type CalibrationRule,
  type ExitPolicy,
  type TrainingRecord,
} from "../inference/index.js";
import { parseTrainConfig } from "../training/index.js";
import { openSplit, type DataForModel } from "./dataset-options.js";
import { note } from "./output.js";
import { readPolicy } from "./policy-file.js";
import { startProgress } from "./progress.js";

/**
 * The exits and thresholds to evaluate with: those in the weights, or by `--calibrate`.
 *
 * @param images those to be evaluated, on which the rule `paper` calibrates
 * @throws FormatError or ArgumentError if a file holds none that fit
 */
export async function calibratedPolicy(
  net: AdaptiveNetwork,
  options: DataForModel & { readonly calibrate?: string },
  images: Dataset,
): Promise<ExitPolicy> {
  const { calibrate: source } = options;
  if (source === undefined) {
    const { model, policy } = net;
    if (policy.exits.length < 2 && model.exits > 1) {
      note("note: no early exit is in use, since the weights hold no thresholds; --calibrate equal chooses some");
    }
    return policy;
  }
  if (isRule(source)) {
    return calibrateWithProgress(net, source, source === "paper" ? images : await heldOutImages(options, net.training));
  }
  const policy = await readPolicy(source);
  checkPolicy(net.model, policy);
  return policy;
}

export async function calibrateWithProgress(
  net: AdaptiveNetwork,
  rule: CalibrationRule,
  images: Dataset,
  attack: Attack | null = null,
): Promise<ExitPolicy> {
  using progress = startProgress("Calibrating");
  return await calibrate(net, images, { rule, ...(attack && { attack }), onProgress: progress.update });
}

/**
 * Images that the network was not trained on and is not tested on: of digits the split `validation`, of other data the part of `train` that was held
 * out in training, or would be by default.
 */
export async function heldOutImages(options: DataForModel, training: TrainingRecord): Promise<Dataset> {
  if (options.dataset === "digits") return openSplit(options, "validation");
  const record = recordSchema.safeParse(training);
  const { validationFraction, seed } =
    record.success && record.data.dataset === options.dataset ? record.data.config : DEFAULTS;
  return split(await openSplit(options, "train"), validationFraction, seed)[1];
}

const recordSchema = z.object({
  dataset: z.string(),
  config: z.object({ validationFraction: z.number(), seed: z.int() }),
});

const DEFAULTS = parseTrainConfig({ model: "", epochs: 1, attack: null });

function isRule(source: string): source is CalibrationRule {
  return (CALIBRATION_RULES as readonly string[]).includes(source);
}
