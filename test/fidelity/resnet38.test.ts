import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { average, maxAverage, pgd, single } from "../../src/attacks/index.js";
import type { Backend } from "../../src/backends/backend.js";
import { createBackend } from "../../src/backends/registry.js";
import { evaluate } from "../../src/backends/reference/evaluate.js";
import type { Safetensors } from "../../src/formats/safetensors.js";
import { runAllExits } from "../../src/inference/all-exits.js";
import { modelByName } from "../../src/models/index.js";
import { Network } from "../../src/nn/network.js";
import type { NumberArray } from "../../src/ops/op.js";
import * as F from "../../src/tensor/functional.js";
import { TrainingStep } from "../../src/training/step.js";
import { fastBackends, type BackendUnderTest } from "../support/backends.js";
import { sharedPath } from "../support/shared-data.js";
import {
  differing,
  distance,
  floats,
  gradientGraph,
  integers,
  meanOf,
  missing,
  oracleFile,
  part,
  readOracle,
  weightsIn,
  type ExitLoss,
} from "./oracle.js";

/** The authors' trained RDI-ResNet38 against the same network in PyTorch. */
const checkpoint = sharedPath("data", "checkpoints", "rdi-resnet38-cifar10.safetensors");
const files = {
  forward: oracleFile("resnet38-forward"),
  gradient: oracleFile("resnet38-input-grad"),
  pgd: oracleFile("resnet38-pgd"),
  step: oracleFile("resnet38-train-step"),
};
const model = modelByName("rdi-resnet38");
const EXITS = 7;

/**
 * The gradient jumps where the input of a ReLU changes its sign: where that is within rounding of zero (4e-7 in one image, where the largest activations
 * are near 10), the gradient of the image is one of two, which differ by a percent or so, in one exit by 16%. So images are compared one by one, and few may jump.
 */
const SAME = 1e-4;
const JUMPS = { images: 2, distance: 0.2 } as const;

const method = pgd({ eps: 8 / 255, step: 2 / 255, steps: 5, randomStart: false });

const average7: ExitLoss = (losses) => F.mul(losses.reduce(F.add), 1 / EXITS);

function expectSameGradients(gradient: Float32Array, expected: Float32Array): void {
  const distances = Array.from({ length: 8 }, (_, n) => distance(part(gradient, n, 8), part(expected, n, 8)));
  expect(distances.filter((value) => value > SAME).length).toBeLessThanOrEqual(JUMPS.images);
  expect(Math.max(...distances)).toBeLessThan(JUMPS.distance);
}

/** The fraction of the pixels that may differ after five steps; float32 and float64 in PyTorch differ in up to 0.94% of these. */
const ENGINES = [
  ...fastBackends.map((backend) => ({ ...backend, flipped: 0.025 })),
  {
    title: "wasm, 1 thread, strict",
    open: () => createBackend({ backend: "wasm", threads: 1, precision: "strict" }),
    flipped: 0.01,
  } satisfies BackendUnderTest & { flipped: number },
];

