import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ReferenceBackend } from "../../src/backends/reference/reference-backend.js";
import { readSafetensors, writeSafetensors, type StoredTensor } from "../../src/formats/safetensors.js";
import { AdaptiveNetwork, load, save, type ExitPolicy } from "../../src/inference/index.js";
import { modelByName } from "../../src/models/index.js";
import { rdiSmallcnn } from "../../src/models/smallcnn.js";
import { initialParams } from "../../src/nn/exit-model.js";
import { Network } from "../../src/nn/network.js";
import { FormatError } from "../../src/util/errors.js";

const backend = new ReferenceBackend();
const weights = initialParams(rdiSmallcnn, 2);
const policy: ExitPolicy = { exits: [1, 3], thresholds: [0.25] };

let root: string;
let good: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "rdi-weights-"));
  good = join(root, "good.safetensors");
  using net = new Network(rdiSmallcnn, backend, weights);
  await save(good, net, { policy, training: { seed: 3 } });
});
afterAll(() => rm(root, { recursive: true }));

describe("a weights file", () => {
  it("holds the weights, the policy and the training settings", async () => {
    using net = await load(good, { backend });
    expect(net.model.name).toBe("rdi-smallcnn");
    expect(net.policy).toEqual(policy);
    expect(net.training).toEqual({ seed: 3 });
    for (const [name, data] of await net.weights()) {
      // Vitest compares element by element, which takes long for so many.
      expect(Buffer.from(data.buffer).equals(Buffer.from(weights.get(name)!.buffer)), name).toBe(true);
    }
    const [result] = await net.classify(new Float32Array(784).fill(0.5));
    expect([1, 3]).toContain(result!.exit);
  });

  it("gives back its memory", async () => {
    const before = backend.liveBytes();
    for (let i = 0; i < 2; i++) {
      using net = await load(good, { backend });
      await net.classify(new Float32Array(784));
      expect(backend.liveBytes()).toBeGreaterThan(before);
    }
    await expect(load(join(root, "none"), { backend })).rejects.toThrow("no such file");
    expect(backend.liveBytes()).toBe(before);
  });

  it("without a policy is a network whose images take the whole of it", async () => {
    using net = new AdaptiveNetwork(rdiSmallcnn, backend, weights);
    expect(net.policy).toEqual({ exits: [3], thresholds: [] });
  });

  it("holds the number of classes, if it is another than 10", async () => {
    const five = modelByName("rdi-smallcnn", 5);
    const path = join(root, "five.safetensors");
    using net = new Network(five, backend, initialParams(five, 2));
    await save(path, net, { policy });
    using again = await load(path, { backend });
    expect(again.model.classes).toBe(5);
    const [result] = await again.classify(new Float32Array(784));
    expect(result!.probabilities).toHaveLength(5);
  });

  type Change = (tensors: Map<string, StoredTensor>, metadata: Record<string, string>) => void;
  const bias = (data: Float32Array, shape = [data.length]): StoredTensor => ({ dtype: "F32", shape, data });

  it.each<[string, Change, string]>([
    [
      "a missing weight",
      (tensors) => tensors.delete("fc1.bias"),
      "Expected weight fc1.bias [200] of rdi-smallcnn but received none",
    ],
    [
      "a misshapen weight",
      (tensors) => tensors.set("fc3.bias", bias(new Float32Array(11))),
      "fc3.bias [10] of rdi-smallcnn but received [11]",
    ],
    [
      "a transposed weight",
      (tensors) => tensors.set("fc3.weight", bias(new Float32Array(2000), [200, 10])),
      "received [200,10] F32",
    ],
    [
      "weights of another dtype",
      (tensors) => tensors.set("fc3.bias", { dtype: "I32", shape: [10], data: new Int32Array(10) }),
      "received [10] I32",
    ],
    ["an unknown weight", (tensors) => tensors.set("fc4.bias", bias(new Float32Array(1))), "received fc4.bias as well"],
    [
      "a NaN",
      (tensors) => tensors.set("fc3.bias", bias(new Float32Array(10).fill(NaN))),
      "finite numbers for weight fc3.bias",
    ],
    ["no model", (_tensors, metadata) => delete metadata.model, "Expected a weights file that names its model"],
    ["an unknown model", (_tensors, metadata) => (metadata.model = "vgg"), 'but received "vgg"'],
    [
      "no number of classes",
      (_tensors, metadata) => (metadata.classes = "1e9"),
      'Expected an integer of 2 or more for the metadata classes but received "1e9"',
    ],
    [
      "a policy that is no JSON",
      (_tensors, metadata) => (metadata.policy = "{"),
      "Expected JSON for the metadata policy",
    ],
    [
      "a policy of another form",
      (_tensors, metadata) => (metadata.policy = '{"exits":"all"}'),
      "Expected policy in the metadata of its form",
    ],
    [
      "a policy for other exits",
      (_tensors, metadata) => (metadata.policy = '{"exits":[1,4],"thresholds":[1]}'),
      "end with 3",
    ],
  ])("is refused for %s", async (_what, change, message) => {
    const { tensors, metadata } = await readSafetensors(good);
    change(tensors, metadata);
    const path = join(root, "bad.safetensors");
    await writeSafetensors(path, tensors, metadata);
    const before = backend.liveBytes();
    const loading = load(path, { backend });
    await expect(loading).rejects.toThrow(FormatError);
    await expect(loading).rejects.toThrow(message);
    await expect(loading).rejects.toThrow(path);
    expect(backend.liveBytes()).toBe(before);
  });

  it("is refused where it is truncated", async () => {
    const path = join(root, "short.safetensors");
    await writeFile(path, (await readFile(good)).subarray(0, 100_000));
    await expect(load(path, { backend })).rejects.toThrow("truncated");
  });

  it("is not written with a policy that does not fit, nor where nothing can be written", async () => {
    using net = new Network(rdiSmallcnn, backend, weights);
    const path = join(root, "new.safetensors");
    await expect(save(path, net, { policy: { exits: [1], thresholds: [] } })).rejects.toThrow("end with 3");
    await expect(readFile(path)).rejects.toThrow("ENOENT");
    await expect(save(join(good, "below"), net, { policy })).rejects.toThrow("Cannot write");
  });
});
