import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readFirst } from "../../src/data/dataset.js";
import {
  apgdCe,
  apgdDlr,
  attackForm,
  checkModel,
  ensemble,
  fgsm,
  methodByName,
  mpgd,
  pgd,
  slowdown,
  square,
  standardEnsemble,
  wrm,
  type AttackMethod,
} from "../../src/attacks/index.js";
import type { Backend } from "../../src/backends/backend.js";
import { calibrate, evaluate, lastExitPolicy } from "../../src/inference/index.js";
import { inferenceGraph, initialParams, type ExitModel } from "../../src/nn/exit-model.js";
import { Network } from "../../src/nn/network.js";
import * as F from "../../src/tensor/functional.js";
import { allBackends, fastBackends, referenceBackend, titleOf } from "../support/backends.js";
import { TINY_ROW as ROW, tinyDataset, tinyModel } from "../support/tiny.js";
import { trainedTiny } from "../support/trained-tiny.js";

const EPS = 0.15;
const METHODS: readonly (readonly [string, AttackMethod])[] = [
  ["apgd-ce", apgdCe({ eps: EPS, steps: 6 })],
  ["apgd-dlr", apgdDlr({ eps: EPS, steps: 6 })],
  ["mpgd", mpgd({ eps: EPS, step: 0.05, steps: 4 })],
  ["square", square({ eps: EPS, queries: 12 })],
  ["pgd in l2", pgd({ eps: 0.8, step: 0.3, steps: 4, norm: "l2" })],
  ["fgsm in l2", fgsm({ eps: 0.8, norm: "l2", randomStart: true })],
  ["mpgd in l2", mpgd({ eps: 0.8, step: 0.3, steps: 4, norm: "l2" })],
  ["apgd-ce in l2", apgdCe({ eps: 0.8, steps: 6, norm: "l2" })],
  ["apgd-dlr in l2", apgdDlr({ eps: 0.8, steps: 6, norm: "l2" })],
];
const FORMS = ["single:2", "main", "average", "max-average"];

const COUNT = 6;
const { images: x, labels: y } = readFirst(tinyDataset(COUNT, 99), COUNT);

const missing = fastBackends[0]!.unavailable;
let weights: Map<string, Float32Array>;
beforeAll(async () => {
  if (missing !== undefined) return;
  using backend = await fastBackends[0]!.open();
  weights = await trainedTiny(backend, 0.05);
});

function rows(values: Float32Array): Float32Array[] {
  return Array.from({ length: values.length / ROW }, (_, n) => values.subarray(n * ROW, (n + 1) * ROW));
}

/** The distance of each image from its clean one. */
function distances(images: Float32Array, clean: Float32Array, norm: string | undefined): number[] {
  const origins = rows(clean);
  return rows(images).map((image, n) => {
    const change = Array.from(image, (v, i) => Math.abs(v - origins[n]![i]!));
    return norm === "l2" ? Math.hypot(...change) : Math.max(...change);
  });
}

/** The mean over all exits of the cross-entropy of each image. */
async function meanLosses(net: Network, images: Float32Array, labels: Int32Array): Promise<number[]> {
  const { classes, exits } = net.model;
  const program = net.executable("test:logits", labels.length, () => inferenceGraph(net.model));
  const outputs = await program.run(labels.length, { images });
  return Array.from(labels, (label, n) => {
    const losses = Array.from({ length: exits }, (_, e) => {
      const row = Array.from(outputs.get(`exit${e + 1}.logits`)!.subarray(n * classes, (n + 1) * classes));
      const max = Math.max(...row);
      return Math.log(row.reduce((sum, v) => sum + Math.exp(v - max), 0)) + max - row[label]!;
    });
    return losses.reduce((a, b) => a + b) / exits;
  });
}

