import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Backend } from "../../src/backends/backend.js";
import { ReferenceBackend } from "../../src/backends/reference/reference-backend.js";
import { readSafetensors } from "../../src/formats/safetensors.js";
import { evaluate } from "../../src/inference/evaluate.js";
import { initialParams } from "../../src/nn/exit-model.js";
import { Network } from "../../src/nn/network.js";
import { train, type TrainConfigInput, type TrainProgress } from "../../src/training/index.js";
import { ArgumentError, DivergedError } from "../../src/util/errors.js";
import { fastBackends, titleOf, type BackendUnderTest } from "../support/backends.js";
import { tinyDataset, tinyModel } from "../support/tiny.js";

const dataset = tinyDataset(120);

/** 100 training images in batches of 20: five iterations an epoch. */
const config: TrainConfigInput = {
  model: "rdi-tiny",
  epochs: 3,
  batchSize: 20,
  learningRate: 0.05,
  validationFraction: 1 / 6,
  attack: { method: "pgd", form: "max-average", eps: 0.1, step: 0.05, steps: 2 },
  attackMode: "train",
  epsWarmup: 0.5,
  checkpointEvery: 4,
  logEvery: 2,
  augment: { crop: 1, flip: true },
  seed: 7,
};

/** In float32, as checkpoints are: what float64 keeps beyond that, a resumed run would lack. */
const reference: BackendUnderTest = {
  title: "reference",
  open: () => Promise.resolve(new ReferenceBackend("float32")),
};

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "rdi-trainer-"));
});
afterAll(() => rm(root, { recursive: true }));

let folders = 0;
const newFolder = (): string => join(root, `${++folders}`);

function newNetwork(backend: Backend): Network {
  return new Network(tinyModel, backend, initialParams(tinyModel, 0));
}

async function logLines(out: string): Promise<TrainProgress[]> {
  const text = await readFile(join(out, "log.jsonl"), "utf8");
  return text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as TrainProgress);
}

/** What of a line of the log does not depend on the clock. */
const timeless = ({ imagesPerSecond: _rate, seconds: _seconds, ...rest }: TrainProgress): unknown => rest;

for (const under of [reference, ...fastBackends]) {
  describe.skipIf(under.unavailable !== undefined)(`training on ${titleOf(under)}`, () => {
    let backend: Backend;
    beforeAll(async () => {
      backend = await under.open();
    });
    afterAll(() => {
      expect(backend.liveBytes()).toBe(0);
      backend.dispose();
    });

    it("gives, resumed after an interruption, bit for bit what an uninterrupted run gives", async () => {
      const [whole, parts] = [newFolder(), newFolder()];
      using uninterrupted = newNetwork(backend);
      const expected = await train(uninterrupted, dataset, config, { out: whole });
      expect(expected).toMatchObject({ stopped: "finished", iteration: 15, iterations: 15 });

      using first = newNetwork(backend);
      const controller = new AbortController();
      const stopped = await train(first, dataset, config, {
        out: parts,
        signal: controller.signal,
        onProgress: ({ iteration }) => {
          if (iteration === 6) controller.abort();
        },
      });
      expect(stopped).toMatchObject({ stopped: "aborted", iteration: 6 });
      expect(stopped.model).toBeUndefined();

      using second = newNetwork(backend);
      const resumed = await train(second, dataset, config, { out: parts, resume: true });
      expect(resumed).toMatchObject({ stopped: "finished", iteration: 15, policy: expected.policy });
      expect(await second.weights()).toEqual(await uninterrupted.weights());
      expect((await logLines(parts)).map(timeless)).toEqual((await logLines(whole)).map(timeless));

      const [a, b] = [await readSafetensors(expected.model!), await readSafetensors(resumed.model!)];
      expect(b.tensors).toEqual(a.tensors);
      expect(b.metadata.policy).toBe(a.metadata.policy);
      expect(a.metadata).toMatchObject({ format: "rdi-net", model: "rdi-tiny" });
      expect(JSON.parse(a.metadata.training!)).toMatchObject({
        config: { ...config, momentum: 0.9, threads: backend.threads },
        dataset: "tiny",
        iteration: 15,
      });
    });

    it.skipIf(under === reference)("learns, and logs its losses (takes too long on reference)", async () => {
      const out = newFolder();
      using net = newNetwork(backend);
      const settings: TrainConfigInput = {
        ...config,
        // The class is a quadrant, which a flip would change.
        augment: {},
        epochs: 30,
        attackMode: "eval",
        checkpointEvery: 75,
        logEvery: 10,
      };
      const { policy } = await train(net, dataset, settings, { out });
      const { exits } = await evaluate(net, tinyDataset(40, 1), { policy: policy! });
      for (const { accuracy } of exits) expect(accuracy).toBeGreaterThan(0.9);

      const log = await logLines(out);
      expect(log.map(({ iteration }) => iteration)).toEqual([
        10, 20, 30, 40, 50, 60, 70, 75, 80, 90, 100, 110, 120, 130, 140, 150,
      ]);
      const [begin, end] = [log[0]!, log.at(-1)!];
      expect(end.loss).toBeLessThan(begin.loss / 2);
      expect(end).toMatchObject({ epoch: 30, iterations: 150, eps: 0.1 });
      expect(end.exitsClean).toHaveLength(3);
      const total = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
      expect(total(log.map((line) => line.lossAdversarial!))).toBeGreaterThan(total(log.map((line) => line.lossClean)));
      expect(end.loss).toBeCloseTo((3 * (end.lossClean + end.lossAdversarial!)) / 2, 5);
      expect(end.validationAccuracy).toBeGreaterThan(0.9);
      expect(end.learningRate).toBeCloseTo(0.05 * 0.01);
      expect(begin.eps).toBeCloseTo(0.1 * (10 / 75));
    });
  });
}

