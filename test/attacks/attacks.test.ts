import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readFirst } from "../../src/data/dataset.js";
import {
  attackForm,
  average,
  fgsm,
  main,
  maxAverage,
  pgd,
  single,
  wrm,
  type Attack,
  type AttackMethod,
} from "../../src/attacks/index.js";
import type { Backend } from "../../src/backends/backend.js";
import { inferenceGraph, initialParams, type ExitModel } from "../../src/nn/exit-model.js";
import { Network } from "../../src/nn/network.js";
import { allBackends, titleOf } from "../support/backends.js";
import { TINY_ROW as ROW, tinyDataset, tinyModel } from "../support/tiny.js";

const IMAGES = 3;
const { images: x, labels: y } = readFirst(tinyDataset(IMAGES), IMAGES);

const FORMS = ["single:1", "single:2", "main", "average", "max-average"];
const METHODS = (eps: number, seed = 0): AttackMethod[] => [
  pgd({ eps, step: eps / 2, steps: 3, seed }),
  fgsm({ eps, randomStart: true, seed }),
  wrm({ eps, steps: 3, seed }),
];

/** The cross-entropy of each exit, [exit][image]. */
async function losses(net: Network, images: Float32Array): Promise<Float64Array[]> {
  const count = images.length / ROW;
  const program = net.executable("test:inference", IMAGES, () => inferenceGraph(net.model));
  const outputs = await program.run(count, { images });
  return Array.from({ length: net.model.exits }, (_, e) => {
    const logits = outputs.get(`exit${e + 1}.logits`)!;
    const { classes } = net.model;
    return Float64Array.from({ length: count }, (_, n) => {
      const own = [...logits.subarray(classes * n, classes * n + classes)];
      return Math.log(own.reduce((sum, v) => sum + Math.exp(v), 0)) - own[y[n]!]!;
    });
  });
}

function sum(values: ArrayLike<number>): number {
  return Array.from(values).reduce((a, b) => a + b, 0);
}