describe.skipIf(missing !== undefined)(`attacks beyond the paper ${missing ?? ""}`, () => {
  for (const under of allBackends)
    describe.skipIf(under.unavailable !== undefined)(`on ${titleOf(under)}`, () => {
      let backend: Backend;
      let net: Network;
      beforeAll(async () => {
        backend = await under.open();
        net = new Network(tinyModel, backend, weights);
      });
      afterAll(() => {
        net.dispose();
        expect(backend.liveBytes()).toBe(0);
        backend.dispose();
      });

      it.each(FORMS.flatMap((form) => METHODS.map(([name, method]) => [form, name, method] as const)))(
        "%s × %s stays in its ball and in [0, 1], moves every image, and does not depend on the batch",
        async (form, _name, method) => {
          const attack = attackForm(form, method);
          const adversarial = await attack.perturb(net, x, y);
          expect(adversarial.every((v) => v >= 0 && v <= 1)).toBe(true);
          for (const distance of distances(adversarial, x, method.norm)) {
            expect(distance).toBeGreaterThan(0.01);
            expect(distance).toBeLessThanOrEqual(method.eps * (1 + 1e-6) + 1e-7);
          }
          expect(await attack.perturb(net, x, y, { batchSize: 2 })).toEqual(adversarial);
          const alone = await attack.perturb(net, x.subarray(5 * ROW), y.subarray(5), { ids: [5] });
          expect(alone).toEqual(adversarial.subarray(5 * ROW));
          const other = attackForm(form, { ...method, seed: 1 });
          expect(await other.perturb(net, x, y)).not.toEqual(adversarial);
        },
      );

      it.each(METHODS.map(([name, method]) => [name, { ...method, eps: 0 }] as const))(
        "%s with ε = 0 returns the images exactly",
        async (_name, method) => {
          expect(await attackForm("average", method).perturb(net, x, y)).toEqual(x);
        },
      );

      it("keeps dropout active in train mode", async () => {
        for (const method of [apgdCe({ eps: EPS, steps: 3 }), square({ eps: EPS, queries: 4 })]) {
          const attack = attackForm("average", method);
          const trained = await attack.perturb(net, x, y, { mode: "train" });
          expect(await attack.perturb(net, x, y, { mode: "train", batchSize: 2 })).toEqual(trained);
          expect(await attack.perturb(net, x, y)).not.toEqual(trained);
        }
      });
    });

  it.each(METHODS)("%s finds the same as on the reference backend", async (_name, method) => {
    const results: number[][] = [];
    for (const { open } of [fastBackends[0]!, referenceBackend]) {
      using backend = await open();
      // Not the trained weights: gradients of sure predictions vanish in float32 before they do in float64.
      using net = new Network(tinyModel, backend, initialParams(tinyModel, 3));
      results.push(await meanLosses(net, await attackForm("average", method).perturb(net, x, y), y));
    }
    // Near ties, of signs or of losses, may send a walk another way.
    results[0]!.forEach((loss, n) => expect(Math.abs(loss - results[1]![n]!)).toBeLessThan(0.02));
  });

  describe("strength", () => {
    const MANY = 64;
    const dataset = tinyDataset(MANY, 99);
    const many = readFirst(dataset, MANY);
    let backend: Backend;
    let net: Network;
    beforeAll(async () => {
      backend = await fastBackends[0]!.open();
      net = new Network(tinyModel, backend, weights);
    });
    afterAll(() => {
      net.dispose();
      backend.dispose();
    });

    const accuracyUnder = async (form: string, method: AttackMethod): Promise<number> => {
      const { exits } = await evaluate(net, dataset, {
        policy: lastExitPolicy(tinyModel),
        attack: attackForm(form, method),
      });
      return exits.at(-1)!.accuracy;
    };

    it("APGD never returns less than the loss of its start", async () => {
      const clean = await meanLosses(net, many.images, many.labels);
      for (const steps of [1, 2, 5, 20]) {
        const attack = attackForm("average", apgdCe({ eps: EPS, steps, randomStart: false }));
        const attacked = await meanLosses(net, await attack.perturb(net, many.images, many.labels), many.labels);
        attacked.forEach((loss, n) => expect(loss).toBeGreaterThanOrEqual(clean[n]! - 1e-5));
      }
    });

    it("APGD is at least as strong as PGD of as many steps, and Square as PGD of a tenth of its queries", async () => {
      const [eps, steps] = [0.2, 20];
      const byPgd = await accuracyUnder("main", pgd({ eps, step: eps / 4, steps }));
      expect(byPgd).toBeLessThan(0.9);
      expect(await accuracyUnder("main", apgdCe({ eps, steps }))).toBeLessThanOrEqual(byPgd);
      expect(await accuracyUnder("main", apgdDlr({ eps, steps }))).toBeLessThanOrEqual(byPgd);
      expect(await accuracyUnder("main", square({ eps, queries: 10 * steps }))).toBeLessThanOrEqual(byPgd);
    });

    it("Square needs no gradient: it stops at the first error, within its queries, and more queries are stronger", async () => {
      const accuracies: number[] = [];
      for (const queries of [1, 30, 300]) {
        const attack = attackForm("main", square({ eps: EPS, queries }));
        const report = await evaluate(net, dataset, { policy: lastExitPolicy(tinyModel), attack });
        const wrong = report.exits.at(-1)!.accuracy < 1;
        const { mean, most } = report.attack!.queries!;
        expect(most).toBe(queries);
        expect(mean).toBeLessThanOrEqual(queries);
        if (wrong && queries > 1) expect(mean).toBeLessThan(queries);
        accuracies.push(report.exits.at(-1)!.accuracy);
      }
      const [first, second, third] = accuracies as [number, number, number];
      expect(second).toBeLessThanOrEqual(first);
      expect(third).toBeLessThan(first);
      expect(third).toBeLessThanOrEqual(second);
    });

    it("an ensemble is at least as strong as each of its members, image by image", async () => {
      const policy = await calibrate(net, tinyDataset(MANY, 5));
      const members = [
        attackForm("average", fgsm({ eps: EPS })),
        attackForm("average", apgdCe({ eps: EPS, steps: 5 })),
        attackForm("max-average", pgd({ eps: EPS, step: 0.05, steps: 3 })),
      ];
      const fooled = async (attack: (typeof members)[0]): Promise<boolean[]> => {
        const wrong: boolean[] = [];
        const keep = ({ prediction, label }: { prediction: number; label: number }): number =>
          wrong.push(prediction !== label);
        await evaluate(net, dataset, { policy, attack, keep });
        return wrong;
      };
      const byMembers = await Promise.all(members.map(fooled));
      const byAll = await fooled(ensemble(members));
      byAll.forEach((wrong, n) => expect(wrong).toBe(byMembers.some((own) => own[n])));
      expect(byAll.filter(Boolean).length).toBeGreaterThan(0);

      const all = ensemble(members);
      const { images, chosen, slowest } = await all.craft(net, many.images, many.labels);
      expect(slowest).toBeUndefined();
      const losses = await meanLosses(net, images, many.labels);
      for (const [m, member] of members.entries()) {
        const own = await member.craft(net, many.images, many.labels);
        const ownLosses = await meanLosses(net, own.images, many.labels);
        losses.forEach((loss, n) => {
          expect(loss).toBeGreaterThanOrEqual(ownLosses[n]! - 1e-5);
          if (chosen![n] === m) expect(rows(images)[n]).toEqual(rows(own.images)[n]);
        });
      }
    });

    it("slowdown keeps images inside, and an ensemble reports the worst cost beside the worst accuracy", async () => {
      const policy = await calibrate(net, tinyDataset(MANY, 5));
      const clean = await evaluate(net, dataset, { policy });
      expect(clean.adaptive.worst).toBeUndefined();
      const attack = slowdown(pgd({ eps: EPS, step: 0.04, steps: 10 }));
      const { adaptive, exits } = await evaluate(net, dataset, { policy, attack });
      expect(exits.at(-1)!.share).toBeGreaterThan(clean.exits.at(-1)!.share + 0.2);
      expect(adaptive.worst).toEqual({
        accuracy: adaptive.accuracy,
        macs: adaptive.macs,
        saved: adaptive.saved,
        lastExit: exits.at(-1)!.share,
      });
      const all = standardEnsemble({ eps: EPS, step: 0.04, steps: 10, queries: 20, exits: policy.exits });
      const worst = await evaluate(net, dataset, { policy, attack: all });
      expect(worst.attack).toMatchObject({ method: "ensemble", form: "worst-case", exits: [1, 2, 3], eps: EPS });
      expect(worst.attack!.members!.map(({ method, form }) => `${method} ${form}`)).toEqual([
        "apgd-ce average",
        "apgd-dlr average",
        "square average",
        "pgd max-average",
        "pgd slowdown",
      ]);
      expect(worst.adaptive.worst!.macs.full).toBeGreaterThanOrEqual(adaptive.macs.full);
      expect(worst.adaptive.worst!.accuracy).toBe(worst.adaptive.accuracy);
      expect(worst.adaptive.accuracy).toBeLessThanOrEqual(adaptive.accuracy);
    });

    it("warns of vanishing gradients and of outputs that are probabilities", async () => {
      const scaled = new Map(
        [...weights].map(([name, data]) => [name, name.startsWith("fc2") ? data.map((w) => 1e4 * w) : data]),
      );
      using confident = new Network(tinyModel, backend, scaled);
      const warnings = await checkModel(confident, many.images, many.labels);
      expect(warnings.find(({ exit }) => exit === 3)).toMatchObject({ kind: "vanishing-gradients" });
      const probabilities: ExitModel = {
        ...tinyModel,
        // A softmax, written with operations that have gradients.
        forward: (images, scope) =>
          tinyModel.forward(images, scope).map((logits) => {
            const powers = F.exp(F.clamp(logits, -20, 20));
            return F.div(powers, F.sumPerImage(powers));
          }),
      };
      using soft = new Network(probabilities, backend, weights);
      const kinds = (await checkModel(soft, many.images, many.labels)).filter(({ kind }) => kind === "probabilities");
      expect(kinds.map(({ exit }) => exit)).toEqual([1, 2, 3]);
      expect(kinds[0]!.message).toContain("look like probabilities");
    });
  });
});