for (const { title, unavailable, open, flipped } of ENGINES) {
  const reason = unavailable ?? missing(checkpoint, ...Object.values(files));
  describe.skipIf(reason !== undefined)(
    `RDI-ResNet38 as in PyTorch, on ${title}${reason === undefined ? "" : ` (${reason})`}`,
    () => {
      let backend: Backend;
      let net: Network;
      let weights: Map<string, Float32Array>;
      beforeAll(async () => {
        backend = await open();
        weights = weightsIn(await readOracle(checkpoint), model);
        net = new Network(model, backend, weights);
      });
      afterAll(() => {
        net.dispose();
        backend.dispose();
      });

      it("has the logits and entropies of every exit", async () => {
        const oracle = await readOracle(files.forward);
        const { logits, entropies } = await runAllExits(net, floats(oracle, "images"), 16, 16);
        for (let k = 0; k < EXITS; k++) {
          expect(distance(logits[k]!, part(floats(oracle, "logits"), k, EXITS))).toBeLessThan(1e-4);
          expect(distance(entropies[k]!, part(floats(oracle, "entropy"), k, EXITS))).toBeLessThan(1e-4);
        }
      });

      it("has the input gradient of every exit, and of their average", async () => {
        const oracle = await readOracle(files.gradient);
        const inputs = { images: floats(oracle, "images"), labels: integers(oracle, "labels") };
        const gradientOf = async (key: string, of: ExitLoss): Promise<Float32Array> => {
          const program = net.executable(key, 8, () => gradientGraph(model, of));
          return (await program.run(8, inputs)).get("gradient") as Float32Array;
        };
        for (let k = 0; k < EXITS; k++) {
          const gradient = await gradientOf(`gradient ${k}`, (losses) => losses[k]!);
          expectSameGradients(gradient, part(floats(oracle, "grad"), k, EXITS));
        }
        expectSameGradients(await gradientOf("gradient of the average", average7), floats(oracle, "grad_average"));
      });

      describe("under PGD from the clean images", () => {
        let oracle: Safetensors;
        let images: Float32Array;
        let labels: Int32Array;
        beforeAll(async () => {
          oracle = await readOracle(files.pgd);
          images = floats(oracle, "images");
          labels = integers(oracle, "labels");
        });

        // Of CUDA's emulator the attack on all exits at once has to be enough.
        const emulated = title.includes("emulated");

        it("makes the same adversarial images against the average", async () => {
          const adversarial = await average(method).perturb(net, images, labels);
          expect(differing(adversarial, floats(oracle, "adv_average"), 1e-4)).toBeLessThan(flipped);
        });

        it.skipIf(emulated).each([
          ["exit 1", single(1, method), "adv_k0"],
          ["exit 4", single(4, method), "adv_k3"],
          ["exit 7", single(7, method), "adv_k6"],
        ])("makes the same adversarial images against %s", async (_what, attack, name) => {
          const adversarial = await attack.perturb(net, images, labels);
          expect(differing(adversarial, floats(oracle, name), 1e-4)).toBeLessThan(flipped);
        });

        it.skipIf(emulated)("chooses the same exits in max-average", async () => {
          const { images: adversarial, chosen } = await maxAverage(method).craft(net, images, labels);
          // The smallest gap between the best attack and the next is 0.036 nats: nothing here is a near tie.
          expect([...chosen!]).toEqual([...integers(oracle, "max_index")].map((k) => k + 1));
          expect(differing(adversarial, floats(oracle, "adv_max_average"), 1e-4)).toBeLessThan(flipped);
        });
      });

      it("takes the same step in train mode: losses, gradients, running statistics", async () => {
        const oracle = await readOracle(files.step);
        using trained = new Network(model, backend, weights);
        const settings = { momentum: 0, weightDecay: 0, exitWeights: Array<number>(EXITS).fill(1), dropout: false };
        // Without momentum and decay, the velocities after one step of rate 0 are the gradients.
        using step = new TrainingStep(trained, settings, 16);
        const batches = [{ images: floats(oracle, "images"), labels: integers(oracle, "labels") }];
        const [losses] = await step.run({ batches, learningRate: 0, maskSeed: new Int32Array(2) });
        losses!.forEach((own, k) => expect(Math.abs(meanOf(own) / floats(oracle, "ce")[k]! - 1)).toBeLessThan(1e-3));
        for (const [name, gradient] of await step.velocities())
          // In float32, the order of the sums in batch norm is worth as much.
          expect(distance(gradient, floats(oracle, `grad.${name}`)), name).toBeLessThan(2e-3);
        for (const [name, values] of await trained.weights()) {
          const expected =
            model.params.get(name)!.statistic === true ? floats(oracle, `after.${name}`) : weights.get(name)!;
          expect(distance(values, expected), name).toBeLessThan(1e-3);
        }
      });
    },
  );
}

describe.skipIf(missing(checkpoint, files.gradient) !== undefined)("RDI-ResNet38 on the reference backend", () => {
  it("has the input gradient of an image whose gradient jumps in float32", async () => {
    const JUMPING = 4;
    const oracle = await readOracle(files.gradient);
    const image = part(floats(oracle, "images"), JUMPING, 8);
    const sources = new Map<string, NumberArray>([
      ...weightsIn(await readOracle(checkpoint), model),
      ["images", image],
      ["labels", integers(oracle, "labels").subarray(JUMPING, JUMPING + 1)],
    ]);
    const gradient = evaluate(gradientGraph(model, average7), 1, sources, "float64").get("gradient")!;
    const expected = part(part(oracle.tensors.get("grad_f64")!.data as Float64Array, EXITS, 8), JUMPING, 8);
    // There the loss is the mean over 8 images, here of one.
    expect(
      distance(
        gradient.map((value) => value / 8),
        expected,
      ),
    ).toBeLessThan(1e-9);
  });
});
