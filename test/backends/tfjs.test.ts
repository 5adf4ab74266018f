import * as tf from "@tensorflow/tfjs-core";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { average, maxAverage, pgd } from "../../src/attacks/index.js";
import { evaluate as evaluateGraph } from "../../src/backends/reference/evaluate.js";
import { ReferenceBackend } from "../../src/backends/reference/reference-backend.js";
import { createBackend } from "../../src/backends/registry.js";
import { readFirst } from "../../src/data/dataset.js";
import { digits } from "../../src/data/digits.js";
import { GraphBuilder } from "../../src/graph/builder.js";
import { runAllExits } from "../../src/inference/all-exits.js";
import { classify } from "../../src/inference/classify.js";
import { modelByName } from "../../src/models/index.js";
import { Executable } from "../../src/nn/executable.js";
import { initialParams } from "../../src/nn/exit-model.js";
import { Network } from "../../src/nn/network.js";
import type { OpName } from "../../src/ops/index.js";
import { f32, i32 } from "../../src/ops/spec.js";
import { releaseEagerPlans } from "../../src/tensor/apply.js";
import * as F from "../../src/tensor/functional.js";
import { tensor } from "../../src/tensor/tensor.js";
import { createTfjsBackend, fromTfjs, toTfjs, type TfjsBackend } from "../../src/tfjs.js";
import { TrainingStep } from "../../src/training/step.js";
import { BackendError } from "../../src/util/errors.js";
import { Random } from "../../src/util/random.js";
import { differing, distance, gradientGraph } from "../fidelity/oracle.js";
import { tinyDataset, tinyModel } from "../support/tiny.js";

let backend: TfjsBackend;
let held: number;
beforeAll(async () => {
  backend = await createTfjsBackend(tf);
  held = tf.memory().numTensors;
});
/** No test may leave a tensor behind, those that fail on purpose included. */
afterEach(() => {
  releaseEagerPlans(backend);
  expect(backend.liveBytes()).toBe(0);
  expect(tf.memory().numTensors).toBe(held);
});

describe("tensors of TensorFlow.js and ours", () => {
  it("share their memory on the backend tfjs, both ways", async () => {
    const given = tf.tensor([1, -2, 3, -4, 5, -6], [3, 2]);
    const buffers = tf.memory().numDataBuffers;
    using ours = await fromTfjs(given, backend);
    expect(ours.spec).toEqual(f32("N", 2));
    expect(ours.shape).toEqual([3, 2]);
    const back = await toTfjs(ours);
    expect(tf.memory().numDataBuffers).toBe(buffers);
    expect(back.shape).toEqual([3, 2]);
    given.dispose();
    using y = F.relu(ours);
    expect([...(await y.data())]).toEqual([1, 0, 3, 0, 5, 0]);
    expect([...back.dataSync()]).toEqual([1, -2, 3, -4, 5, -6]);
    back.dispose();
  });

  it("are copied from and to other backends", async () => {
    using other = new ReferenceBackend();
    const given = tf.tensor([1, 2, 3, 4, 5, 6], [1, 6], "int32");
    using ours = await fromTfjs(given, other, [2, 3]);
    expect(ours.spec).toEqual(i32(2, 3));
    given.dispose();
    const back = await toTfjs(ours);
    expect([back.shape, back.dtype, [...back.dataSync()]]).toEqual([[2, 3], "int32", [1, 2, 3, 4, 5, 6]]);
    back.dispose();
  });

  it("are refused where they do not fit", async () => {
    const flags = tf.tensor([true, false]);
    await expect(fromTfjs(flags, backend)).rejects.toThrow("Expected float32 or int32 for the tensor's type");
    const given = tf.tensor([1, 2, 3]);
    await expect(fromTfjs(given, backend, ["N", 2])).rejects.toThrow(
      "Expected elements for shape [N,2] but received 3",
    );
    tf.dispose([flags, given]);
  });
});

describe("slots", () => {
  it("keep what a shorter write leaves, and are zero before the first", async () => {
    const slot = backend.alloc(16);
    expect([...(await backend.read(slot, "f32", 4))]).toEqual([0, 0, 0, 0]);
    backend.write(slot, Float32Array.of(1, 2, 3));
    backend.write(slot, Float32Array.of(7));
    expect([...(await backend.read(slot, "f32", 4))]).toEqual([7, 2, 3, 0]);
    await expect(backend.read(slot, "i32", 1)).rejects.toThrow("Expected a slot of int32 but received one of float32");
    await expect(backend.read(slot, "f32", 5)).rejects.toThrow("at least 20 bytes but received one of 16");
    backend.free(slot);
    expect(() => backend.write(slot, Float32Array.of(1))).toThrow("Expected a live slot");
  });
});

