import type { Norm } from "./ball.js";
import { attackMethod, type AttackMethod } from "./method.js";
import { projectedAscent } from "./pgd.js";

export interface FgsmOptions {
  readonly eps: number;
  /** Default "linf". */
  readonly norm?: Norm;
  /** Default false. */
  readonly randomStart?: boolean;
  /** Default 0. */
  readonly seed?: number;
}

/**
 * One step of ε along the sign of the gradient (Goodfellow et al., "Explaining and harnessing adversarial examples", ICLR 2015), in L2 along the gradient,
 * projected onto the ε-ball, from which a random start would else lead out.
 *
 * @throws ArgumentError if eps < 0
 */
export function fgsm({ eps, norm = "linf", randomStart = false, seed = 0 }: FgsmOptions): AttackMethod {
  const search = projectedAscent[norm];
  return attackMethod({
    name: "fgsm",
    norm,
    eps,
    step: eps,
    steps: 1,
    randomStart,
    seed,
    loss: "cross-entropy",
    search,
  });
}
