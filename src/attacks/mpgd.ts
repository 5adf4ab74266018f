import * as F from "../tensor/functional.js";
import { ascent, type UpdateRule } from "./ascent.js";
import { ofUnitSum, perNorm, type Ball } from "./ball.js";
import { attackMethod, type AttackMethod } from "./method.js";
import type { PgdOptions } from "./pgd.js";

/** The decay of the momentum that the authors use. */
const DECAY = 1;

/** m ← decay · m + ∇/‖∇‖₁; x + step · the direction of m, projected onto the ball and clipped to [0, 1]. */
const momentumRule = (ball: Ball): UpdateRule<"momentum"> => ({
  name: `mpgd:${ball.norm}`,
  state: { momentum: { shape: "image", initial: 0 } },
  constants: {},
  next({ x, origin, gradient, eps, step, state }) {
    const momentum = F.add(F.mul(state.momentum, DECAY), ofUnitSum(gradient));
    return { x: ball.project(F.add(x, F.mul(ball.direction(momentum), step)), origin, eps), state: { momentum } };
  },
});

const searches = perNorm((ball) => ascent(momentumRule(ball)));

/**
 * PGD with momentum, MI-FGSM (Dong et al., "Boosting adversarial attacks with momentum", CVPR 2018), with a decay of 1.
 *
 * @throws ArgumentError if a setting is out of range: eps, step ≥ 0, steps ≥ 1
 */
export function mpgd({ eps, step, steps, norm = "linf", randomStart = true, seed = 0 }: PgdOptions): AttackMethod {
  const search = searches[norm];
  return attackMethod({ name: "mpgd", norm, eps, step, steps, randomStart, seed, loss: "cross-entropy", search });
}
