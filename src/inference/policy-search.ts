import type { Macs } from "../graph/cost.js";
import { expectArgument } from "../util/errors.js";
import type { ExitDetails } from "./evaluate.js";
import { ABOVE_ANY_ENTROPY, type ExitPolicy } from "./policy.js";

/** Images to judge policies by, as every exit sees them. */
export interface PolicySample {
  readonly details: ExitDetails;
  /** How much these images count beside those of other samples, as a whole; positive. */
  readonly weight: number;
}

/** What a policy makes of the samples, each by its weight. */
export interface Outcome {
  /** A fraction. */
  readonly accuracy: number;
  /** Mean cost of an image in the full ledger, in millions of multiply-accumulates. */
  readonly cost: number;
}

/** Positions on the grids of thresholds of a choice of heads. */
export type Levels = Int32Array;

/**
 * Candidates for each early exit's threshold: even quantiles of its entropies in each sample, and one above any entropy. The grid is coarse on purpose: a
 * threshold that is tuned to single images is tuned to their noise.
 */
export class ThresholdGrid {
  readonly exits: number;
  readonly count: number;
  /** Of each image, a share of 1. */
  readonly weights: Float64Array;
  /** By exit, the images that it classifies right. */
  readonly correct: readonly Uint8Array[];
  /** By early exit, ascending. */
  readonly thresholds: readonly (readonly number[])[];
  /** By early exit and image, the first level whose threshold is above its entropy. */
  readonly levels: readonly Uint16Array[];

  /** @throws ArgumentError if there is no image, a weight is not positive, or the samples have not the same exits */
  constructor(samples: readonly PolicySample[], quantiles: number) {
    expectArgument(
      Number.isSafeInteger(quantiles) && quantiles >= 2 && quantiles < 65_535,
      "quantiles",
      "an integer in 2 … 65534",
      quantiles,
    );
    for (const { weight } of samples)
      expectArgument(Number.isFinite(weight) && weight > 0, "weight", "a positive number", weight);
    const counts = samples.map(({ details }) => details.entropies[0]?.length ?? 0);
    this.exits = samples[0]?.details.entropies.length ?? 0;
    expectArgument(counts.length > 0 && counts.every((n) => n > 0), "samples", "images in every sample", counts);
    for (const { details } of samples) expectSameShape(details, this.exits);
    this.count = counts.reduce((a, b) => a + b);
    const total = samples.reduce((sum, { weight }) => sum + weight, 0);
    this.weights = Float64Array.from(
      samples.flatMap(({ weight }, s) => new Array<number>(counts[s]!).fill(weight / total / counts[s]!)),
    );
    this.correct = this.#byExit((i) =>
      join(
        Uint8Array,
        samples.map(({ details }) => details.correct[i]!),
      ),
    );
    const entropies = this.#byExit((i) => samples.map(({ details }) => details.entropies[i]!));
    this.thresholds = entropies.slice(0, -1).map((own) => gridOf(own, quantiles));
    this.levels = this.thresholds.map((grid, i) =>
      Uint16Array.from(join(Float32Array, entropies[i]!), (value) => firstAbove(grid, value)),
    );
  }

  #byExit<T>(of: (exit: number) => T): T[] {
    return Array.from({ length: this.exits }, (_, i) => of(i));
  }
}

/** A choice of heads, for which thresholds are sought on the grid. */
export class HeadChoice {
  readonly #levels: readonly Uint16Array[];
  /** By image, a bit for each position whose exit is right. */
  readonly #right: Int32Array;
  readonly #weights: Float64Array;
  readonly #costs: readonly number[];

  /** @param macs the cost of leaving at each exit 1 … N where these heads run */
  constructor(
    readonly grid: ThresholdGrid,
    readonly exits: readonly number[],
    macs: readonly Macs[],
  ) {
    this.#levels = exits.slice(0, -1).map((exit) => grid.levels[exit - 1]!);
    this.#right = new Int32Array(grid.count);
    exits.forEach((exit, k) => {
      const correct = grid.correct[exit - 1]!;
      for (let n = 0; n < correct.length; n++) this.#right[n]! |= correct[n]! << k;
    });
    this.#weights = grid.weights;
    this.#costs = exits.map((exit) => macs[exit - 1]!.full);
  }

  /** Of an image that takes the whole network, all of these heads included. */
  get wholeCost(): number {
    return this.#costs.at(-1)!;
  }

