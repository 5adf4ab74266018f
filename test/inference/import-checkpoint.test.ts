import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { writeSafetensors, type StoredTensor } from "../../src/formats/safetensors.js";
import { importCheckpoint } from "../../src/inference/import-checkpoint.js";
import { smallcnn } from "../../src/models/smallcnn.js";
import { initialParams, type ExitModel } from "../../src/nn/exit-model.js";
import { concreteShape } from "../../src/ops/spec.js";
import { FormatError } from "../../src/util/errors.js";
import { dict, floatTensors, int, legacyFile, orderedDict, zipFile, type Code } from "../support/pytorch-files.js";
import { tinyModel } from "../support/tiny.js";

type Weights = Map<string, { shape: readonly number[]; data: Float32Array }>;

function weightsFor(model: ExitModel): Weights {
  const weights = initialParams(model, 4);
  return new Map(
    [...model.params].map(([name, { spec }]) => [name, { shape: concreteShape(spec, 1), data: weights.get(name)! }]),
  );
}

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "rdi-import-"));
});
afterAll(() => rm(root, { recursive: true }));

async function write(bytes: Uint8Array): Promise<string> {
  const path = join(root, "checkpoint.pth.tar");
  await writeFile(path, bytes);
  return path;
}

/** A checkpoint of weights, under `state_dict` beside the number of iterations. */
function checkpoint(weights: Weights, prefix = "", file: typeof zipFile | typeof legacyFile = zipFile): Uint8Array {
  const { storages, entries } = floatTensors(new Map([...weights].map(([name, tensor]) => [prefix + name, tensor])));
  const saved: Record<string, Code> = { iter: int(60000), state_dict: orderedDict(entries), optimizer: dict({}) };
  return file(dict(saved), storages);
}