describe("training", () => {
  const backend = new ReferenceBackend("float32");
  const quick: TrainConfigInput = { ...config, attack: null };

  it("trains on clean images alone where there is no attack", async () => {
    const out = newFolder();
    using net = newNetwork(backend);
    await train(net, dataset, quick, { out });
    const [line] = await logLines(out);
    expect(line).not.toHaveProperty("lossAdversarial");
    expect(line!.loss).toBeCloseTo(3 * line!.lossClean, 5);
  });

  it("sees other images where it augments them, but validates on those that are", async () => {
    const lossesOf = async (settings: TrainConfigInput): Promise<TrainProgress[]> => {
      const out = newFolder();
      using net = newNetwork(backend);
      await train(net, dataset, { ...settings, logEvery: 1, epochs: 1, learningRate: 1e-9 }, { out });
      return await logLines(out);
    };
    const [plain, augmented] = [await lossesOf({ ...quick, augment: {} }), await lossesOf(quick)];
    for (const [i, line] of augmented.entries()) expect(line.loss).not.toBe(plain[i]!.loss);
    expect(augmented.at(-1)!.validationAccuracy).toBe(plain.at(-1)!.validationAccuracy);
  });

  it("weighs the exits' losses", async () => {
    using net = newNetwork(backend);
    const before = await net.weights();
    await train(net, dataset, { ...quick, exitWeights: [0, 1, 0], weightDecay: 0 }, { out: newFolder() });
    const after = await net.weights();
    for (const name of ["branch1.0.weight", "fc1.weight", "fc2.bias"])
      expect(after.get(name)).toEqual(before.get(name));
    for (const name of ["conv1.weight", "conv2.bias", "branch2.weight"])
      expect(after.get(name)).not.toEqual(before.get(name));
  });

  it("stops at the time limit with a calibrated model, and can go on later", async () => {
    const out = newFolder();
    using net = newNetwork(backend);
    const stopped = await train(net, dataset, quick, { out, timeLimit: 0 });
    expect(stopped).toMatchObject({ stopped: "time limit", iteration: 0 });
    expect((await readSafetensors(stopped.model!)).metadata.policy).toBe(JSON.stringify(stopped.policy));
    expect(await train(net, dataset, quick, { out, resume: true })).toMatchObject({
      stopped: "finished",
      iteration: 15,
    });
  });

  it("tells early that the loss has diverged, and keeps the last good checkpoint", async () => {
    const out = newFolder();
    using net = newNetwork(backend);
    const hopeless = { ...quick, epochs: 100, learningRate: 1e4 };
    const run = train(net, dataset, hopeless, { out });
    await expect(run).rejects.toThrow(DivergedError);
    await expect(run).rejects.toThrow(/Lower the learning rate \(now 10000\).*checkpoint\.safetensors/);
    const { tensors, metadata } = await readSafetensors(join(out, "checkpoint.safetensors"));
    expect((JSON.parse(metadata.position!) as TrainProgress).iteration).toBeLessThan(50);
    for (const { data } of tensors.values()) expect((data as Float32Array).every(Number.isFinite)).toBe(true);
  });

  it("does not overwrite an unfinished run unless told to", async () => {
    const out = newFolder();
    using net = newNetwork(backend);
    const controller = new AbortController();
    const stopAt3 = ({ iteration }: TrainProgress): void => {
      if (iteration === 3) controller.abort();
    };
    await train(net, dataset, quick, { out, signal: controller.signal, onProgress: stopAt3 });
    const kept = await readFile(join(out, "checkpoint.safetensors"));
    await expect(train(net, dataset, quick, { out })).rejects.toThrow("at iteration 3 of 15: resume it");
    expect(await readFile(join(out, "checkpoint.safetensors"))).toEqual(kept);
    await train(net, dataset, quick, { out, overwrite: true });
    await train(net, dataset, quick, { out });
  });

  it("resumes only a run of the same settings and data", async () => {
    const out = newFolder();
    using net = newNetwork(backend);
    await expect(train(net, dataset, quick, { out, resume: true })).rejects.toThrow("no such file");
    await train(net, dataset, quick, { out, timeLimit: 0 });
    const other = { ...quick, learningRate: 0.1, seed: 8 };
    await expect(train(net, dataset, other, { out, resume: true })).rejects.toThrow(
      "learningRate 0.05 there and 0.1 here; seed 7 there and 8 here",
    );
    await expect(train(net, tinyDataset(240), quick, { out, resume: true })).rejects.toThrow("15 iterations");
    const path = join(out, "checkpoint.safetensors");
    const intact = await readFile(path);
    await writeFile(path, intact.subarray(0, intact.length - 9));
    await expect(train(net, dataset, quick, { out, resume: true })).rejects.toThrow("truncated");
    await writeFile(path, await readFile(join(out, "model.safetensors")));
    await expect(train(net, dataset, quick, { out, resume: true })).rejects.toThrow("Expected a checkpoint");
  });

  it("says what is wrong with its arguments before it writes anything", async () => {
    const out = newFolder();
    using net = newNetwork(backend);
    const attempts: [TrainConfigInput, string][] = [
      [{ ...quick, model: "smallcnn" }, "smallcnn"],
      [{ ...quick, learningRate: -1 }, "learningRate"],
      [{ ...quick, batchSize: 101 }, "at most the 100 training images"],
      [{ ...quick, exitWeights: [1, 1] }, "Expected 3 exitWeights"],
      [{ ...config, attack: { method: "pgd", form: "median", eps: 0.1 } }, "median"],
      [{ ...config, attack: { method: "pgd", form: "average", eps: -0.1 } }, "eps"],
      [{ ...quick, epoch: 3 } as TrainConfigInput, "epoch"],
      [{ ...quick, augment: { crop: 10 } }, "less than the 10 pixels"],
      [{ ...quick, augment: { crop: 0.5 } }, "crop"],
      [{ ...quick, augment: { mirror: true } } as TrainConfigInput, "mirror"],
    ];
    for (const [settings, message] of attempts) {
      const run = train(net, dataset, settings, { out });
      await expect(run).rejects.toThrow(ArgumentError);
      await expect(run).rejects.toThrow(message);
    }
    await expect(readFile(join(out, "log.jsonl"))).rejects.toThrow("ENOENT");
  });

  it("says so where the output folder cannot be", async () => {
    using net = newNetwork(backend);
    const file = join(root, "a-file");
    await writeFile(file, "");
    await expect(train(net, dataset, quick, { out: join(file, "out") })).rejects.toThrow(
      /Cannot make the folder .*choose another/,
    );
  });
});
