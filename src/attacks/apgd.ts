import * as F from "../tensor/functional.js";
import type { Tensor } from "../tensor/tensor.js";
import { ascent, type UpdateRule } from "./ascent.js";
import { perNorm, type Ball, type Norm } from "./ball.js";
import { attackMethod, type AttackMethod } from "./method.js";

/** The momentum: the share of the step before in a step. */
const MEMORY = 0.25;

/** Below this share of steps that raise the loss, the step size is halved (ρ). */
const RISING_SHARE = 0.75;

/** Steps between checks of the step size, as fractions of all steps: at first, less from check to check, and at least. */
const WINDOWS = { first: 0.22, less: 0.03, least: 0.06 } as const;

const windowOf =
  (name: keyof typeof WINDOWS) =>
  ({ steps }: { readonly steps: number }): number =>
    Math.max(1, Math.floor(WINDOWS[name] * steps));

/** 1 where the flag is 0. */
const not = (flag: Tensor): Tensor => F.affine(flag, -1, 1);
/** a ≤ b */
const atMost = (a: Tensor, b: Tensor): Tensor => not(F.greater(a, b));
/** No loss yet. */
const NONE = -Infinity;

type State =
  | "best"
  | "bestGradient"
  | "bestLoss"
  | "previous"
  | "previousLoss"
  | "memory"
  | "step"
  | "rises"
  | "since"
  | "window"
  | "halved"
  | "checkedLoss";

/**
 * A step of Auto-PGD for each image by itself (algorithm 1 of the paper; where it leaves details open, the authors' code). It first judges `x`: keeps it if
 * its loss is the highest so far, and, where a window of steps ends without enough progress, halves the step size and goes back to the best image.
 */
export const apgdRule = (ball: Ball): UpdateRule<State, "less" | "least"> => ({
  name: `apgd:${ball.norm}`,
  state: {
    best: { shape: "image", initial: "start" },
    bestGradient: { shape: "image", initial: 0 },
    bestLoss: { shape: "scalar", initial: NONE },
    previous: { shape: "image", initial: "start" },
    // The first images have none before them over which the loss could rise.
    previousLoss: { shape: "scalar", initial: Infinity },
    memory: { shape: "scalar", initial: 0 },
    step: { shape: "scalar", initial: ({ eps }) => 2 * eps },
    rises: { shape: "scalar", initial: 0 },
    since: { shape: "scalar", initial: -1 },
    window: { shape: "scalar", initial: windowOf("first") },
    halved: { shape: "scalar", initial: 1 },
    checkedLoss: { shape: "scalar", initial: NONE },
  },
  constants: { less: windowOf("less"), least: windowOf("least") },
  result: "best",
  next({ x, origin, loss, gradient, eps, state, constants }) {
    const better = F.greater(loss, state.bestLoss);
    const best = F.select(better, x, state.best);
    const bestGradient = F.select(better, gradient, state.bestGradient);
    const bestLoss = F.select(better, loss, state.bestLoss);
    const rises = F.add(state.rises, F.greater(loss, state.previousLoss));
    const since = F.add(state.since, 1);

    const due = atMost(state.window, since);
    const tooFew = atMost(rises, F.mul(state.window, RISING_SHARE));
    const stuck = F.mul(not(state.halved), atMost(bestLoss, state.checkedLoss));
    const halve = F.mul(due, F.maximum(tooFew, stuck));
    const step = F.mul(state.step, F.affine(halve, -0.5, 1));
    const from = F.select(halve, best, x);
    const direction = ball.direction(F.select(halve, bestGradient, gradient));

    const stepped = ball.project(F.add(from, F.mul(direction, step)), origin, eps);
    const ahead = F.mul(F.sub(stepped, from), not(state.memory));
    const behind = F.mul(F.sub(from, state.previous), state.memory);
    return {
      x: ball.project(F.add(F.add(from, ahead), behind), origin, eps),
      state: {
        best,
        bestGradient,
        bestLoss,
        previous: from,
        previousLoss: loss,
        // The first step has no momentum.
        memory: F.affine(state.memory, 0, MEMORY),
        step,
        rises: F.mul(rises, not(due)),
        since: F.mul(since, not(due)),
        window: F.select(due, F.maximum(F.sub(state.window, constants.less), constants.least), state.window),
        halved: F.select(due, halve, state.halved),
        checkedLoss: F.select(due, bestLoss, state.checkedLoss),
      },
    };
  },
});

const searches = perNorm((ball) => ascent(apgdRule(ball)));

export interface ApgdOptions {
  readonly eps: number;
  readonly steps: number;
  /** Default "linf". */
  readonly norm?: Norm;
  /** Default true. */
  readonly randomStart?: boolean;
  /** Default 0. */
  readonly seed?: number;
}

/**
 * Auto-PGD on the cross-entropy (Croce and Hein, "Reliable evaluation of adversarial robustness with an ensemble of diverse parameter-free attacks", ICML
 * 2020): the step size begins at 2ε and adapts itself to each image, and the result is the image of the highest loss that was met, the start included.
 *
 * @throws ArgumentError if eps < 0 or steps < 1
 */
export function apgdCe({ eps, steps, norm = "linf", randomStart = true, seed = 0 }: ApgdOptions): AttackMethod {
  const search = searches[norm];
  return attackMethod({ name: "apgd-ce", norm, eps, step: 0, steps, randomStart, seed, loss: "cross-entropy", search });
}

/** Auto-PGD on the DLR loss (see `functional.dlr`), for models of 3 or more classes. @throws ArgumentError if eps < 0 or steps < 1 */
export function apgdDlr({ eps, steps, norm = "linf", randomStart = true, seed = 0 }: ApgdOptions): AttackMethod {
  const search = searches[norm];
  return attackMethod({ name: "apgd-dlr", norm, eps, step: 0, steps, randomStart, seed, loss: "dlr", search });
}
