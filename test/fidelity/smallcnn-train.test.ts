import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { average, pgd } from "../../src/attacks/index.js";
import type { Backend } from "../../src/backends/backend.js";
import { readSafetensors, type Safetensors } from "../../src/formats/safetensors.js";
import { runAllExits } from "../../src/inference/all-exits.js";
import { rdiSmallcnn } from "../../src/models/smallcnn.js";
import { Network } from "../../src/nn/network.js";
import { TrainingStep, type StepBatch } from "../../src/training/step.js";
import { fastBackends } from "../support/backends.js";
import { differing, distance, floats, meanOf, oracleFile } from "./oracle.js";

/**
 * Three adversarial training steps of the authors' SmallCNN, computed in PyTorch: without dropout, with x + 0.3 · sign(∇ mean over the exits), and SGD.
 * The second file has a last layer that is not zero, so that the main exit has gradients.
 */
const paths = [oracleFile("smallcnn-train"), oracleFile("smallcnn-train-fc3")];
const [basePath, fc3Path] = paths;
const FILES = [
  ["a zero last layer", basePath],
  ["a lively last layer", fc3Path],
] as const;

const COUNT = 32;
const PIXELS = COUNT * 784;
const EPS = 0.3;
const settings = { momentum: 0.9, weightDecay: 5e-4, exitWeights: [1, 1, 1], dropout: false };
const LEARNING_RATE = 0.033;
const attack = average(pgd({ eps: EPS, step: EPS, steps: 1, randomStart: false }));
const noMasks = new Int32Array(2);

/**
 * What may differ: logits and gradients, the fraction of pixels whose gradient is too near zero for its sign to be stable in the first step and in the later
 * ones, and the weights after three steps. In fast precision Winograd's rounding decides a few more signs, and TF32, which has 10 bits, many more: where one
 * is that of a ReLU's input or of the winner of a max pool, gradients move by a percent.
 */
const STRICT = { logits: 1e-4, gradients: 1e-4, flippedFirst: 1e-3, flipped: 1e-3, weights: 1e-4 };
const WINOGRAD = { ...STRICT, flipped: 4e-3, weights: 3e-4 };
const TF32 = { logits: 1e-3, gradients: 3e-2, flippedFirst: 5e-3, flipped: 1e-2, weights: 3e-2 };

const ENGINES = fastBackends.flatMap(({ title, open, unavailable }) =>
  (["strict", "fast"] as const).map((precision) => ({
    title: `${title}, ${precision}`,
    allowed: precision === "strict" ? STRICT : title.startsWith("cuda") ? TF32 : WINOGRAD,
    open: () => open({ precision }),
    // Of the emulator one has to be enough.
    files: title.includes("emulated") ? FILES.slice(1) : FILES,
    unavailable,
  })),
);

for (const { title, open, allowed, files, unavailable } of ENGINES) {
  const reason = unavailable ?? (paths.includes(undefined) ? "no oracle in RDI_SHARED" : undefined);
  describe.skipIf(reason !== undefined).each(files)(
    `training SmallCNN with %s as PyTorch does, on ${title}${reason === undefined ? "" : ` (${reason})`}`,
    (_title, path) => {
      let backend: Backend;
      let net: Network;
      let oracle: Safetensors;
      let labels: Int32Array;
      let clean: Float32Array;

      beforeAll(async () => {
        const base = await readSafetensors(basePath!);
        oracle = await readSafetensors(path!);
        backend = await open();
        const weights = [...rdiSmallcnn.params.keys()].map((name) => {
          const from = oracle.tensors.has(`init.${name}`) ? oracle : base;
          return [name, floats(from, `init.${name}`)] as const;
        });
        net = new Network(rdiSmallcnn, backend, new Map(weights));
        clean = floats(base, "images");
        labels = base.tensors.get("labels")!.data as Int32Array;
      });
      const both = (adversarial: Float32Array): StepBatch[] => [
        { images: clean, labels },
        { images: adversarial, labels },
      ];
      afterAll(() => {
        net.dispose();
        backend.dispose();
      });

      it("has the logits of every exit", async () => {
        for (const [images, name] of [
          [clean, "logits_clean_step1"],
          [floats(oracle, "adv_step1"), "logits_adv_step1"],
        ] as const) {
          const { logits } = await runAllExits(net, images, COUNT, COUNT);
          const expected = floats(oracle, name);
          logits.forEach((own, i) =>
            expect(distance(own, expected.subarray(320 * i, 320 * i + 320))).toBeLessThan(allowed.logits),
          );
        }
      });

      it("has the gradient of every parameter", async () => {
        // Without momentum and decay, the velocities after one step of rate 0 are the gradients.
        using step = new TrainingStep(net, { ...settings, momentum: 0, weightDecay: 0 }, COUNT);
        await step.run({ batches: both(floats(oracle, "adv_step1")), learningRate: 0, maskSeed: noMasks });
        for (const [name, gradient] of await step.velocities()) {
          const expected = floats(oracle, `grad_step1.${name}`);
          expect(distance(gradient, expected), name).toBeLessThan(allowed.gradients);
          if (expected.every((value) => value === 0))
            expect(
              gradient.every((value) => value === 0),
              name,
            ).toBe(true);
        }
      });

      it("moves no pixel whose gradient is exactly zero", async () => {
        const gradient = floats(oracle, "adv_input_grad_step1");
        const adversarial = await attack.perturb(net, clean, labels);
        const moved = adversarial.filter((value, i) => gradient[i] === 0 && value !== clean[i]);
        expect(gradient.filter((value) => value === 0).length).toBeGreaterThan(0.5 * PIXELS);
        expect(moved).toHaveLength(0);
      });

      it("makes the same adversarial images", async () => {
        const adversarial = await attack.perturb(net, clean, labels);
        expect(differing(adversarial, floats(oracle, "adv_step1"))).toBeLessThan(allowed.flippedFirst);
      });

      it("makes the same adversarial images, losses and weights in three steps", async () => {
        using step = new TrainingStep(net, settings, COUNT);
        const expectedLosses = floats(oracle, "loss");
        for (const t of [1, 2, 3]) {
          const adversarial = await attack.perturb(net, clean, labels);
          const expected = floats(oracle, `adv_step${t}`);
          expect(differing(adversarial, expected)).toBeLessThan(allowed.flipped);
          // One pixel whose sign was chance would move weights by more than what is allowed: the next step is made with PyTorch's.
          const losses = await step.run({
            batches: both(expected),
            learningRate: LEARNING_RATE,
            maskSeed: noMasks,
          });
          const loss = losses.flat().reduce((sum, own) => sum + meanOf(own) / losses.length, 0);
          expect(Math.abs(loss / expectedLosses[t - 1]! - 1)).toBeLessThan(allowed.logits);
        }
        for (const [name, weight] of await net.weights()) {
          expect(distance(weight, floats(oracle, `after3.${name}`)), name).toBeLessThan(allowed.weights);
        }
      });
    },
  );
}