describe("elementwise operations", () => {
  const magnitudes = [1e-38, 1e-30, 1e-12, 3e-8, 1e-5, 0.7, 1, 3, 1e4, 1e12, 1e30, 3e38].flatMap((v) => [v, -v]);
  const values = Float32Array.from([...magnitudes, 0]);
  const cases: [OpName, (v: number) => boolean, object?][] = [
    ...(["relu", "neg", "abs", "sign", "clamp"] as const).map(
      (op) => [op, () => true, { lo: -1e-6, hi: 2 }] as [OpName, () => boolean, object],
    ),
    ["exp", (v) => Math.abs(v) < 80],
    ["log", (v) => v > 0],
    ["sqrt", (v) => v >= 0],
  ];

  // TensorFlow.js's own Sign is 0 below 1e-7.
  it.each(cases)("%s is the reference's from 1e-38 to 3e38", async (op, domain, attrs = {}) => {
    const x = values.filter(domain);
    const g = new GraphBuilder();
    g.output("y", g.node(op, [g.input("x", f32(x.length))], attrs));
    const graph = g.build();
    const expected = evaluateGraph(graph, 1, new Map([["x", x]])).get("y")!;
    using params = backend.bindParams(new Map());
    using program = new Executable(backend, graph, params, { maxBatch: 1 });
    const y = (await program.run(1, { x })).get("y")!;
    x.forEach((value, i) => {
      const error = Math.abs(y[i]! - expected[i]!) / Math.max(Math.abs(expected[i]!), 1e-37);
      expect(error, `${op}(${value})`).toBeLessThan(1e-6);
    });
  });
});

