import type { Macs } from "../graph/cost.js";
import { ArgumentError } from "../util/errors.js";
import type { ExitPolicy } from "./policy.js";
import { HeadChoice, ThresholdGrid, type Levels, type Outcome, type PolicySample } from "./policy-search.js";

/** What a policy is to achieve, on the images that it is chosen by. */
export type PolicyObjective =
  /** The best accuracy whose mean cost of an image, in the full ledger (10⁶ multiply-accumulates), is at most `maxMacs`. */
  | { readonly maximize: "accuracy"; readonly maxMacs: number }
  /** The least cost whose accuracy, a fraction, is at least `minAccuracy`. */
  | { readonly maximize: "savings"; readonly minAccuracy: number };

/** A policy and what it achieves. */
export interface PolicyPoint extends Outcome {
  readonly policy: ExitPolicy;
}

export interface OptimizeOptions {
  /** Candidates for a threshold, from each sample. Default 32. */
  readonly quantiles?: number;
}

export interface OptimizedPolicy extends PolicyPoint {
  /** Policies of which none is both cheaper and as accurate as another, by cost; the one chosen is among them. */
  readonly frontier: readonly PolicyPoint[];
}

/**
 * Chooses the heads that run and their thresholds, from what every exit makes of images that stand for those to come. Every choice of heads is tried:
 * 2^(N−1) of them. For each, coordinate ascent of accuracy − price · cost over a grid of thresholds, at prices from nothing to so much that all leave at
 * once, finds its part of the frontier; bisection of the price then finds its best policy within the constraint, and the best of all are refined by
 * moving one or two thresholds at a time. The same samples give the same policy.
 *
 * @param samples such as clean and attacked images; accuracy and cost are means over them by weight
 * @param macsOf the cost of leaving at each exit 1 … N where only the heads of `exits` run, as `policyMacs` tells it
 * @throws ArgumentError if no policy meets the constraint, naming what can be reached; or for bad samples
 */
export function optimizePolicy(
  samples: readonly PolicySample[],
  macsOf: (exits: readonly number[]) => readonly Macs[],
  objective: PolicyObjective,
  { quantiles = 32 }: OptimizeOptions = {},
): OptimizedPolicy {
  const grid = new ThresholdGrid(samples, quantiles);
  const order = orderFor(objective);
  const meets = (outcome: Outcome): boolean => missBy(objective, outcome) <= ROUNDING;
  const traces = headChoices(grid.exits).map((exits) => trace(new HeadChoice(grid, exits, macsOf(exits))));
  const all = traces.flat();
  expectReachable(objective, all);
  const best = traces
    .map((points) => bisect(points, order, meets))
    .sort(order)
    .slice(0, REFINED)
    .map((point) => refine(point, order))
    .sort(order)[0]!;
  return { ...pointOf(best), frontier: paretoFrontier([best, ...all]).map(pointOf) };
}

/** A point of the search: thresholds for a choice of heads, found at a price of cost. */
interface Point extends Outcome {
  readonly heads: HeadChoice;
  readonly levels: Levels;
  readonly price: number;
}

/** Accuracy, for the cost of the whole network: from next to nothing to more than there is. */
const PRICES = [0, ...Array.from({ length: 23 }, (_, i) => 2 ** (i / 2 - 9)), 64];

/** How often an interval of prices is halved to meet a constraint. */
const BISECTIONS = 10;

/** How many choices of heads have their best policy refined. */
const REFINED = 4;

/** How far a threshold moves on its grid at once while it is refined. */
const STRIDES = [-3, -2, -1, 1, 2, 3];

/** Every choice of early heads, with the last exit; those with fewer heads first, so that they win ties. */
function headChoices(exits: number): number[][] {
  const early = Array.from({ length: exits - 1 }, (_, i) => i + 1);
  const choices = early.reduce<number[][]>((all, exit) => [...all, ...all.map((some) => [...some, exit])], [[]]);
  return choices.map((some) => [...some, exits]).sort((a, b) => a.length - b.length);
}

/** The best that is found of these heads at each price: prices rise from where no image leaves early, then fall again. */
function trace(heads: HeadChoice): Point[] {
  let start: Levels = new Int32Array(heads.exits.length - 1);
  const climb = (price: number): Point => {
    const point = climbFrom(heads, start, price);
    start = point.levels;
    return point;
  };
  const rising = PRICES.map(climb);
  const falling = PRICES.toReversed().map(climb).reverse();
  return rising.map((up, i) => (value(falling[i]!) > value(up) ? falling[i]! : up));
}