describe("settings", () => {
  it.each([
    ["norm", () => pgd({ eps: 1, step: 1, steps: 1, norm: "l1" as "l2" })],
    ["steps", () => apgdCe({ eps: 1, steps: 0 })],
    ["steps", () => square({ eps: 1, queries: 0 })],
    ["the norm of square", () => methodByName("square", { eps: 1, step: 1, steps: 1, norm: "l2" })],
    ["the method", () => methodByName("bim" as "pgd", { eps: 1, step: 1, steps: 1 })],
    ["received none", () => ensemble([])],
    [
      "one norm and eps",
      () => ensemble([attackForm("main", pgd({ eps: 1, step: 1, steps: 1 })), attackForm("main", fgsm({ eps: 2 }))]),
    ],
    ["one norm", () => ensemble([attackForm("main", fgsm({ eps: 1 })), attackForm("main", wrm({ eps: 1, steps: 1 }))])],
    ["for slowdown", () => slowdown(apgdDlr({ eps: 1, steps: 1 }))],
    ["for slowdown", () => attackForm("slowdown", square({ eps: 1, queries: 1 }))],
  ])("refuses what has no meaning: %s", (named, make) => {
    expect(make).toThrow(named);
  });

  it.skipIf(missing !== undefined)("refuses slowdown where there is no early exit", async () => {
    using backend = await fastBackends[0]!.open();
    using net = new Network(tinyModel, backend, weights);
    const attack = slowdown(fgsm({ eps: 0.1 }), { exits: [3] });
    await expect(attack.craft(net, x, y)).rejects.toThrow("early exits");
  });
});
