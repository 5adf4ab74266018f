import * as F from "../tensor/functional.js";
import { ascent, type UpdateRule } from "./ascent.js";
import { attackMethod, type AttackMethod } from "./method.js";

/** Ascent on ε·ℓ(x) − ½‖x − origin‖₂² of each image, with steps 1/√(t + 2) for t = 0, 1, …, clipped to [0, 1]. */
const wrmRule: UpdateRule<"t"> = {
  name: "wrm",
  state: { t: { shape: "scalar", initial: 0 } },
  constants: {},
  next({ x, origin, gradient, eps, state: { t } }) {
    const ascending = F.sub(F.mul(gradient, eps), F.sub(x, origin));
    return { x: F.clamp(F.add(x, F.div(ascending, F.sqrt(F.add(t, 2)))), 0, 1), state: { t: F.add(t, 1) } };
  },
};

const search = ascent(wrmRule);

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
  return attackMethod({ name: "wrm", eps, step: 0, steps, randomStart, seed, loss: "cross-entropy", search });
}