function climbFrom(heads: HeadChoice, start: Levels, price: number): Point {
  const levels = heads.ascend(start, price / heads.wholeCost);
  return { heads, levels, price, ...heads.outcome(levels) };
}

function value({ heads, accuracy, cost, price }: Point): number {
  return accuracy - (price / heads.wholeCost) * cost;
}

/** An order of outcomes, the best first; those that miss the constraint come last, the nearest first. */
type Order = (a: Outcome, b: Outcome) => number;

function orderFor(objective: PolicyObjective): Order {
  const keys = ({ accuracy, cost }: Outcome): number[] =>
    objective.maximize === "accuracy"
      ? [missBy(objective, { accuracy, cost }), -accuracy, cost]
      : [missBy(objective, { accuracy, cost }), cost, -accuracy];
  return (a, b) => {
    const [left, right] = [keys(a), keys(b)];
    return left.map((key, i) => key - right[i]!).find((difference) => Math.abs(difference) > ROUNDING) ?? 0;
  };
}

/** Sums over images in other orders differ by less. */
const ROUNDING = 1e-9;

/** By how much an outcome misses the constraint; 0 if it meets it. */
function missBy(objective: PolicyObjective, { accuracy, cost }: Outcome): number {
  return Math.max(0, objective.maximize === "accuracy" ? cost - objective.maxMacs : objective.minAccuracy - accuracy);
}

function pointOf({ heads, levels, accuracy, cost }: Point): PolicyPoint {
  return { policy: heads.policy(levels), accuracy, cost };
}

/** The best policy of these heads within the constraint, at a price between two of which one meets it. */
function bisect(points: readonly Point[], order: Order, meets: (outcome: Outcome) => boolean): Point {
  let best = points.toSorted(order)[0]!;
  const after = points.findIndex((point, i) => i > 0 && meets(point) !== meets(points[i - 1]!));
  if (after < 0) return best;
  let [low, high] = [points[after - 1]!, points[after]!];
  for (let i = 0; i < BISECTIONS; i++) {
    const middle = climbFrom(low.heads, low.levels, (low.price + high.price) / 2);
    if (order(middle, best) < 0) best = middle;
    if (meets(middle) === meets(low)) low = middle;
    else high = middle;
  }
  return best;
}

/** Moves one threshold, or two against each other, for as long as that makes the outcome better. */
function refine(start: Point, order: Order): Point {
  let best = start;
  for (;;) {
    const next = neighbours(best).reduce((a, b) => (order(b, a) < 0 ? b : a), best);
    if (next === best) return best;
    best = next;
  }
}

function neighbours({ heads, levels, price }: Point): Point[] {
  const moves = [...levels.keys()].flatMap((position) => STRIDES.map((stride) => ({ position, stride })));
  const opposite = moves.flatMap((a) =>
    moves.filter((b) => b.position > a.position && b.stride * a.stride < 0).map((b) => [a, b]),
  );
  return [...moves.map((move) => [move]), ...opposite].flatMap((changes) => {
    const moved = levels.slice();
    for (const { position, stride } of changes) moved[position]! += stride;
    const inside = moved.every((level, k) => level >= 0 && level < heads.sizeAt(k));
    return inside ? [{ heads, levels: moved, price, ...heads.outcome(moved) }] : [];
  });
}

/** Those points than which no other is both cheaper and as accurate, by cost. */
function paretoFrontier(points: readonly Point[]): Point[] {
  let most = -Infinity;
  return points
    .toSorted((a, b) => a.cost - b.cost || b.accuracy - a.accuracy || a.levels.length - b.levels.length)
    .filter(({ accuracy }) => {
      if (accuracy <= most + ROUNDING) return false;
      most = accuracy;
      return true;
    });
}

function expectReachable(objective: PolicyObjective, points: readonly Point[]): void {
  if (points.some((point) => missBy(objective, point) <= ROUNDING)) return;
  if (objective.maximize === "accuracy") {
    const least = Math.min(...points.map(({ cost }) => cost));
    throw new ArgumentError(
      `Expected a budget that a policy can keep, ${least.toFixed(2)} million multiply-accumulates an image or more, but received ${objective.maxMacs}`,
    );
  }
  const most = Math.max(...points.map(({ accuracy }) => accuracy));
  throw new ArgumentError(
    `Expected an accuracy that a policy reaches on these images, at most ${most.toFixed(4)}, but received ${objective.minAccuracy}`,
  );
}
