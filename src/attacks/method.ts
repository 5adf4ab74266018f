import type { Network } from "../nn/network.js";
import { expectArgument, expectCount } from "../util/errors.js";
import { BALLS, type Norm } from "./ball.js";
import type { AttackLoss, LossName } from "./attack-loss.js";

export type MethodName = "pgd" | "fgsm" | "mpgd" | "apgd-ce" | "apgd-dlr" | "square" | "wrm";

/** The settings of an attack. */
export interface AttackSettings {
  readonly name: MethodName | "ensemble";
  /** The norm that `eps` bounds; absent where there is no ball (WRM). */
  readonly norm?: Norm;
  /** The greatest change in that norm (of WRM: the weight of the loss against the squared distance), ≥ 0; pixels are in [0, 1]. */
  readonly eps: number;
  /** The change in that norm in a step; 0 where the method fixes its own steps. */
  readonly step: number;
  /** Of Square: forward passes at most. */
  readonly steps: number;
  /** Whether the search begins at a random image inside ±ε (of l2: inside the ball), clipped to [0, 1]. Square always begins at random stripes. */
  readonly randomStart: boolean;
  /** The same seed and image ids give the same random draws, whatever the batches and threads. */
  readonly seed: number;
}

/** How an attack searches; which exits it is aimed at is the form's matter. A value: equal settings are equal attacks. */
export interface AttackMethod extends AttackSettings {
  readonly name: MethodName;
  /** What it raises at the exits. */
  readonly loss: LossName;
  readonly search: Search;
}

/** Whether the network runs as at inference or as while it is trained. */
export type CraftMode = "eval" | "train";

/** Images on their way through an attack. */
export interface CraftBatch {
  readonly size: number;
  /** The batch that programs are compiled for. */
  readonly capacity: number;
  readonly mode: CraftMode;
  readonly images: Float32Array;
  readonly labels: Int32Array;
  readonly ids: Int32Array;
  readonly signal?: AbortSignal;
}

export interface SearchContext {
  readonly net: Network;
  readonly loss: AttackLoss;
  readonly method: AttackMethod;
  readonly batch: CraftBatch;
}

export interface Found {
  readonly images: Float32Array;
  /** Of black-box methods: forward passes, by image. */
  readonly queries?: Int32Array;
}

/** All the steps of an attack on one loss. */
export type Search = (context: SearchContext) => Promise<Found>;

/** Checks the settings of a method and freezes them. @throws ArgumentError */
export function attackMethod(method: AttackMethod): AttackMethod {
  const { norm, eps, step, steps, seed } = method;
  const norms = Object.keys(BALLS);
  expectArgument(norm === undefined || norms.includes(norm), "norm", `one of ${norms.join(", ")}`, norm);
  expectArgument(Number.isFinite(eps) && eps >= 0, "eps", "a finite number of 0 or more", eps);
  expectArgument(Number.isFinite(step) && step >= 0, "step", "a finite number of 0 or more", step);
  expectCount(steps, "steps");
  expectArgument(Number.isSafeInteger(seed) && seed >= 0, "seed", "a non-negative integer", seed);
  return Object.freeze({ ...method });
}

/** For people: `pgd(eps 0.3, step 0.01, steps 40, random start, seed 0)`, and the norm where it is not L∞. */
export function describeMethod({ name, norm, eps, step, steps, randomStart, seed }: AttackSettings): string {
  const start = randomStart ? `random start, seed ${seed}` : "no random start";
  return `${name}(${norm === "l2" ? "l2, " : ""}eps ${eps}, step ${step}, steps ${steps}, ${start})`;
}
