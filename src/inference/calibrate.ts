import type { Attack } from "../attacks/index.js";
import { batches, slice, type Dataset } from "../data/dataset.js";
import type { ExitModel } from "../nn/exit-model.js";
import type { Network } from "../nn/network.js";
import { ArgumentError, expectArgument } from "../util/errors.js";
import { nextTurn } from "../util/next-turn.js";
import { runAllExits } from "./all-exits.js";
import { adjustByHand } from "./hand-adjustment.js";
import type { ExitPolicy } from "./policy.js";

/**
 * How thresholds are chosen: both rules give every exit an equal share. They differ in the images to give them: "equal" means held-out data, "paper"
 * the images to be tested on themselves, as the authors of "Triple Wins" do, who then lower some by hand (hand-adjustment.ts).
 */
export type CalibrationRule = "equal" | "paper";

export const CALIBRATION_RULES: readonly CalibrationRule[] = ["equal", "paper"];

/**
 * Thresholds by which each of the N exits takes ⌊1/N⌋ of all images, those with the lowest entropy among the ones still inside; the last exit takes
 * the rest. A threshold is the entropy of the first image that stays.
 *
 * @param entropies by exit, of the same images, at least one
 */
export function calibrateEqual(entropies: readonly Float32Array[]): ExitPolicy {
  const count = entropies[0]?.length ?? 0;
  expectArgument(count > 0, "entropies", "at least one image of at least one exit", count);
  const share = Math.floor(count / entropies.length);
  let inside = Array.from({ length: count }, (_, n) => n);
  const thresholds = entropies.slice(0, -1).map((own) => {
    inside.sort((a, b) => own[a]! - own[b]!);
    const threshold = own[inside[share]!]!;
    // Images that tie with the threshold stay, as they will at inference.
    inside = inside.filter((n) => !(own[n]! < threshold));
    return threshold;
  });
  return { exits: entropies.map((_, i) => i + 1), thresholds };
}

export interface CalibrateOptions {
  /** Default "equal". */
  readonly rule?: CalibrationRule;
  /**
   * Calibrate on these images as attacked, not on the clean ones: thresholds grow, since attacked images are less sure, and attacked and clean
   * images alike leave earlier.
   */
  readonly attack?: Attack;
  /** At most this many images, from the first on; all by default. */
  readonly limit?: number;
  /** Default 256. */
  readonly batchSize?: number;
  readonly onProgress?: (doneImages: number, totalImages: number) => void;
  readonly signal?: AbortSignal;
}

/**
 * Chooses exit thresholds from images of the kind that the network will meet.
 *
 * @param dataset held-out images for the rule "equal"; the test images themselves for "paper"
 * @throws ArgumentError if the dataset is empty or does not fit the model
 */
export async function calibrate(net: Network, dataset: Dataset, options: CalibrateOptions = {}): Promise<ExitPolicy> {
  const { rule = "equal", attack, limit, batchSize = 256, onProgress, signal } = options;
  expectArgument(CALIBRATION_RULES.includes(rule), "rule", `one of ${CALIBRATION_RULES.join(", ")}`, rule);
  const images = limit === undefined ? dataset : slice(dataset, 0, limit);
  checkDataset(net.model, images);
  const entropies = Array.from({ length: net.model.exits }, () => new Float32Array(images.length));
  let done = 0;
  for (const batch of batches(images, { batchSize })) {
    signal?.throwIfAborted();
    const seen = (await attack?.perturb(net, batch.images, batch.labels, { ids: batch.indices })) ?? batch.images;
    const outputs = await runAllExits(net, seen, batch.size, Math.min(batchSize, images.length));
    outputs.entropies.forEach((own, i) => entropies[i]!.set(own, done));
    done += batch.size;
    onProgress?.(done, images.length);
    await nextTurn();
  }
  const policy = calibrateEqual(entropies);
  return rule === "paper" ? adjustByHand(net.model.name, policy) : policy;
}

/** @throws ArgumentError if the dataset is empty, or its images or classes are not the model's. */
export function checkDataset(model: ExitModel, dataset: Dataset): void {
  const { name, classes, imageShape, length } = dataset;
  if (length === 0) throw new ArgumentError(`Expected at least one image of the dataset ${name} but received none`);
  if (imageShape.join() !== model.inputShape.join() || classes > model.classes) {
    throw new ArgumentError(
      `Expected images [${model.inputShape.join(",")}] of at most ${model.classes} classes for ${model.name} but received [${imageShape.join(",")}] of ${classes} classes from ${name}`,
    );
  }
}