describe("importCheckpoint", () => {
  it.each([
    ["pytorch-zip", zipFile],
    ["pytorch-legacy", legacyFile],
  ] as const)("gives the weights of a file of the format %s, and where they come from", async (format, file) => {
    const weights = weightsFor(tinyModel);
    const bytes = checkpoint(weights, "module.", file);
    const imported = await importCheckpoint(await write(bytes), tinyModel);
    expect(imported.weights).toEqual(new Map([...weights].map(([name, { data }]) => [name, data])));
    expect(imported).toMatchObject({ model: tinyModel, dropped: [], ignored: ["iter", "optimizer"] });
    expect(imported.source).toEqual({
      file: "checkpoint.pth.tar",
      sha256: createHash("sha256").update(bytes).digest("hex"),
      format,
      stateDict: "state_dict",
      prefix: "module.",
      iteration: 60000,
    });
  });

  it("reads safetensors with PyTorch's names, and rounds float64 to float32", async () => {
    const path = join(root, "weights.bin");
    const tensors = new Map<string, StoredTensor>();
    for (const [name, { shape, data }] of weightsFor(tinyModel))
      tensors.set(`module.${name}`, { dtype: "F64", shape, data: Float64Array.from(data, (value) => value + 1e-12) });
    await writeSafetensors(path, tensors);
    const { source, weights } = await importCheckpoint(path, tinyModel);
    expect(source).toMatchObject({ format: "safetensors", prefix: "module.", stateDict: "" });
    expect(source).not.toHaveProperty("iteration");
    const stored = tensors.get("module.conv1.bias")!.data as Float64Array;
    expect(weights.get("conv1.bias")).toEqual(Float32Array.from(stored));
  });

  it("drops batch norm's counters, and what the model says that its network never uses", async () => {
    const weights = weightsFor(tinyModel);
    const extra = { shape: [1], data: Float32Array.of(7) };
    weights.set("bn1.num_batches_tracked", extra).set("conv9.weight", extra);
    const path = await write(checkpoint(weights));
    const model = { ...tinyModel, ignoredWeights: ["conv9.weight"] };
    expect((await importCheckpoint(path, model)).dropped).toEqual(["bn1.num_batches_tracked", "conv9.weight"]);
    await expect(importCheckpoint(path, tinyModel)).rejects.toThrow("1 unknown to it (conv9.weight)");
  });

  const tensor = (...shape: number[]) => ({
    shape,
    data: new Float32Array(shape.reduce((product, size) => product * size, 1)),
  });

  it.each<[string, (weights: Weights) => void, string[]]>([
    [
      "missing weights",
      (weights) => {
        for (const name of [...weights.keys()].slice(0, 6)) weights.delete(name);
      },
      ["Expected the weights of rdi-tiny but received others: 6 missing (conv1.weight, ", " and 2 more)"],
    ],
    [
      "misshapen and unknown weights",
      (weights) => weights.set("conv1.bias", tensor(7)).set("fc9.\u001b[2J", tensor(1)),
      ['1 unknown to it ("fc9.\\u001b[2J"), 1 of another shape or type (conv1.bias [6] is [7] F32)'],
    ],
    [
      "a transposed weight",
      (weights) => weights.set("fc1.weight", tensor(32, 16)),
      ["fc1.weight [16,32] is [32,16] F32"],
    ],
    [
      "another number of classes",
      (weights) =>
        weights
          .set("fc2.weight", tensor(100, 16))
          .set("fc2.bias", tensor(100))
          .set("branch1.1.weight", tensor(100, 45))
          .set("branch1.1.bias", tensor(100))
          .set("branch2.weight", tensor(100, 32))
          .set("branch2.bias", tensor(100)),
      ["Expected 4 classes, as rdi-tiny has, but received weights for 100: ", "fc2.weight [4,16] is [100,16] F32"],
    ],
    [
      "other classes in one head only, where another is broken",
      (weights) => weights.set("fc2.bias", tensor(100)).set("branch2.bias", tensor(3)),
      ["Expected the weights of rdi-tiny but received others: 2 of another shape or type"],
    ],
    ["NaN", (weights) => weights.get("fc1.bias")!.data.fill(NaN), ["Expected finite numbers for weight fc1.bias"]],
    ["infinity", (weights) => (weights.get("fc1.bias")!.data[3] = Infinity), ["Expected finite numbers"]],
  ])("refuses %s", async (_what, change, parts) => {
    const weights = weightsFor(tinyModel);
    change(weights);
    const path = await write(checkpoint(weights));
    const importing = importCheckpoint(path, tinyModel);
    await expect(importing).rejects.toThrow(FormatError);
    for (const part of [`${path}: `, ...parts]) await expect(importing).rejects.toThrow(part);
  });

  it("refuses float64 weights beyond float32, and weights of integers", async () => {
    const path = join(root, "weights.safetensors");
    const stored = new Map<string, StoredTensor>(
      [...weightsFor(tinyModel)].map(([name, weight]) => [name, { dtype: "F32", ...weight }]),
    );
    await writeSafetensors(
      path,
      new Map(stored).set("fc2.bias", { dtype: "F64", shape: [4], data: new Float64Array(4).fill(1e300) }),
    );
    await expect(importCheckpoint(path, tinyModel)).rejects.toThrow("Expected finite numbers for weight fc2.bias");
    await writeSafetensors(
      path,
      new Map(stored).set("fc2.bias", { dtype: "I32", shape: [4], data: new Int32Array(4) }),
    );
    await expect(importCheckpoint(path, tinyModel)).rejects.toThrow("(fc2.bias [4] is [4] I32)");
  });

  it("says whose the weights are, if it is another model's", async () => {
    const path = await write(checkpoint(weightsFor(smallcnn)));
    await expect(importCheckpoint(path, tinyModel)).rejects.toThrow("; these are the weights of smallcnn");
  });

  it("refuses this package's own weights files, files of other kinds, and a missing one", async () => {
    const own = join(root, "own.safetensors");
    await writeSafetensors(own, new Map(), { format: "rdi-net", model: "smallcnn" });
    await expect(importCheckpoint(own, smallcnn)).rejects.toThrow("which needs no import");
    const bytes = await readFile(own);
    await writeFile(own, bytes.subarray(0, 20));
    await expect(importCheckpoint(own, smallcnn)).rejects.toThrow("truncated");
    await expect(importCheckpoint(await write(new Uint8Array()), smallcnn)).rejects.toThrow("an empty file");
    await expect(importCheckpoint(join(root, "none"), smallcnn)).rejects.toThrow("no such file");
  });
});
