import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { maxAverage, pgd } from "../../src/attacks/index.js";
import type { Backend } from "../../src/backends/backend.js";
import { subset, readFirst } from "../../src/data/dataset.js";
import { runAllExits } from "../../src/inference/all-exits.js";
import {
  calibrate,
  classify,
  evaluate,
  policyMacs,
  type EvaluationSample,
  type ExitPolicy,
} from "../../src/inference/index.js";
import { costOfBackbone, initialParams } from "../../src/nn/exit-model.js";
import { Network } from "../../src/nn/network.js";
import { allBackends, titleOf } from "../support/backends.js";
import { TINY_ROW, tinyDataset, tinyModel } from "../support/tiny.js";

const COUNT = 50;
const dataset = tinyDataset(COUNT);
const { images, labels } = readFirst(dataset, COUNT);

/** Thresholds between the entropies of the images, so that rounding does not decide where one leaves. */
function between(entropies: readonly Float32Array[], exits: readonly number[], share: number): ExitPolicy {
  const thresholds = exits.slice(0, -1).map((exit) => {
    const sorted = entropies[exit - 1]!.toSorted();
    const at = Math.round(share * COUNT);
    return (sorted[at - 1]! + sorted[at]!) / 2;
  });
  return { exits, thresholds };
}

for (const under of allBackends) {
  describe.skipIf(under.unavailable !== undefined)(`inference on ${titleOf(under)}`, () => {
    let backend: Backend;
    let net: Network;
    let entropies: readonly Float32Array[];
    let logits: readonly Float32Array[];
    beforeAll(async () => {
      backend = await under.open();
      net = new Network(tinyModel, backend, initialParams(tinyModel, 5));
      ({ entropies, logits } = await runAllExits(net, images, COUNT, COUNT));
    });
    afterAll(() => {
      net.dispose();
      expect(backend.liveBytes()).toBe(0);
      backend.dispose();
    });

    it.each([[[1, 2, 3]], [[1, 3]], [[2, 3]], [[3]]])(
      "early exit at %s equals running all exits and selecting",
      async (exits) => {
        for (const batchSize of [COUNT, 7, 1]) {
          const policy = between(entropies, exits, 0.4);
          const results = await classify(net, policy, images, { batchSize });
          expect(results).toHaveLength(COUNT);
          const macs = policyMacs(tinyModel, policy);
          for (const [n, result] of results.entries()) {
            const sure = policy.thresholds.findIndex((threshold, k) => entropies[exits[k]! - 1]![n]! < threshold);
            const exit = sure < 0 ? 3 : exits[sure]!;
            const own = logits[exit - 1]!.subarray(4 * n, 4 * n + 4);
            expect(result.exit).toBe(exit);
            expect(result.label).toBe(own.indexOf(Math.max(...own)));
            expect(result.entropy).toBeCloseTo(entropies[exit - 1]![n]!, 4);
            expect(result.macs).toEqual(macs[exit - 1]);
            const total = own.reduce((sum, v) => sum + Math.exp(v), 0);
            own.forEach((v, k) => expect(result.probabilities[k]).toBeCloseTo(Math.exp(v) / total, 4));
          }
          expect(new Set(results.map(({ exit }) => exit)).size).toBe(exits.length);
        }
      },
    );

    it("evaluates as classification goes, image by image", async () => {
      const policy = between(entropies, [1, 2, 3], 0.4);
      const kept: EvaluationSample[] = [];
      const progress: number[] = [];
      const result = await evaluate(net, dataset, {
        policy,
        batchSize: 20,
        keep: (sample) => kept.push(sample),
        onProgress: (done) => progress.push(done),
      });
      expect(progress).toEqual([20, 40, 50]);
      const classified = await classify(net, policy, images);
      expect(kept.map(({ index, label, exit, prediction }) => ({ index, label, exit, prediction }))).toEqual(
        classified.map(({ exit, label }, n) => ({ index: n, label: labels[n], exit, prediction: label })),
      );
      expect(kept[21]!.image).toEqual(images.subarray(21 * TINY_ROW, 22 * TINY_ROW));
      const right = classified.filter(({ label }, n) => label === labels[n]).length;
      expect(result).toMatchObject({
        model: "rdi-tiny",
        images: COUNT,
        backend: backend.name,
        threads: backend.threads,
        attack: null,
        adaptive: { accuracy: right / COUNT, thresholds: policy.thresholds },
      });
      const backbone = costOfBackbone(tinyModel);
      for (const ledger of ["paper", "full"] as const) {
        const spent = classified.reduce((sum, { macs }) => sum + macs[ledger], 0) / COUNT;
        expect(result.adaptive.macs[ledger]).toBeCloseTo(spent, 9);
        expect(result.adaptive.saved[ledger]).toBeCloseTo(1 - spent / backbone[ledger], 9);
      }
      result.exits.forEach((own, i) => {
        expect(own.exit).toBe(i + 1);
        expect(own.share).toBeCloseTo(classified.filter(({ exit }) => exit === i + 1).length / COUNT, 9);
        const hits = [...labels].filter((label, n) => {
          const row = logits[i]!.subarray(4 * n, 4 * n + 4);
          return row.indexOf(Math.max(...row)) === label;
        });
        expect(own.accuracy).toBeCloseTo(hits.length / COUNT, 9);
        const loss = [...labels].map((label, n) => {
          const row = logits[i]!.subarray(4 * n, 4 * n + 4);
          return Math.log(row.reduce((sum, v) => sum + Math.exp(v), 0)) - row[label]!;
        });
        expect(own.loss).toBeCloseTo(loss.reduce((a, b) => a + b) / COUNT, 4);
      });
    });

    it("evaluates attacked images, whatever the batch", async () => {
      const policy = between(entropies, [1, 2, 3], 0.4);
      const attack = maxAverage(pgd({ eps: 0.1, step: 0.05, steps: 2, seed: 3 }));
      const few = subset(
        dataset,
        Uint32Array.from({ length: 10 }, (_, i) => i),
      );
      const kept: EvaluationSample[] = [];
      const keep = (sample: EvaluationSample): number => kept.push(sample);
      const attacked = await evaluate(net, few, { policy, attack, keep });
      expect(attacked.attack).toEqual({
        method: "pgd",
        form: "max-average",
        norm: "linf",
        eps: 0.1,
        step: 0.05,
        steps: 2,
        randomStart: true,
        seed: 3,
      });
      const clean = await evaluate(net, few, { policy });
      const loss = (result: typeof clean): number => result.exits.reduce((sum, exit) => sum + exit.loss, 0);
      expect(loss(attacked)).toBeGreaterThan(loss(clean));
      const direct = await attack.craft(net, images.subarray(0, 10 * TINY_ROW), labels.subarray(0, 10));
      kept.forEach((sample, n) => {
        expect(sample.image).toEqual(direct.images.subarray(n * TINY_ROW, (n + 1) * TINY_ROW));
        expect(sample.clean).toEqual(images.subarray(n * TINY_ROW, (n + 1) * TINY_ROW));
        expect(sample.chosen).toBe(direct.chosen![n]);
      });
      const inBatches = await evaluate(net, few, { policy, attack, batchSize: 3 });
      expect(inBatches.details.correct).toEqual(attacked.details.correct);
      expect(inBatches.adaptive).toEqual(attacked.adaptive);
    });

    it("calibrates to equal shares of the calibration images", async () => {
      const policy = await calibrate(net, dataset, { batchSize: 16 });
      expect(policy.exits).toEqual([1, 2, 3]);
      const { exits } = await evaluate(net, dataset, { policy, batchSize: 16 });
      expect(exits.map(({ share }) => Math.round(share * COUNT))).toEqual([16, 16, 18]);
      const first = await calibrate(net, dataset, { limit: 9, rule: "paper" });
      const { exits: shares } = await evaluate(net, subset(dataset, [0, 1, 2, 3, 4, 5, 6, 7, 8]), { policy: first });
      expect(shares.map(({ share }) => Math.round(share * 9))).toEqual([3, 3, 3]);
    });
  });
}

