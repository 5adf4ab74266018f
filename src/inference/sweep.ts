import type { Macs } from "../graph/cost.js";
import { expectArgument } from "../util/errors.js";
import { selectExits, type ExitDetails, type PolicyOutcome } from "./evaluate.js";
import { ABOVE_ANY_ENTROPY, type ExitPolicy } from "./policy.js";

export interface SweepPoint extends PolicyOutcome {
  readonly thresholds: readonly number[];
}

/**
 * Accuracy against cost as the thresholds sweep from "all images take the whole network" to "all leave at the first exit": at point p of P, every
 * early exit takes the fraction p/(P − 1) of the `reference` images that are still inside, those with the lowest entropies.
 *
 * @param details the images to report on
 * @param macs the cost of leaving at each exit 1 … N
 * @param points how many, 2 or more
 * @param reference the images from which thresholds are taken: clean or held-out ones where `details` are attacked
 */
export function sweep(
  details: ExitDetails,
  macs: readonly Macs[],
  points: number,
  reference: ExitDetails = details,
): SweepPoint[] {
  expectArgument(Number.isSafeInteger(points) && points >= 2, "points", "an integer of 2 or more", points);
  return Array.from({ length: points }, (_, p) => {
    const policy = quantilePolicy(reference.entropies, p / (points - 1));
    return { ...selectExits(details, macs, policy), thresholds: policy.thresholds };
  });
}

/** Thresholds by which every early exit takes `fraction` of the images still inside. */
function quantilePolicy(entropies: readonly Float32Array[], fraction: number): ExitPolicy {
  let inside = Array.from(entropies[0]!.keys());
  const thresholds = entropies.slice(0, -1).map((own) => {
    const sorted = inside.map((n) => own[n]!).sort((a, b) => a - b);
    const threshold = sorted[Math.round(fraction * sorted.length)] ?? ABOVE_ANY_ENTROPY;
    inside = inside.filter((n) => !(own[n]! < threshold));
    return threshold;
  });
  return { exits: entropies.map((_, i) => i + 1), thresholds };
}
