import { f32 } from "../ops/spec.js";
import * as F from "../tensor/functional.js";
import { attackMethod, type AttackMethod, type UpdateRule } from "./method.js";

/** Ascent on ε·ℓ(x) − ½‖x − origin‖₂² of each image, with steps 1/√(t + 2) for t = 0, 1, …, clipped to [0, 1]. */
const wrmRule: UpdateRule = {
  name: "wrm",
  bounded: false,
  counters: ["t"],
  next({ tracer, x, origin, gradient, eps }) {
    const t = tracer.input("t", f32("N"));
    tracer.output("t.next", F.add(t, 1), "t");
    const ascent = F.sub(F.mul(gradient, eps), F.sub(x, origin));
    return F.clamp(F.add(x, F.div(ascent, F.sqrt(F.add(t, 2)))), 0, 1);
  },
};

export interface WrmOptions {
  /** The weight of the loss against half the squared distance. */
  readonly eps: number;
  readonly steps: number;
  /** Default true: uniform in ±eps. */
  readonly randomStart?: boolean;
  /** Default 0. */
  readonly seed?: number;
}

/**
 * The Wasserstein risk minimiser's attack (Sinha et al., "Certifying some distributional robustness", ICLR 2018): no ball, but a penalty on the
 * distance. The penalty and the loss are an image's own, so that the result does not depend on the batch.
 *
 * @throws ArgumentError if eps < 0 or steps < 1
 */
export function wrm({ eps, steps, randomStart = true, seed = 0 }: WrmOptions): AttackMethod {
  return attackMethod({ name: "wrm", eps, step: 0, steps, randomStart, seed, rule: wrmRule });
}
