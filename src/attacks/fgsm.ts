import { attackMethod, type AttackMethod } from "./method.js";
import { signRule } from "./pgd.js";

export interface FgsmOptions {
  readonly eps: number;
  /** Default false. */
  readonly randomStart?: boolean;
  /** Default 0. */
  readonly seed?: number;
}

/**
 * One step of ε along the sign of the gradient (Goodfellow et al., "Explaining and harnessing adversarial examples", ICLR 2015), projected onto the
 * ε-ball, from which a random start would else lead out.
 *
 * @throws ArgumentError if eps < 0
 */
export function fgsm({ eps, randomStart = false, seed = 0 }: FgsmOptions): AttackMethod {
  return attackMethod({ name: "fgsm", eps, step: eps, steps: 1, randomStart, seed, rule: signRule });
}
