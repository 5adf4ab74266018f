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
    entropies: sure.map((own) =>
      Float32Array.from(own, (right) => Math.fround(random.uniform() * (right ? 1 : 2))),
    ),
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
    const grids = exits.slice(0, -1).map((exit) => [...new Set(details.entropies[exit - 1]!), 1000]);
    const thresholds = grids.reduce<number[][]>((all, grid) => all.flatMap((t) => grid.map((g) => [...t, g])), [[]]);
    return thresholds.map((t) => {
      const { accuracy, macs } = selectExits(details, macsOf(exits), { exits, thresholds: t });
      return { accuracy, cost: macs.full };
    });
  });
}

const cases = fc.record({
  seed: fc.integer({ min: 0, max: 1000 }),
  count: fc.integer({ min: 1, max: 12 }),
  slack: fc.double({ min: 0, max: 1, noNaN: true }),
});
const accuracies = [0.5, 0.7, 0.9];

describe("an optimal policy", () => {
  it("is within an image of the best of all policies within a budget, and keeps the budget", () => {
    fc.assert(
      fc.property(cases, ({ seed, count, slack }) => {
        const details = draw(seed, count, accuracies);
        const maxMacs = 1 + 2 * slack;
        const found = optimizePolicy([{ details, weight: 1 }], macsOf, { maximize: "accuracy", maxMacs });
        const best = Math.max(...allOutcomes(details).filter(({ cost }) => cost <= maxMacs).map((o) => o.accuracy));
        expect(found.cost).toBeLessThanOrEqual(maxMacs + 1e-9);
        expect(found.accuracy).toBeLessThanOrEqual(best + 1e-9);
        expect(found.accuracy).toBeGreaterThanOrEqual(best - 1 / count - 1e-9);
      }),
      { seed: 1, numRuns: 200 },
    );
  });

  it("mostly is the best itself", () => {
    const missed = Array.from({ length: 100 }, (_, seed) => {
      const details = draw(seed, 12, accuracies);
      const maxMacs = 1.2 + 0.015 * seed;
      const found = optimizePolicy([{ details, weight: 1 }], macsOf, { maximize: "accuracy", maxMacs });
      const best = Math.max(...allOutcomes(details).filter(({ cost }) => cost <= maxMacs).map((o) => o.accuracy));
      return best - found.accuracy > 1e-9;
    }).filter(Boolean);
    console.log(missed.length);
    expect(missed.length).toBeLessThan(10);
  });
});
