import * as F from "../tensor/functional.js";
import { ascent, type UpdateRule } from "./ascent.js";
import { perNorm, type Ball, type Norm } from "./ball.js";
import { attackMethod, type AttackMethod } from "./method.js";

/** x + step · the direction of the gradient (of L∞ its sign), projected onto the ball and clipped to [0, 1]. */
const pgdRule = (ball: Ball): UpdateRule => ({
  name: `pgd:${ball.norm}`,
  state: {},
  constants: {},
  next: ({ x, origin, gradient, eps, step }) => ({
    x: ball.project(F.add(x, F.mul(ball.direction(gradient), step)), origin, eps),
    state: {},
  }),
});

/** Projected steps along the gradient, by norm. */
export const projectedAscent = perNorm((ball) => ascent(pgdRule(ball)));

export interface PgdOptions {
  /** The radius of the ball. */
  readonly eps: number;
  /** The length of a step, in the norm. */
  readonly step: number;
  readonly steps: number;
  /** Default "linf". */
  readonly norm?: Norm;
  /** Default true. */
  readonly randomStart?: boolean;
  /** Default 0. */
  readonly seed?: number;
}

/**
 * Projected gradient descent (Madry et al., "Towards deep learning models resistant to adversarial attacks", ICLR 2018): on the sign of the gradient, or
 * in L2 on the gradient of unit length.
 *
 * @throws ArgumentError if a setting is out of range: eps, step ≥ 0, steps ≥ 1
 */
export function pgd({ eps, step, steps, norm = "linf", randomStart = true, seed = 0 }: PgdOptions): AttackMethod {
  const search = projectedAscent[norm];
  return attackMethod({ name: "pgd", norm, eps, step, steps, randomStart, seed, loss: "cross-entropy", search });
}