describe("bad input", () => {
  let backend: Backend;
  let net: Network;
  const policy: ExitPolicy = { exits: [3], thresholds: [] };
  beforeAll(async () => {
    backend = await allBackends[0]!.open();
    net = new Network(tinyModel, backend, initialParams(tinyModel, 0));
  });

  it.each<[ExitPolicy, string]>([
    [{ exits: [1, 2], thresholds: [1] }, "end with 3"],
    [{ exits: [2, 1, 3], thresholds: [1, 1] }, "ascending"],
    [{ exits: [0, 3], thresholds: [1] }, "ascending"],
    [{ exits: [1, 3], thresholds: [] }, "1 finite thresholds"],
    [{ exits: [1, 3], thresholds: [NaN] }, "NaN"],
    [{ exits: [], thresholds: [] }, "end with 3"],
  ])("refuses the policy %j", async (wrong, message) => {
    await expect(classify(net, wrong, images)).rejects.toThrow(message);
    await expect(evaluate(net, dataset, { policy: wrong })).rejects.toThrow(message);
  });

  it("refuses images and datasets that do not fit", async () => {
    await expect(classify(net, policy, images.with(0, NaN))).rejects.toThrow("NaN in image 0");
    await expect(classify(net, policy, images.subarray(1))).rejects.toThrow("100 elements each");
    await expect(classify(net, policy, images, { batchSize: 0 })).rejects.toThrow("batchSize");
    await expect(evaluate(net, tinyDataset(0), { policy })).rejects.toThrow("at least one image");
    await expect(calibrate(net, { ...dataset, classes: 10 })).rejects.toThrow("at most 4 classes");
    await expect(calibrate(net, { ...dataset, imageShape: [3, 10, 10] })).rejects.toThrow("[1,10,10]");
    await expect(evaluate(net, dataset, { policy, signal: AbortSignal.abort() })).rejects.toThrow("abort");
  });
});
