import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { average } from "../../src/attacks/forms.js";
import { pgd } from "../../src/attacks/pgd.js";
import { square } from "../../src/attacks/square.js";
import { openCuda } from "../../src/backends/native/cuda.js";
import { ReferenceBackend } from "../../src/backends/reference/reference-backend.js";
import { byteDataset, readFirst, type Dataset } from "../../src/data/dataset.js";
import { digits } from "../../src/data/digits.js";
import { floatOfHalf, halfOfFloat } from "../../src/formats/half.js";
import { readSafetensors, writeSafetensors, type StoredTensor } from "../../src/formats/safetensors.js";
import { runAllExits } from "../../src/inference/all-exits.js";
import { AdaptiveNetwork, evaluate, load, quantize, save } from "../../src/inference/index.js";
import type { QuantizedNetwork } from "../../src/inference/quantized-weights.js";
import { rdiSmallcnn } from "../../src/models/smallcnn.js";
import { costOfExits, initialParams } from "../../src/nn/exit-model.js";
import { Random } from "../../src/util/random.js";
import { allBackends, fastBackends, titleOf } from "../support/backends.js";
import { emulatedCuda } from "../support/emulated-cuda.js";
import { residualModel } from "../support/residual.js";
import { tinyDataset, tinyModel } from "../support/tiny.js";
import { trainedTiny } from "../support/trained-tiny.js";

const reference = new ReferenceBackend();
const policy = { exits: [1, 2, 3], thresholds: [0.9, 0.7] };

const residualImages: Dataset = byteDataset({
  name: "noise",
  classes: 5,
  imageShape: residualModel.inputShape,
  length: 12,
  pixels(index) {
    const random = new Random(3, index);
    return Uint8Array.from({ length: 192 }, () => random.integer(256));
  },
  label: (index) => index % 5,
});

let root: string;
let floats: AdaptiveNetwork;
let quantized: QuantizedNetwork;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "rdi-int8-"));
  floats = new AdaptiveNetwork(residualModel, reference, initialParams(residualModel, 4), policy);
  quantized = await quantize(floats, residualImages);
});
afterAll(() => rm(root, { recursive: true }));

const images = readFirst(residualImages).images;

describe("quantize", () => {
  it("gives logits near those of floats, at every exit", async () => {
    using int8 = new AdaptiveNetwork(quantized.model, reference, quantized.parameters);
    const [expected, actual] = [await runAllExits(floats, images, 12, 12), await runAllExits(int8, images, 12, 12)];
    expected.logits.forEach((logits, i) => {
      const size = Math.hypot(...logits);
      const error = Math.hypot(...logits.map((value, k) => value - actual.logits[i]![k]!));
      expect(error / size, `exit ${i + 1}`).toBeLessThan(0.03);
      expect(error, `exit ${i + 1}`).toBeGreaterThan(0);
    });
  });

  it("costs the multiply-accumulates that floats cost", () => {
    expect(costOfExits(quantized.model)).toEqual(costOfExits(residualModel));
  });

  it("keeps convolutions in groups in floats, and takes images for what they are", () => {
    const names = [...quantized.model.quantization!.ranges.keys()];
    expect(names).toContain("down.expand.conv");
    expect(names).not.toContain("down.depthwise.conv");
    expect(quantized.parameters.get("down.depthwise.conv.weight.folded")).toBeInstanceOf(Float32Array);
    expect(quantized.model.quantization!.ranges.get("stem.conv")).toEqual({ high: 1, signed: false });
    // After a batch norm without a ReLU.
    expect(quantized.model.quantization!.ranges.get("branch2.fc")!.signed).toBe(true);
  });

  it("leaves a trained network as accurate", async () => {
    using backend = await fastBackends[0]!.open();
    using net = new AdaptiveNetwork(tinyModel, backend, await trainedTiny(backend, 0.05));
    const { model, parameters } = await quantize(net, tinyDataset(64, 1));
    using int8 = new AdaptiveNetwork(model, backend, parameters);
    const options = { policy: net.policy };
    const [before, after] = [
      await evaluate(net, tinyDataset(400, 2), options),
      await evaluate(int8, tinyDataset(400, 2), options),
    ];
    expect(before.exits[2]!.accuracy).toBeGreaterThan(0.9);
    after.exits.forEach(({ accuracy }, i) => {
      expect(Math.abs(accuracy - before.exits[i]!.accuracy)).toBeLessThan(0.02);
    });
  });

  it("refuses a network in int8, and one without images", async () => {
    using int8 = new AdaptiveNetwork(quantized.model, reference, quantized.parameters);
    await expect(quantize(int8, residualImages)).rejects.toThrow(
      "Expected a network of floats for quantization but received rdi-residual in int8",
    );
    await expect(quantize(floats, residualImages, { limit: 0 })).rejects.toThrow("at least one image");
  });
});

