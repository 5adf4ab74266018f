import * as F from "../tensor/functional.js";
import { attackMethod, type AttackMethod, type UpdateRule } from "./method.js";

/** x + step · sign(∇), projected onto the ball ‖x − origin‖∞ ≤ ε and clipped to [0, 1]. */
export const signRule: UpdateRule = {
  name: "sign",
  bounded: true,
  counters: [],
  next({ x, origin, gradient, eps, step }) {
    const moved = F.add(x, F.mul(F.sign(gradient), step));
    return F.clamp(F.minimum(F.maximum(moved, F.sub(origin, eps)), F.add(origin, eps)), 0, 1);
  },
};

export interface PgdOptions {
  readonly eps: number;
  readonly step: number;
  readonly steps: number;
  /** Default true. */
  readonly randomStart?: boolean;
  /** Default 0. */
  readonly seed?: number;
}

/**
 * Projected gradient descent on the sign of the gradient (Madry et al., "Towards deep learning models resistant to adversarial attacks", ICLR 2018).
 *
 * @throws ArgumentError if a setting is out of range: eps, step ≥ 0, steps ≥ 1
 */
export function pgd({ eps, step, steps, randomStart = true, seed = 0 }: PgdOptions): AttackMethod {
  return attackMethod({ name: "pgd", eps, step, steps, randomStart, seed, rule: signRule });
}