for (const under of allBackends) {
  describe.skipIf(under.unavailable !== undefined)(`attacks on ${titleOf(under)}`, () => {
    let backend: Backend;
    let net: Network;
    beforeAll(async () => {
      backend = await under.open();
      net = new Network(tinyModel, backend, initialParams(tinyModel, 3));
    });
    afterAll(() => {
      net.dispose();
      expect(backend.liveBytes()).toBe(0);
      backend.dispose();
    });

    describe.each(FORMS)("%s", (form) => {
      it.each(METHODS(0.2).map((method) => [method.name, attackForm(form, method)] as const))(
        "%s moves the images, inside the box and the ball",
        async (name, attack) => {
          const adversarial = await attack.perturb(net, x, y);
          expect(adversarial.every((v) => v >= 0 && v <= 1)).toBe(true);
          const distances = adversarial.map((v, i) => Math.abs(v - x[i]!));
          if (name !== "wrm") expect(Math.max(...distances)).toBeLessThanOrEqual(Math.fround(0.2) + 6e-8);
          for (let n = 0; n < IMAGES; n++)
            expect(Math.max(...distances.subarray(n * ROW, n * ROW + ROW))).toBeGreaterThan(0.01);
        },
      );

      it.each(METHODS(0).map((method) => [method.name, attackForm(form, method)] as const))(
        "%s with ε = 0 returns the images exactly",
        async (_name, attack) => {
          expect(await attack.perturb(net, x, y)).toEqual(x);
        },
      );

      it("gives the same images alone and in a batch, and others for another seed", async () => {
        const attack = attackForm(form, pgd({ eps: 0.2, step: 0.1, steps: 2, seed: 5 }));
        const together = await attack.perturb(net, x, y);
        const alone = await attack.perturb(net, x, y, { batchSize: 1 });
        expect(alone).toEqual(together);
        const last = await attack.perturb(net, x.subarray(2 * ROW), y.subarray(2), { ids: [2] });
        expect(last).toEqual(together.subarray(2 * ROW));
        const other = await attackForm(form, pgd({ eps: 0.2, step: 0.1, steps: 2, seed: 6 })).perturb(net, x, y);
        expect(other).not.toEqual(together);
      });
    });

    it("raises the loss that the form names", async () => {
      const clean = await losses(net, x);
      const method = pgd({ eps: 0.1, step: 0.02, steps: 4, randomStart: false });
      for (const exit of [1, 2, 3]) {
        const attacked = await losses(net, await single(exit, method).perturb(net, x, y));
        for (let n = 0; n < IMAGES; n++) expect(attacked[exit - 1]![n]).toBeGreaterThan(clean[exit - 1]![n]!);
      }
      const attacked = await losses(net, await average(method).perturb(net, x, y));
      for (let n = 0; n < IMAGES; n++) {
        expect(sum(attacked.map((own) => own[n]!))).toBeGreaterThan(sum(clean.map((own) => own[n]!)));
      }
      const penalised = await losses(
        net,
        await average(wrm({ eps: 2, steps: 4, randomStart: false })).perturb(net, x, y),
      );
      expect(sum(penalised.map(sum))).toBeGreaterThan(sum(clean.map(sum)));
    });

    it("keeps in max-average the worst of the single attacks, image by image", async () => {
      const method = pgd({ eps: 0.2, step: 0.1, steps: 2, seed: 1 });
      const { images, chosen } = await maxAverage(method).craft(net, x, y);
      const candidates = await Promise.all(
        [1, 2, 3].map(async (exit) => {
          const candidate = await single(exit, method).perturb(net, x, y);
          return { candidate, totals: await losses(net, candidate) };
        }),
      );
      for (let n = 0; n < IMAGES; n++) {
        const scores = candidates.map(({ totals }) => sum(totals.map((own) => own[n]!)));
        const best = scores.indexOf(Math.max(...scores));
        expect(chosen![n]).toBe(best + 1);
        expect(images.subarray(n * ROW, n * ROW + ROW)).toEqual(
          candidates[best]!.candidate.subarray(n * ROW, n * ROW + ROW),
        );
      }
    });

    it("aims average at given exits: their mean loss rises as in the attack on a network with these exits alone", async () => {
      const method = pgd({ eps: 0.2, step: 0.1, steps: 2, seed: 1 });
      const exits = [1, 3];
      const attacked = await average(method, { exits }).perturb(net, x, y);
      const without: ExitModel = {
        ...tinyModel,
        exits: 2,
        forward: (images, scope) => tinyModel.forward(images, scope).filter((_, i) => i !== 1),
      };
      const other = new Network(without, backend, initialParams(tinyModel, 3));
      expect(attacked).toEqual(await average(method).perturb(other, x, y));
      other.dispose();
      expect(attacked).not.toEqual(await average(method).perturb(net, x, y));
    });

    it("aims max-average at given exits, attacked and scored", async () => {
      const method = pgd({ eps: 0.2, step: 0.1, steps: 2, seed: 1 });
      const { images, chosen } = await maxAverage(method, { exits: [2, 3] }).craft(net, x, y);
      const candidates = await Promise.all(
        [2, 3].map(async (exit) => {
          const candidate = await single(exit, method).perturb(net, x, y);
          const [, second, third] = await losses(net, candidate);
          return { exit, candidate, scores: second!.map((loss, n) => loss + third![n]!) };
        }),
      );
      for (let n = 0; n < IMAGES; n++) {
        const [first, last] = candidates as [(typeof candidates)[0], (typeof candidates)[0]];
        const kept = last.scores[n]! > first.scores[n]! ? last : first;
        expect(chosen![n]).toBe(kept.exit);
        expect(images.subarray(n * ROW, n * ROW + ROW)).toEqual(kept.candidate.subarray(n * ROW, n * ROW + ROW));
      }
    });

    it("keeps dropout active in train mode, with masks that the seed gives", async () => {
      const attack = average(pgd({ eps: 0.2, step: 0.1, steps: 2, randomStart: false }));
      const trained = await attack.perturb(net, x, y, { mode: "train" });
      expect(await attack.perturb(net, x, y, { mode: "train", batchSize: 1 })).toEqual(trained);
      expect(await attack.perturb(net, x, y)).not.toEqual(trained);
    });
  });
}