describe.each(fastBackends.filter(({ title }) => !title.startsWith("cuda")))("$title", (candidate) => {
  it.skipIf(candidate.unavailable !== undefined)(
    `int8: ${titleOf(candidate)} gives the bits of 1 thread of WebAssembly`,
    async () => {
      using wasm = await fastBackends[0]!.open();
      using backend = await candidate.open();
      using expected = new AdaptiveNetwork(quantized.model, wasm, quantized.parameters);
      using actual = new AdaptiveNetwork(quantized.model, backend, quantized.parameters);
      // The depthwise convolution behind exit 1 is in floats, which instruction sets round apart.
      const [a, b] = [await runAllExits(expected, images, 12, 12), await runAllExits(actual, images, 12, 12)];
      expect(b.logits[0]).toEqual(a.logits[0]);
      const [one, other] = [await expected.classify(images), await actual.classify(images)];
      expect(other.map(({ label, exit }) => [label, exit])).toEqual(one.map(({ label, exit }) => [label, exit]));
    },
  );
});

describe("a file in int8", () => {
  let path: string;
  let tensors: Map<string, StoredTensor>;
  let metadata: Record<string, string>;
  let net: AdaptiveNetwork;
  beforeAll(async () => {
    path = join(root, "int8.safetensors");
    using start = new AdaptiveNetwork(rdiSmallcnn, reference, initialParams(rdiSmallcnn, 2), policy);
    const { model, parameters } = await quantize(start, digits({ split: "validation", length: 2 }));
    net = new AdaptiveNetwork(model, reference, parameters, policy);
    await save(path, net, { policy, training: { seed: 3 } });
    ({ tensors, metadata } = await readSafetensors(path));
  });

  it("is loaded as the network that it was", async () => {
    using again = await load(path, { backend: reference });
    expect(again.policy).toEqual(policy);
    expect(again.training).toEqual({ seed: 3 });
    expect(again.model.quantization!.ranges).toEqual(net.model.quantization!.ranges);
    for (const [name, data] of await again.parameters())
      expect(Buffer.from(data.buffer).equals(Buffer.from((await net.params.get(name)).buffer)), name).toBe(true);
  });

  it("takes a quarter of the bytes", () => {
    expect(tensors.get("fc1.weight")).toMatchObject({ dtype: "I8", shape: [200, 1024] });
    expect(tensors.get("fc1.scale")!.shape).toEqual([200]);
    expect((tensors.get("fc1.weight")!.data as Int8Array).reduce((a, b) => Math.max(a, b))).toBe(127);
  });

  type Change = (tensors: Map<string, StoredTensor>, metadata: Record<string, string>) => void;
  it.each<[string, Change, string]>([
    [
      "without a scale",
      (changed) => changed.delete("conv2.scale"),
      "Expected conv2.scale [32] F32 of rdi-smallcnn in int8 but received none",
    ],
    [
      "of floats",
      (changed) => changed.set("fc3.weight", { dtype: "F32", shape: [10, 200], data: new Float32Array(2000) }),
      "Expected fc3.weight [10,200] I8 of rdi-smallcnn in int8 but received [10,200] F32",
    ],
    [
      "with an integer that has no negative",
      (changed) => changed.set("fc3.weight", { dtype: "I8", shape: [10, 200], data: new Int8Array(2000).fill(-128) }),
      "Expected integers in -127 … 127 for fc3.weight but received -128",
    ],
    [
      "with a range that is neither",
      (changed) => changed.set("fc3.input_range", { dtype: "F32", shape: [2], data: Float32Array.of(-1, 2) }),
      "Expected a range 0 … high or −high … high for fc3.input_range but received -1 … 2",
    ],
    [
      "with a tensor too many",
      (changed) => changed.set("fc9.bias", { dtype: "F32", shape: [1], data: new Float32Array(1) }),
      "Expected the tensors of rdi-smallcnn in int8 but received fc9.bias as well",
    ],
    [
      "of another kind",
      (_, changed) => (changed.quantization = "int4"),
      'Expected int8 for the metadata quantization but received "int4"',
    ],
  ])("%s is refused", async (_, change, message) => {
    const [changed, told] = [new Map(tensors), { ...metadata }];
    change(changed, told);
    const bad = join(root, "bad.safetensors");
    await writeSafetensors(bad, changed, told);
    await expect(load(bad, { backend: reference })).rejects.toThrow(message);
  });
});