describe("networks", () => {
  const random = new Random(1, 2);

  it("RDI-SmallCNN has the reference's logits and input gradient", async () => {
    const model = modelByName("rdi-smallcnn");
    const { images, labels } = readFirst(digits({ split: "test", length: 2 }), 2);
    using reference = new ReferenceBackend();
    using expected = new Network(model, reference, initialParams(model, 0));
    using net = new Network(model, backend, initialParams(model, 0));
    const [own, its] = [await runAllExits(net, images, 2, 2), await runAllExits(expected, images, 2, 2)];
    own.logits.forEach((logits, k) => expect(distance(logits, its.logits[k]!)).toBeLessThan(1e-5));
    const gradient = async (network: Network): Promise<Float32Array> => {
      const program = network.executable("gradient", 2, () => gradientGraph(model, (losses) => losses.reduce(F.add)));
      return (await program.run(2, { images, labels })).get("gradient") as Float32Array;
    };
    expect(distance(await gradient(net), await gradient(expected))).toBeLessThan(1e-4);
  });

  it("RDI-ResNet38 has the logits, and under PGD nearly all pixels, of our WebAssembly", async () => {
    const model = modelByName("rdi-resnet38");
    const images = Float32Array.from({ length: 4 * 3 * 32 * 32 }, () => random.uniform());
    const labels = Int32Array.of(1, 2, 3, 4);
    using wasm = await createBackend({ backend: "wasm", threads: 1, precision: "strict" });
    using expected = new Network(model, wasm, initialParams(model, 0));
    using net = new Network(model, backend, initialParams(model, 0));
    const [own, its] = [await runAllExits(net, images, 4, 4), await runAllExits(expected, images, 4, 4)];
    own.logits.forEach((logits, k) => expect(distance(logits, its.logits[k]!)).toBeLessThan(1e-4));
    const attack = average(pgd({ eps: 8 / 255, step: 2 / 255, steps: 2, seed: 3 }));
    const [moved, other] = [await attack.perturb(net, images, labels), await attack.perturb(expected, images, labels)];
    expect(differing(moved, other)).toBeLessThan(0.01);
    expect(differing(moved, images)).toBeGreaterThan(0.9);
  });

  it("lets images leave at their exits, and computes the rest for those that stay alone", async () => {
    const { images } = readFirst(tinyDataset(20), 20);
    using reference = new ReferenceBackend();
    using expected = new Network(tinyModel, reference, initialParams(tinyModel, 5));
    using net = new Network(tinyModel, backend, initialParams(tinyModel, 5));
    const { entropies } = await runAllExits(expected, images, 20, 20);
    // Half of the images leave at exit 1.
    const sorted = entropies[0]!.toSorted();
    const policy = { exits: [1, 3], thresholds: [(sorted[9]! + sorted[10]!) / 2] };
    const results = await classify(expected, policy, images);
    const { kernels } = await tf.profile(async () => {
      const own = await classify(net, policy, images);
      expect(own.map(({ exit, label }) => [exit, label])).toEqual(results.map(({ exit, label }) => [exit, label]));
      own.forEach(({ entropy }, n) => expect(entropy).toBeCloseTo(results[n]!.entropy, 5));
      return [];
    });
    const batches = kernels
      .filter(({ name }) => /^(Fused)?Conv2D$/.test(name))
      .map(({ inputShapes }) => inputShapes[0]![0]!);
    expect(batches).toEqual([20, 20, 10]);
  });

  it("take the reference's training steps, dropout included", async () => {
    const { images, labels } = readFirst(tinyDataset(12), 12);
    const settings = { momentum: 0.9, weightDecay: 1e-3, exitWeights: [1, 2, 1], dropout: true };
    const trained = async (on: TfjsBackend | ReferenceBackend): Promise<Map<string, Float32Array>> => {
      using net = new Network(tinyModel, on, initialParams(tinyModel, 1));
      using step = new TrainingStep(net, settings, 12);
      for (let i = 0; i < 3; i++)
        await step.run({ batches: [{ images, labels }], learningRate: 0.05, maskSeed: Int32Array.of(i, 9) });
      return await net.weights();
    };
    using reference = new ReferenceBackend();
    const expected = await trained(reference);
    for (const [name, values] of await trained(backend))
      expect(distance(values, expected.get(name)!)).toBeLessThan(1e-5);
  });

  it("leave no tensors behind, run after run", async () => {
    const { images, labels } = readFirst(tinyDataset(10), 10);
    using net = new Network(tinyModel, backend, initialParams(tinyModel, 5));
    const attack = maxAverage(pgd({ eps: 0.1, step: 0.05, steps: 2, seed: 0 }));
    const round = async (): Promise<{ tensors: number; bytes: number; live: number }> => {
      await attack.perturb(net, images, labels, { batchSize: 4 });
      await classify(net, { exits: [1, 3], thresholds: [1.3] }, images, { batchSize: 4 });
      return { tensors: tf.memory().numTensors, bytes: tf.memory().numBytes, live: backend.liveBytes() };
    };
    const first = await round();
    for (let i = 0; i < 3; i++) expect(await round()).toEqual(first);
    expect(first.live).toBeGreaterThan(0);
  });
});

describe("errors", () => {
  it("name a label that is no class, and leave nothing behind", async () => {
    const g = new GraphBuilder();
    g.output("loss", g.node("crossEntropy", [g.input("logits", f32("N", 3)), g.input("labels", i32("N"))], {}));
    using params = backend.bindParams(new Map());
    using program = new Executable(backend, g.build(), params, { maxBatch: 2 });
    const logits = new Float32Array(6);
    await expect(program.run(2, { logits, labels: Int32Array.of(1, 3) })).rejects.toThrow(
      new BackendError("[crossEntropy] Expected labels from 0 to 2 but received 3"),
    );
    const { loss } = Object.fromEntries(await program.run(2, { logits, labels: Int32Array.of(1, 2) }));
    expect(loss![0]).toBeCloseTo(Math.log(3), 6);
  });

  it("say that TensorFlow.js computes elsewhere, where it does", async () => {
    class Elsewhere extends tf.KernelBackend {
      override dispose(): void {
        // Holds nothing.
      }
    }
    tf.registerBackend("elsewhere", () => new Elsewhere());
    try {
      using x = tensor(backend, [1, 2], ["N"]);
      await tf.setBackend("elsewhere");
      await expect(x.data()).rejects.toThrow(
        `Expected wasm for TensorFlow.js's current backend but received elsewhere; await tf.setBackend("wasm") chooses it`,
      );
      await tf.setBackend("wasm");
      expect([...(await x.data())]).toEqual([1, 2]);
    } finally {
      await tf.setBackend("wasm");
      tf.removeBackend("elsewhere");
    }
  });

  it("refuse networks in integers by name", () => {
    expect(backend.supports("quantizedConv2d")).toMatchObject({ reason: expect.stringContaining("Conv2D") as string });
    expect(backend.supports("conv2dWeightGrad")).toBe(true);
  });
});
