import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Macs } from "../../src/graph/cost.js";
import { optimizePolicy, selectExits, type ExitDetails, type PolicyObjective } from "../../src/inference/index.js";
import { Random } from "../../src/util/random.js";

/** Exits that cost 1, 2, 3 …, and a head that is passed a half more. */
function macsOf(exits: readonly number[]): Macs[] {
  return Array.from({ length: EXITS }, (_, i) => {
    const full = i + 1 + 0.5 * exits.filter((exit) => exit <= i).length;
    return { paper: full / 2, full };
  });
}
const EXITS = 3;

/** Exits whose entropies say how likely they are right; later ones are right more often. */
function draw(seed: number, count: number, accuracies: readonly number[]): ExitDetails {
  const random = new Random(seed);
  const hardness = Array.from({ length: count }, () => random.uniform());
  const sure = accuracies.map((accuracy) => hardness.map((h) => h < accuracy));
  return {
    entropies: sure.map((own) => Float32Array.from(own, (right) => Math.fround(random.uniform() * (right ? 1 : 2)))),
    correct: sure.map((own) => Uint8Array.from(own, Number)),
  };
}

interface Outcome {
  readonly accuracy: number;
  readonly cost: number;
}

/** Every policy there is: all choices of heads, with all thresholds that tell the images apart. */
function allOutcomes(details: ExitDetails): Outcome[] {
  const choices = [[3], [1, 3], [2, 3], [1, 2, 3]];
  return choices.flatMap((exits) => {
    const grids = exits.slice(0, -1).map((exit) => [...new Set(details.entropies[exit - 1]), 1000]);
    const thresholds = grids.reduce<number[][]>((all, grid) => all.flatMap((t) => grid.map((g) => [...t, g])), [[]]);
    return thresholds.map((t) => {
      const { accuracy, macs } = selectExits(details, macsOf(exits), { exits, thresholds: t });
      return { accuracy, cost: macs.full };
    });
  });
}

const accuracies = [0.5, 0.7, 0.9];

/** The best that any policy reaches, by trying all. */
function bestAccuracy(details: ExitDetails, maxMacs: number): number {
  return Math.max(
    ...allOutcomes(details)
      .filter(({ cost }) => cost <= maxMacs + 1e-9)
      .map(({ accuracy }) => accuracy),
  );
}

function leastCost(details: ExitDetails, minAccuracy: number): number {
  return Math.min(
    ...allOutcomes(details)
      .filter(({ accuracy }) => accuracy >= minAccuracy - 1e-9)
      .map(({ cost }) => cost),
  );
}

function optimize(details: ExitDetails, objective: PolicyObjective): ReturnType<typeof optimizePolicy> {
  return optimizePolicy([{ details, weight: 1 }], macsOf, objective);
}

