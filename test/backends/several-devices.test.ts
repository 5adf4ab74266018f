import { resolve } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { attackForm, pgd } from "../../src/attacks/index.js";
import type { Backend, ParamSet, Slot } from "../../src/backends/backend.js";
import type { Addon } from "../../src/backends/native/addon-engine.js";
import { openCuda } from "../../src/backends/native/cuda.js";
import { readFirst } from "../../src/data/dataset.js";
import { runAllExits } from "../../src/inference/all-exits.js";
import { classify } from "../../src/inference/classify.js";
import { initialParams, type ExitModel } from "../../src/nn/exit-model.js";
import { Network } from "../../src/nn/network.js";
import * as F from "../../src/tensor/functional.js";
import { releaseEagerPlans } from "../../src/tensor/apply.js";
import { tensor } from "../../src/tensor/tensor.js";
import { TrainingStep, type StepBatch } from "../../src/training/step.js";
import { BackendError } from "../../src/util/errors.js";
import { Random } from "../../src/util/random.js";
import { emulatedCuda } from "../support/emulated-cuda.js";
import { residualModel } from "../support/residual.js";
import { tinyDataset, tinyModel } from "../support/tiny.js";

const NCCL = resolve("build/Release/librdi_emulated_nccl.so");

/** With three devices, of which it learns when it is loaded. */
function emulator(): { readonly addon?: Addon; readonly missing?: string } {
  process.env.RDI_EMULATED_DEVICES = "3";
  try {
    return { addon: emulatedCuda() };
  } catch (error) {
    return { missing: (error as Error).message };
  }
}

const { addon, missing } = emulator();
const open = (...devices: number[]): Backend => openCuda({ devices, precision: "fp32" }, addon);

function batchOf(model: ExitModel, rows: number, seed: number): StepBatch {
  const random = new Random(seed, rows);
  const [c, h, w] = model.inputShape;
  return {
    images: Float32Array.from({ length: rows * c * h * w }, () => random.uniform(0, 1)),
    labels: Int32Array.from({ length: rows }, (_, n) => n % model.classes),
  };
}

interface Trained {
  readonly losses: Float32Array[][][];
  readonly weights: ReadonlyMap<string, Float32Array>;
}

/** A few steps of clean and other images, which have dropout masks of their own. */
async function trainSteps(backend: Backend, model: ExitModel, rows: number): Promise<Trained> {
  using net = new Network(model, backend, initialParams(model, 5));
  const settings = { momentum: 0.9, weightDecay: 0.01, exitWeights: [1, 0.5, 2], dropout: true };
  using step = new TrainingStep(net, settings, rows);
  const losses = [];
  for (let t = 0; t < 4; t++) {
    const batches = [batchOf(model, rows, 2 * t), batchOf(model, rows, 2 * t + 1)];
    losses.push(await step.run({ batches, learningRate: 0.05, maskSeed: Int32Array.of(7, t) }));
  }
  await expectAlike(backend, net.params);
  return { losses, weights: await net.weights() };
}

/** Every device has the same parameters, bit for bit. */
async function expectAlike(backend: Backend, params: ParamSet): Promise<void> {
  const replicas = (backend as unknown as { readonly replicas?: readonly { readonly backend: Backend }[] }).replicas;
  if (replicas === undefined) return;
  for (const name of params.specs.keys()) {
    const { bytes, parts } = params.slot(name) as Slot & { readonly parts: readonly Slot[] };
    const [first, ...others] = await Promise.all(
      replicas.map(({ backend: own }, i) => own.read(parts[i]!, "f32", bytes / 4)),
    );
    expect(first!.every(Number.isFinite)).toBe(true);
    for (const other of others) expect(other).toEqual(first);
  }
}

const joined = (parts: readonly Float32Array[]): number[] => parts.flatMap((part) => [...part]);

const largestDifference = (a: Float32Array, b: Float32Array): number =>
  a.reduce((largest, value, i) => Math.max(largest, Math.abs(value - b[i]!)), 0);

