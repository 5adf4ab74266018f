import type { Tensor } from "../tensor/tensor.js";
import type { Tracer } from "../tensor/trace.js";
import { expectArgument } from "../util/errors.js";

export type MethodName = "pgd" | "fgsm" | "wrm";

/** What a step of an attack is computed from, inside a trace. */
export interface StepContext {
  readonly tracer: Tracer;
  /** The images so far, [N,C,H,W]. */
  readonly x: Tensor;
  /** The clean images. */
  readonly origin: Tensor;
  /** ∇ of each image's loss with respect to `x`. */
  readonly gradient: Tensor;
  /** ε and the step size, []. */
  readonly eps: Tensor;
  readonly step: Tensor;
}

/** How an attack moves the images. Rules of one name are one function: compiled programs are kept by that name. */
export interface UpdateRule {
  readonly name: string;
  /** Whether ε bounds the change of a pixel. */
  readonly bounded: boolean;
  /** Inputs [N] that the rule carries from step to step; they begin at 0. */
  readonly counters: readonly string[];
  /** The images after the step; the rule itself outputs what replaces its counters. */
  next(context: StepContext): Tensor;
}

/** How an attack searches; which loss it raises is the form's matter. A value: equal settings are equal attacks. */
export interface AttackMethod {
  readonly name: MethodName;
  /** The greatest change of a pixel (of WRM: the weight of the loss against the squared distance), ≥ 0; pixels are in [0, 1]. */
  readonly eps: number;
  /** The change of a pixel in a step; 0 where the method fixes its own steps. */
  readonly step: number;
  readonly steps: number;
  /** Whether the search begins at a random image inside ±ε, clipped to [0, 1]. */
  readonly randomStart: boolean;
  /** The same seed and image ids give the same random starts, whatever the batches and threads. */
  readonly seed: number;
  readonly rule: UpdateRule;
}

/** Checks the settings of a method and freezes them. @throws ArgumentError */
export function attackMethod(method: AttackMethod): AttackMethod {
  const { eps, step, steps, seed } = method;
  expectArgument(Number.isFinite(eps) && eps >= 0, "eps", "a finite number of 0 or more", eps);
  expectArgument(Number.isFinite(step) && step >= 0, "step", "a finite number of 0 or more", step);
  expectArgument(Number.isSafeInteger(steps) && steps >= 1, "steps", "an integer of 1 or more", steps);
  expectArgument(Number.isSafeInteger(seed) && seed >= 0, "seed", "a non-negative integer", seed);
  return Object.freeze({ ...method });
}

/** For people: `pgd(eps 0.3, step 0.01, steps 40, random start, seed 0)`. */
export function describeMethod({ name, eps, step, steps, randomStart, seed }: AttackMethod): string {
  const start = randomStart ? `random start, seed ${seed}` : "no random start";
  return `${name}(eps ${eps}, step ${step}, steps ${steps}, ${start})`;
}