describe("an optimal policy", () => {
  const cases = fc.record({
    seed: fc.integer({ min: 0, max: 1000 }),
    count: fc.integer({ min: 1, max: 12 }),
    slack: fc.double({ min: 0, max: 1, noNaN: true }),
  });

  it("keeps its budget, and is within an image of the best of all policies that do", () => {
    fc.assert(
      fc.property(cases, ({ seed, count, slack }) => {
        const details = draw(seed, count, accuracies);
        const maxMacs = 1 + 2 * slack;
        const { accuracy, cost } = optimize(details, { maximize: "accuracy", maxMacs });
        const best = bestAccuracy(details, maxMacs);
        expect(cost).toBeLessThanOrEqual(maxMacs + 1e-9);
        expect(accuracy).toBeLessThanOrEqual(best + 1e-9);
        expect(accuracy).toBeGreaterThanOrEqual(best - 1 / count - 1e-9);
      }),
      { seed: 1, numRuns: 150 },
    );
  });

  it("is the best or the cheapest itself, nine times in ten", () => {
    const draws = Array.from({ length: 60 }, (_, seed) => draw(seed, 12, accuracies));
    const found = draws.filter((details, i) => {
      const maxMacs = 1.2 + 0.025 * i;
      return optimize(details, { maximize: "accuracy", maxMacs }).accuracy >= bestAccuracy(details, maxMacs) - 1e-9;
    });
    expect(found.length).toBeGreaterThanOrEqual(54);
    const cheapest = draws.filter((details) => {
      const minAccuracy = bestAccuracy(details, 9) - 2 / 12;
      return optimize(details, { maximize: "savings", minAccuracy }).cost <= leastCost(details, minAccuracy) + 1e-9;
    });
    expect(cheapest.length).toBeGreaterThanOrEqual(54);
  });

  it("reaches the accuracy asked for, at the cost that it says", () => {
    const details = draw(3, 500, accuracies);
    const { policy, accuracy, cost } = optimize(details, { maximize: "savings", minAccuracy: 0.75 });
    expect(accuracy).toBeGreaterThanOrEqual(0.75);
    const outcome = selectExits(details, macsOf(policy.exits), policy);
    expect(outcome.accuracy).toBeCloseTo(accuracy, 9);
    expect(outcome.macs.full).toBeCloseTo(cost, 9);
  });

  it("leaves out a head that is worth less than it costs", () => {
    const details = draw(4, 500, [0.1, 0.7, 0.9]);
    const { policy } = optimize(details, { maximize: "accuracy", maxMacs: 3 });
    expect(policy.exits).not.toContain(1);
    const { policy: cheap } = optimize(details, { maximize: "accuracy", maxMacs: 1.5 });
    expect(cheap.exits).toContain(1);
  });

  it("is the same every time", () => {
    const details = draw(5, 300, accuracies);
    const objective = { maximize: "accuracy", maxMacs: 2 } as const;
    expect(optimize(details, objective)).toEqual(optimize(details, objective));
  });

  it("is near the best for images that it was not chosen by", () => {
    const [own, others] = [draw(6, 2000, accuracies), draw(7, 2000, accuracies)];
    const objective = { maximize: "accuracy", maxMacs: 2 } as const;
    const { policy, accuracy } = optimize(own, objective);
    const transferred = selectExits(others, macsOf(policy.exits), policy);
    expect(Math.abs(transferred.accuracy - accuracy)).toBeLessThan(0.03);
    expect(transferred.accuracy).toBeGreaterThan(optimize(others, objective).accuracy - 0.02);
    expect(transferred.macs.full).toBeLessThan(2.05);
  });

  it("weighs samples, however many images they have", () => {
    const [clean, attacked] = [draw(8, 400, [0.8, 0.85, 0.9]), draw(9, 100, [0.1, 0.3, 0.8])];
    const samples = [
      { details: clean, weight: 3 },
      { details: attacked, weight: 1 },
    ];
    const { policy, accuracy, cost } = optimizePolicy(samples, macsOf, { maximize: "accuracy", maxMacs: 2 });
    const [a, b] = [clean, attacked].map((details) => selectExits(details, macsOf(policy.exits), policy));
    expect(accuracy).toBeCloseTo(0.75 * a!.accuracy + 0.25 * b!.accuracy, 9);
    expect(cost).toBeCloseTo(0.75 * a!.macs.full + 0.25 * b!.macs.full, 9);
  });
});

describe("the frontier", () => {
  it("rises with cost, from the cheapest policy on, and holds the one that was chosen", () => {
    const { policy, frontier } = optimize(draw(10, 400, accuracies), { maximize: "accuracy", maxMacs: 2 });
    expect(frontier[0]!.cost).toBeCloseTo(1, 9);
    frontier.slice(1).forEach((point, i) => {
      expect(point.cost).toBeGreaterThan(frontier[i]!.cost);
      expect(point.accuracy).toBeGreaterThan(frontier[i]!.accuracy);
    });
    expect(frontier.map((point) => point.policy)).toContainEqual(policy);
  });
});

describe("what cannot be", () => {
  const details = draw(11, 50, accuracies);

  it("names what can be reached", () => {
    expect(() => optimize(details, { maximize: "accuracy", maxMacs: 0.9 })).toThrow(
      "1.00 million multiply-accumulates an image or more, but received 0.9",
    );
    expect(() => optimize(details, { maximize: "savings", minAccuracy: 0.999 })).toThrow(/at most 0\.\d{4}, but/);
    expect(() => optimize(details, { maximize: "savings", minAccuracy: NaN })).toThrow("NaN");
    expect(() => optimize(details, { maximize: "accuracy", maxMacs: NaN })).toThrow("NaN");
  });

  it("refuses samples without images, of other exits, of no weight, and a grid of one", () => {
    const objective = { maximize: "accuracy", maxMacs: 2 } as const;
    const run = (samples: Parameters<typeof optimizePolicy>[0], options = {}): unknown =>
      optimizePolicy(samples, macsOf, objective, options);
    expect(() => run([])).toThrow("samples");
    expect(() => run([{ details: draw(1, 0, accuracies), weight: 1 }])).toThrow("images in every sample");
    expect(() => run([{ details, weight: 0 }])).toThrow("weight");
    expect(() => run([{ details: { ...details, correct: details.correct.slice(1) }, weight: 1 }])).toThrow("3 exits");
    const short = details.correct.map((own) => own.slice(1));
    expect(() => run([{ details: { ...details, correct: short }, weight: 1 }])).toThrow("50 images");
    expect(() => run([{ details, weight: 1 }], { quantiles: 1 })).toThrow("quantiles");
  });
});
