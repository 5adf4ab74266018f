import { z } from "zod";
import { exitMacs, type Macs } from "../graph/cost.js";
import { inferenceGraph, type ExitModel } from "../nn/exit-model.js";
import { ArgumentError } from "../util/errors.js";

/** Where images leave: at the first of these exits whose entropy is under its threshold, else at the last. */
export interface ExitPolicy {
  /** The numbers of the exits whose heads run, ascending; the model's last exit is always among them. */
  readonly exits: readonly number[];
  /** Entropies in nats, of all of `exits` but the last. */
  readonly thresholds: readonly number[];
}

/** An `ExitPolicy` as files hold it; whether it fits a model says `checkPolicy`. */
export const policySchema = z.object({ exits: z.array(z.int()), thresholds: z.array(z.number()) });

/** In nats: above log(classes) for any number of classes. Finite, since thresholds are stored as JSON. */
export const ABOVE_ANY_ENTROPY = 1000;

/** Every image takes the whole network, and no early head runs. */
export function lastExitPolicy(model: ExitModel): ExitPolicy {
  return { exits: [model.exits], thresholds: [] };
}

/** @throws ArgumentError if the policy does not fit the model. */
export function checkPolicy(model: ExitModel, { exits, thresholds }: ExitPolicy): void {
  const ascending = exits.every((exit, k) => Number.isInteger(exit) && exit >= 1 && exit > (exits[k - 1] ?? 0));
  if (!ascending || exits.at(-1) !== model.exits) {
    throw new ArgumentError(
      `Expected ascending exits that end with ${model.exits}, the last of ${model.name}, but received [${exits.join(", ")}]`,
    );
  }
  if (thresholds.length !== exits.length - 1 || !thresholds.every(Number.isFinite)) {
    throw new ArgumentError(
      `Expected ${exits.length - 1} finite thresholds, one for each exit but the last, but received [${thresholds.join(", ")}]`,
    );
  }
}

/** Where image `n` leaves: an index into `policy.exits`. `entropies` holds all images' entropies by exit, in the order of exits 1 … N. */
export function exitIndex({ exits, thresholds }: ExitPolicy, entropies: readonly Float32Array[], n: number): number {
  const sure = thresholds.findIndex((threshold, k) => entropies[exits[k]! - 1]![n]! < Math.fround(threshold));
  return sure < 0 ? thresholds.length : sure;
}

/**
 * What leaving at each exit 1 … N costs under a policy: heads that it leaves out cost nothing. An exit that is left out is charged as if it ran too.
 */
export function policyMacs(model: ExitModel, { exits }: ExitPolicy): Macs[] {
  const graph = inferenceGraph(model);
  return Array.from({ length: model.exits }, (_, i) => {
    const ran = [...exits.filter((exit) => exit <= i), i + 1];
    return exitMacs(
      graph,
      ran.map((exit) => `exit${exit}.logits`),
    ).at(-1)!;
  });
}