describe("attacks as values", () => {
  it("prints its settings", () => {
    const attack: Attack = main(pgd({ eps: 0.3, step: 0.01, steps: 40 }));
    expect(String(attack)).toBe("main × pgd(eps 0.3, step 0.01, steps 40, random start, seed 0)");
    expect(String(single(2, fgsm({ eps: 0.1 })))).toBe("single:2 × fgsm(eps 0.1, step 0.1, steps 1, no random start)");
    expect(String(average(fgsm({ eps: 0.1 }), { exits: [1, 3] }))).toMatch(/^average over exits 1, 3 × fgsm/);
    expect(Object.isFrozen(attack.method)).toBe(true);
  });

  it.each([
    ["eps", () => pgd({ eps: -0.1, step: 0.1, steps: 1 })],
    ["eps", () => fgsm({ eps: NaN })],
    ["eps", () => wrm({ eps: Infinity, steps: 1 })],
    ["step", () => pgd({ eps: 0.1, step: -1, steps: 1 })],
    ["steps", () => pgd({ eps: 0.1, step: 0.1, steps: 0 })],
    ["steps", () => wrm({ eps: 0.1, steps: 1.5 })],
    ["seed", () => pgd({ eps: 0.1, step: 0.1, steps: 1, seed: -1 })],
    ["exit", () => single(0, fgsm({ eps: 0.1 }))],
    ["exit", () => attackForm("single:0", fgsm({ eps: 0.1 }))],
    ["exits", () => average(fgsm({ eps: 0.1 }), { exits: [] })],
    ["exits", () => maxAverage(fgsm({ eps: 0.1 }), { exits: [2, 1] })],
    ["exits", () => attackForm("average", fgsm({ eps: 0.1 }), { exits: [0, 1] })],
    ["single:I, main, average, max-average", () => attackForm("single", fgsm({ eps: 0.1 }))],
    ["single:I", () => attackForm("toString", fgsm({ eps: 0.1 }))],
  ])("refuses settings out of range: %s", (named, make) => {
    expect(make).toThrow(named);
  });

  it("refuses images and labels that do not fit, and exits that are not there", async () => {
    const backend = await allBackends[0]!.open();
    const net = new Network(tinyModel.backbone, backend, initialParams(tinyModel.backbone, 0));
    const attack = main(fgsm({ eps: 0.1 }));
    await expect(attack.craft(net, x.with(5, NaN), y)).rejects.toThrow("NaN in image 0, element 5");
    await expect(attack.craft(net, x.with(5, 1.5), y)).rejects.toThrow("[0, 1]");
    await expect(attack.craft(net, x.subarray(1), y)).rejects.toThrow("100 elements each");
    await expect(attack.craft(net, x, y.subarray(1))).rejects.toThrow("3 labels");
    await expect(attack.craft(net, x, y.with(1, 4))).rejects.toThrow("0 … 3");
    await expect(attack.craft(net, x, y, { ids: [1] })).rejects.toThrow("3 ids");
    await expect(attack.craft(net, x, y, { batchSize: 0 })).rejects.toThrow("batchSize");
    await expect(single(2, fgsm({ eps: 0.1 })).craft(net, x, y)).rejects.toThrow("tiny (1 … 1) for the form single:2");
    await expect(average(fgsm({ eps: 0.1 }), { exits: [1, 2] }).craft(net, x, y)).rejects.toThrow(
      "tiny (1 … 1) for the form average but received exit 2",
    );
    await expect(attack.craft(net, x, y, { signal: AbortSignal.abort() })).rejects.toThrow("abort");
    net.dispose();
    backend.dispose();
  });
});