  /** How many levels the early exit at this position has. */
  sizeAt(position: number): number {
    return this.grid.thresholds[this.exits[position]! - 1]!.length;
  }

  policy(levels: Levels): ExitPolicy {
    return {
      exits: this.exits,
      thresholds: Array.from(levels, (level, k) => this.grid.thresholds[this.exits[k]! - 1]![level]!),
    };
  }

  outcome(levels: Levels): Outcome {
    const leaves = this.#leavingPositions(levels);
    let accuracy = 0;
    let cost = 0;
    for (let n = 0; n < this.grid.count; n++) {
      const k = leaves[n]!;
      accuracy += this.#weights[n]! * ((this.#right[n]! >> k) & 1);
      cost += this.#weights[n]! * this.#costs[k]!;
    }
    return { accuracy, cost };
  }

  /**
   * Coordinate ascent of accuracy − price · cost from `start`: each threshold in turn, the last first, moves to its best level given the others, until
   * none moves. Of equally good levels the highest is taken, by which images leave earlier.
   */
  ascend(start: Levels, price: number): Levels {
    const levels = start.slice();
    let leaves = this.#leavingPositions(levels);
    for (let round = 0; round < MAX_ROUNDS; round++) {
      let moved = false;
      // Where each image leaves that gets past position k; after the round, where it leaves.
      const later = new Uint8Array(this.grid.count).fill(levels.length);
      for (let k = levels.length - 1; k >= 0; k--) {
        const best = this.#bestLevel(k, price, leaves, later);
        moved ||= best !== levels[k];
        levels[k] = best;
        const own = this.#levels[k]!;
        for (let n = 0; n < later.length; n++) if (own[n]! <= best) later[n] = k;
      }
      leaves = later;
      if (!moved) break;
    }
    return levels;
  }

  #bestLevel(k: number, price: number, leaves: Uint8Array, later: Uint8Array): number {
    const [own, right, weights] = [this.#levels[k]!, this.#right, this.#weights];
    const saved = Float64Array.from(this.#costs, (cost) => price * (cost - this.#costs[k]!));
    const gains = new Float64Array(this.sizeAt(k));
    for (let n = 0; n < own.length; n++) {
      if (leaves[n]! < k) continue;
      const other = later[n]!;
      const gained = ((right[n]! >> k) & 1) - ((right[n]! >> other) & 1);
      gains[own[n]!]! += weights[n]! * (gained + saved[other]!);
    }
    let best = 0;
    let sum = 0;
    let most = -Infinity;
    gains.forEach((gain, level) => {
      sum += gain;
      if (sum < most) return;
      most = sum;
      best = level;
    });
    return best;
  }

  /** The position at which each image leaves. */
  #leavingPositions(levels: Levels): Uint8Array {
    const leaves = new Uint8Array(this.grid.count).fill(levels.length);
    for (let k = levels.length - 1; k >= 0; k--) {
      const own = this.#levels[k]!;
      const level = levels[k]!;
      for (let n = 0; n < leaves.length; n++) if (own[n]! <= level) leaves[n] = k;
    }
    return leaves;
  }
}

/** Coordinate ascent settles in a few rounds; a bound against a cycle of rounding errors. */
const MAX_ROUNDS = 50;

function expectSameShape({ entropies, correct }: ExitDetails, exits: number): void {
  const count = entropies[0]!.length;
  const shapes = [...entropies, ...correct].map((values) => values.length);
  expectArgument(
    entropies.length === exits && correct.length === exits && shapes.every((length) => length === count),
    "samples",
    `the entropies and correctness of ${exits} exits, each of ${count} images,`,
    shapes,
  );
}

function join<T extends Float32Array | Uint8Array>(type: new (length: number) => T, parts: readonly T[]): T {
  const whole = new type(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** The distinct ones among evenly spaced quantiles of each sample, ascending, and one above all. */
function gridOf(samples: readonly Float32Array[], quantiles: number): number[] {
  const picks = samples.flatMap((values) => {
    const sorted = values.toSorted();
    return Array.from({ length: quantiles }, (_, q) => sorted[Math.floor((q * sorted.length) / quantiles)]!);
  });
  return [...new Set(picks).add(ABOVE_ANY_ENTROPY)].sort((a, b) => a - b);
}

function firstAbove(grid: readonly number[], value: number): number {
  let [low, high] = [0, grid.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (value < grid[middle]!) high = middle;
    else low = middle + 1;
  }
  return low;
}
