import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { average, pgd } from "../../src/attacks/index.js";
import { ReferenceBackend } from "../../src/backends/reference/reference-backend.js";
import { calibrate, calibrateEqual, evaluate, policyMacs, sweep, type ExitDetails } from "../../src/inference/index.js";
import { exitIndex } from "../../src/inference/policy.js";
import { rdiSmallcnn } from "../../src/models/smallcnn.js";
import { costOfExits, initialParams } from "../../src/nn/exit-model.js";
import { Network } from "../../src/nn/network.js";
import { tinyDataset, tinyModel } from "../support/tiny.js";

const float = fc.float({ min: 0, max: Math.fround(2.3), noNaN: true });

describe("equal shares", () => {
  it("gives each exit the surest of those still inside", () => {
    const entropies = [Float32Array.of(0.1, 0.9, 0.2, 0.8, 0.7, 0.6), Float32Array.of(0, 0.5, 0, 0.4, 0.3, 0.2)];
    const third = new Float32Array(6);
    const policy = calibrateEqual([...entropies, third]);
    expect(policy.exits).toEqual([1, 2, 3]);
    expect(policy.thresholds).toEqual([0.6, 0.4].map(Math.fround));
    expect(Array.from({ length: 6 }, (_, n) => exitIndex(policy, entropies, n))).toEqual([0, 2, 0, 2, 1, 1]);
  });

  it("never lets more than the share leave, and exactly the share where no entropies tie", () => {
    const sets = fc.integer({ min: 1, max: 40 }).chain((count) =>
      fc.integer({ min: 1, max: 5 }).chain((exits) =>
        fc.array(fc.uniqueArray(float, { minLength: count, maxLength: count }), {
          minLength: exits,
          maxLength: exits,
        }),
      ),
    );
    fc.assert(
      fc.property(sets, (arrays) => {
        const entropies = arrays.map((own) => Float32Array.from(own));
        const policy = calibrateEqual(entropies);
        const count = entropies[0]!.length;
        const leaving = entropies.map(() => 0);
        for (let n = 0; n < count; n++) leaving[exitIndex(policy, entropies, n)]!++;
        const share = Math.floor(count / entropies.length);
        leaving.slice(0, -1).forEach((images) => expect(images).toBe(share));
      }),
    );
    const tied = [Float32Array.of(1, 1, 1, 1), Float32Array.of(0, 0, 0, 0)];
    expect(exitIndex(calibrateEqual(tied), tied, 0)).toBe(1);
  });

  it("needs an image", () => {
    expect(() => calibrateEqual([new Float32Array(0)])).toThrow("at least one image");
  });
});

describe("calibration on attacked images", () => {
  it("gives equal shares of the images as the attack leaves them", async () => {
    using backend = new ReferenceBackend("float64");
    using net = new Network(tinyModel, backend, initialParams(tinyModel, 3));
    const dataset = tinyDataset(12);
    const attack = average(pgd({ eps: 0.3, step: 0.1, steps: 2 }));
    const policy = await calibrate(net, dataset, { attack, batchSize: 5 });
    const { details } = await evaluate(net, dataset, { policy, attack });
    expect(policy).toEqual(calibrateEqual(details.entropies));
    expect(policy).not.toEqual(await calibrate(net, dataset));
  });
});

describe("the cost of a policy", () => {
  it("is that of the exits where all heads run, and less without heads that are left out", () => {
    const all = policyMacs(rdiSmallcnn, { exits: [1, 2, 3], thresholds: [0, 0] });
    expect(all).toEqual(costOfExits(rdiSmallcnn));
    const without = policyMacs(rdiSmallcnn, { exits: [2, 3], thresholds: [0] });
    expect(without[0]).toEqual(all[0]);
    const head = (all[0]!.full * 1e6 - 26 * 26 * 9 * 32) / 1e6;
    expect(without[1]!.full).toBeCloseTo(all[1]!.full - head, 9);
    expect(without[2]!.full).toBeCloseTo(all[2]!.full - head, 9);
    expect(without.map(({ paper }) => paper)).toEqual(all.map(({ paper }) => paper));
  });
});

describe("a sweep of the thresholds", () => {
  const macs = [1, 2, 4].map((full) => ({ paper: full / 2, full }));
  const details: ExitDetails = {
    entropies: [Float32Array.of(0.1, 0.2, 0.3, 0.4), Float32Array.of(0.4, 0.3, 0.2, 0.1), new Float32Array(4)],
    correct: [Uint8Array.of(1, 0, 0, 0), Uint8Array.of(1, 1, 0, 0), Uint8Array.of(1, 1, 1, 0)],
  };

  it("goes from the whole network to the first exit", () => {
    const points = sweep(details, macs, 3);
    expect(points.map(({ accuracy }) => accuracy)).toEqual([0.75, 0.5, 0.25]);
    expect(points.map(({ shares }) => shares)).toEqual([
      [0, 0, 1],
      [0.5, 0.25, 0.25],
      [1, 0, 0],
    ]);
    expect(points.map((point) => point.macs)).toEqual([
      { paper: 2, full: 4 },
      { paper: 1, full: 2 },
      { paper: 0.5, full: 1 },
    ]);
  });

  it("takes thresholds from other images where told to", () => {
    const unsure = { ...details, entropies: details.entropies.map((own) => own.map((value) => value + 1)) };
    const points = sweep(unsure, macs, 3, details);
    expect(points.map(({ accuracy }) => accuracy)).toEqual([0.75, 0.75, 0.25]);
    expect(() => sweep(details, macs, 1)).toThrow("points");
  });
});