const title = `Several devices (emulated${missing === undefined ? "" : `, unavailable: ${missing}`})`;
describe.skipIf(missing !== undefined)(title, () => {
  beforeAll(() => vi.stubEnv("RDI_NCCL", NCCL));
  afterAll(() => vi.unstubAllEnvs());

  describe.each([
    ["two", [0, 1]],
    ["three, in another order", [2, 0, 1]],
  ])("%s", (_, devices) => {
    let one: Backend, several: Backend;
    beforeAll(() => {
      one = open(0);
      several = open(...devices);
    });
    afterAll(() => {
      releaseEagerPlans(several);
      expect(several.liveBytes()).toBe(0);
      one.dispose();
      several.dispose();
    });

    it("is told", () => {
      expect(several).toMatchObject({ name: "cuda", threads: devices.length, instructionSet: "sm_80" });
      expect(several.device).toMatch(new RegExp(`^${devices[0]}: Emulated GPU.*; ${devices[1]}: Emulated GPU`));
    });

    it.each([tinyModel, residualModel])(
      "give the logits, the adversarial images and the exits of one, bit for bit: $name",
      async (model) => {
        const { images, labels } = batchOf(model, 11, 1);
        const attack = attackForm("max-average", pgd({ eps: 0.1, step: 0.05, steps: 2, seed: 3 }));
        const resultsOn = async (backend: Backend, batchSize: number): Promise<unknown[]> => {
          using net = new Network(model, backend, initialParams(model, 2));
          const adversarial = await attack.perturb(net, images, labels, { batchSize });
          const logits: Float32Array[][] = [];
          const row = images.length / 11;
          for (let start = 0; start < 11; start += batchSize) {
            const end = Math.min(11, start + batchSize);
            const part = await runAllExits(net, adversarial.subarray(start * row, end * row), end - start, batchSize);
            part.logits.forEach((own, exit) => (logits[exit] ??= []).push(own));
          }
          const policy = { exits: [1, 2, 3], thresholds: [1.35, 1.35] };
          return [adversarial, logits.map(joined), await classify(net, policy, images, { batchSize })];
        };
        const expected = await resultsOn(one, 11);
        for (const batchSize of [11, 4, 1]) expect(await resultsOn(several, batchSize)).toEqual(expected);
      },
    );

    it("train as one does, up to rounding, where there is no batch norm", async () => {
      const [expected, actual] = [await trainSteps(one, tinyModel, 11), await trainSteps(several, tinyModel, 11)];
      expected.losses.flat(2).forEach((loss, i) => {
        expect(largestDifference(loss, actual.losses.flat(2)[i]!)).toBeLessThan(1e-5);
      });
      for (const [name, weight] of expected.weights)
        expect(largestDifference(weight, actual.weights.get(name)!), name).toBeLessThan(1e-5);
    });

    it("train with batch norm over the images of each device", async () => {
      const { losses, weights } = await trainSteps(several, residualModel, 9);
      expect(losses.flat(2).every((loss) => loss.every(Number.isFinite))).toBe(true);
      const before = initialParams(residualModel, 5);
      for (const [name, weight] of weights) expect(weight, name).not.toEqual(before.get(name));
      expect(await trainSteps(several, residualModel, 9)).toEqual({ losses, weights });
    });

    it("sum, and take means, over all images in eager functions", async () => {
      const values = Float32Array.from({ length: 7 }, (_, i) => i * i);
      using x = tensor(several, values, ["N"]);
      using mean = F.meanBatch(x);
      expect(await mean.data()).toEqual(Float32Array.of(13));
      using twice = F.mul(x, 2);
      expect(await twice.data()).toEqual(values.map((value) => 2 * value));
    });

    it("need an image each to sum over", () => {
      using x = tensor(several, [1], ["N"]);
      expect(() => F.meanBatch(x)).toThrow(`Expected at least ${devices.length} images, one a device`);
    });

    it("all refuse a step that has a wrong label on one, and say which", async () => {
      using net = new Network(tinyModel, several, initialParams(tinyModel, 0));
      using step = newStep(net, 6);
      const { images, labels } = batchOf(tinyModel, 6, 0);
      labels[1] = 9;
      await expect(take(step, { images, labels })).rejects.toThrow(
        `On device ${devices[1]}: [crossEntropy] Expected labels from 0 to 3 but received 9`,
      );
    });

    it("do not wait for one that has nothing to sum", async () => {
      const wrong = Int32Array.from({ length: 7 }, (_, n) => (n === 4 ? -1 : n % 3));
      using logits = tensor(several, new Float32Array(21), ["N", 3]);
      using labels = tensor(several, wrong, ["N"]);
      using losses = F.crossEntropy(logits, labels);
      using mean = F.meanBatch(losses);
      await expect(mean.data()).rejects.toThrow(/Expected labels from 0 to 2 but received -1|group failed/);
      await expect(losses.data()).rejects.toThrow(
        `On device ${devices[4 % devices.length]}: [crossEntropy] Expected labels from 0 to 2 but received -1`,
      );
    });
  });

  const newStep = (net: Network, rows: number): TrainingStep =>
    new TrainingStep(net, { momentum: 0, weightDecay: 0, exitWeights: [1, 1, 1], dropout: false }, rows);
  const take = (step: TrainingStep, batch: StepBatch): Promise<unknown> =>
    step.run({ batches: [batch], learningRate: 0.1, maskSeed: Int32Array.of(0, 0) });

  describe("where NCCL fails", () => {
    afterEach(() => {
      delete process.env.RDI_EMULATED_NCCL_FAILURE;
    });

    it.each([0, 1])("on member %d, no device waits for another, and the error says which", async (member) => {
      process.env.RDI_EMULATED_NCCL_FAILURE = String(member);
      using several = open(2, 1);
      using net = new Network(tinyModel, several, initialParams(tinyModel, 0));
      using step = newStep(net, 6);
      const device = [2, 1][member]!;
      await expect(take(step, batchOf(tinyModel, 6, 0))).rejects.toThrow(
        `On device ${device}: NCCL failed at a sum over the GPUs: unhandled cuda error`,
      );
      delete process.env.RDI_EMULATED_NCCL_FAILURE;
      await expect(take(step, batchOf(tinyModel, 6, 0))).rejects.toThrow(BackendError);
    });
  });

  it("end their work when they are disposed of", async () => {
    const several = open(0, 1);
    const net = new Network(tinyModel, several, initialParams(tinyModel, 0));
    const step = newStep(net, 20);
    const running = Array.from({ length: 20 }, () => take(step, batchOf(tinyModel, 20, 0)));
    const settled = Promise.allSettled(running);
    several.dispose();
    for (const result of await settled) expect(result.status).toBe("rejected");
  });

  it("train only with NCCL, and do the rest without", async () => {
    vi.stubEnv("RDI_NCCL", "/no/libnccl.so.2");
    using several = open(0, 1);
    const net = new Network(tinyModel, several, initialParams(tinyModel, 0));
    const { images } = readFirst(tinyDataset(3), 3);
    expect((await runAllExits(net, images, 3, 3)).logits).toHaveLength(3);
    expect(() => newStep(net, 6)).toThrow(
      /^Expected NVIDIA's NCCL.* cannot be loaded: \/no\/libnccl.so.2.*apt-get install libnccl2.*RDI_NCCL/,
    );
    net.dispose();
    expect(several.liveBytes()).toBe(0);
    vi.stubEnv("RDI_NCCL", NCCL);
  });
});