describe("a network in int8", () => {
  const y = Int32Array.from({ length: 12 }, (_, n) => n % 5);

  it("has no gradients to attack by, but can be attacked without", async () => {
    using backend = await fastBackends[0]!.open();
    using int8 = new AdaptiveNetwork(quantized.model, backend, quantized.parameters);
    const method = pgd({ eps: 0.1, step: 0.02, steps: 2, seed: 0 });
    await expect(average(method).perturb(int8, images, y)).rejects.toThrow(
      "Expected a network of floats for gradients but received one in int8",
    );
    const attacked = await average(square({ eps: 0.1, queries: 3, seed: 0 })).perturb(int8, images, y);
    expect(attacked).not.toEqual(images);
  });

  it("is evaluated on the adversarial images of its floats", async () => {
    using int8 = new AdaptiveNetwork(quantized.model, reference, quantized.parameters, policy);
    const attack = average(pgd({ eps: 0.1, step: 0.05, steps: 2, seed: 0 }));
    const seen: Float32Array[] = [];
    await evaluate(int8, residualImages, { policy, attack, attacked: floats, keep: ({ image }) => seen.push(image) });
    const expected = await attack.perturb(floats, images, y);
    expect(seen.flatMap((image) => Array.from(image))).toEqual(Array.from(expected));
  });

  it("gives no weights as floats, and is not started from", async () => {
    using int8 = new AdaptiveNetwork(quantized.model, reference, quantized.parameters);
    await expect(int8.weights()).rejects.toThrow(
      "Expected a network of floats for weights as floats but received rdi-residual in int8",
    );
    expect(() => initialParams(quantized.model, 0)).toThrow(
      "Expected a model of floats to start from but received rdi-residual in int8",
    );
    await expect(save(join(root, "half"), int8, { policy, dtype: "F16" })).rejects.toThrow(
      "Expected a network of floats for F16",
    );
  });

  const cuda = allBackends.find(({ title }) => title === "cuda (emulated)")!;
  it.skipIf(cuda.unavailable !== undefined)(`is not for GPUs: ${titleOf(cuda)}`, async () => {
    using backend = openCuda({ devices: [0], precision: "fp32" }, emulatedCuda());
    using int8 = new AdaptiveNetwork(quantized.model, backend, quantized.parameters, policy);
    await expect(int8.classify(images)).rejects.toThrow(
      "Expected operations of the backend cuda but received quantizedConv2d: quantized networks run on the processor",
    );
  });
});

it("weights in F16 are loaded as what they are rounded to", async () => {
  const path = join(root, "half.safetensors");
  const weights = initialParams(rdiSmallcnn, 1);
  using net = new AdaptiveNetwork(rdiSmallcnn, reference, weights);
  await save(path, net, { policy, dtype: "F16" });
  using half = await load(path, { backend: reference });
  const name = "fc2.weight";
  const rounded = weights.get(name)!.map((value) => floatOfHalf(halfOfFloat(value)));
  expect(rounded).not.toEqual(weights.get(name));
  expect((await half.weights()).get(name)).toEqual(rounded);

  weights.set("fc3.bias", new Float32Array(10).fill(1e5));
  using large = new AdaptiveNetwork(rdiSmallcnn, reference, weights);
  await expect(save(path, large, { policy, dtype: "F16" })).rejects.toThrow(
    "Expected numbers under 65520 for fc3.bias in F16 but received 100000",
  );
});
