import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { format, resolveConfig } from "prettier";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { iterationsOf, learningRateAt, parseTrainConfig, type TrainConfig } from "../../src/training/config.js";
import { openPreset, writePreset } from "../../src/training/preset-file.js";
import { parsePreset, presetJsonSchema } from "../../src/training/preset.js";
import { presets } from "../../src/training/presets.js";
import { ArgumentError, FormatError } from "../../src/util/errors.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "rdi-presets-"));
});
afterAll(() => rm(folder, { recursive: true }));

const configOf = (name: string): TrainConfig => presets.get(name)!.config;

describe("the paper's presets", () => {
  it("divide CIFAR-10's learning rate by ten at 32k and 48k of 64k iterations", () => {
    for (const name of ["paper-cifar10-resnet38", "paper-cifar10-mobilenetv2"]) {
      const config = configOf(name);
      expect(iterationsOf(config, 371)).toBe(64_000);
      const rates = [0, 31_999, 32_000, 47_999, 48_000, 63_999].map((i) => learningRateAt(config, i, 64_000));
      expect(rates).toEqual([0.1, 0.1, 0.01, 0.01, 0.001, 0.001].map((rate) => expect.closeTo(rate, 12) as number));
      expect(config).toMatchObject({
        batchSize: 128,
        weightDecay: 1e-4,
        augment: { crop: 4, flip: true },
        attack: { method: "pgd", form: "average", eps: 8 / 255, step: 2 / 255, steps: 10, randomStart: true },
        attackMode: "train",
      });
    }
  });

  it("divide MNIST's at 11.7k and 12.9k of 13.1k", () => {
    const config = configOf("paper-mnist-smallcnn");
    const rates = [11_699, 11_700, 12_899, 12_900].map((i) => learningRateAt(config, i, 13_100) / 0.033);
    expect(rates).toEqual([1, 0.1, 0.1, 0.01].map((rate) => expect.closeTo(rate, 12) as number));
    expect(config).toMatchObject({ batchSize: 256, weightDecay: 5e-4, attack: { eps: 0.3, step: 0.01, steps: 40 } });
  });
});

describe("milestones", () => {
  const base = { model: "m", attack: null, learningRate: 1 };
  it("may be fractions of the run or iterations, and the run's length epochs or iterations", () => {
    const byFraction = parseTrainConfig({ ...base, epochs: 2, schedule: { milestones: [0.5], factor: 0.1 } });
    const byIteration = parseTrainConfig({ ...base, iterations: 20, schedule: { milestones: [10], factor: 0.1 } });
    expect([byFraction, byIteration].map((config) => iterationsOf(config, 10))).toEqual([20, 20]);
    for (const config of [byFraction, byIteration])
      expect([9, 10].map((i) => learningRateAt(config, i, 20))).toEqual([1, 0.1]);
  });

  it.each([
    [{ ...base }, "Expected exactly one of epochs and iterations"],
    [{ ...base, epochs: 1, iterations: 2 }, "Expected exactly one of epochs and iterations"],
    [
      { ...base, iterations: 2, schedule: { milestones: [1.5], factor: 0.1 } },
      "schedule.milestones[0] but received 1.5",
    ],
  ])("refuses %j", (config, message) => {
    expect(() => parseTrainConfig(config)).toThrow(message);
  });
});

describe("preset files", () => {
  it("give back what was written, by reference to the published schema", async () => {
    for (const [name, preset] of presets) {
      const path = join(folder, `${name}.json`);
      await writePreset(path, { ...preset, config: { ...preset.config, threads: 3 } });
      expect(await openPreset(path)).toEqual(preset);
      const { $schema } = JSON.parse(await readFile(path, "utf8")) as { $schema: string };
      expect($schema).toBe("./node_modules/rdi-net/schema/preset.schema.json");
    }
  });

  const { dataset, config } = presets.get("digits-smallcnn")!;
  it.each([
    [
      { dataset, config: { ...config, learnRate: 0.1 } },
      /Expected a known key of config \(learningRate, .*\) but received "learnRate"/,
    ],
    [{ dataset, confg: config }, /Expected a known key \(config, .*\) but received "confg"/],
    [
      { dataset, config: { ...config, attack: { ...config.attack, setps: 3 } } },
      /Expected a known key of config\.attack \(.*steps.*\) but received "setps"/,
    ],
    [
      { dataset, config: { ...config, learningRate: "fast" } },
      /Expected a number for config\.learningRate but received the string "fast"/,
    ],
    [
      { dataset, config: { ...config, attackMode: "test" } },
      /Expected "train" or "eval" for config\.attackMode but received the string "test"/,
    ],
    [
      { dataset, config: { ...config, batchSize: 0 } },
      /Expected a value of at least 1 for config\.batchSize but received 0/,
    ],
    [{ config }, /Expected a string for dataset but received none/],
    [
      { dataset, config: { ...config, attack: { ...config.attack, form: "worst" } } },
      /Expected a form of attack .* but received "worst"/,
    ],
  ])("with wrong settings are refused: %#", (value, message) => {
    expect(() => parsePreset(value, "mine.json")).toThrow(message);
    expect(() => parsePreset(value, "mine.json")).toThrow(ArgumentError);
  });

  it("that are missing, or no JSON, are refused, as are unknown names", async () => {
    await expect(openPreset(join(folder, "none.json"))).rejects.toThrow("no such file");
    const path = join(folder, "broken.json");
    await writeFile(path, '{ "dataset": ');
    await expect(openPreset(path)).rejects.toThrow(FormatError);
    await expect(openPreset("paper-imagenet")).rejects.toThrow(
      /Expected a preset \(paper-mnist-smallcnn, .*paper-imagenet/,
    );
  });

  it("have a schema that is published as it is (vitest -u writes it anew)", async () => {
    const path = "schema/preset.schema.json";
    const text = await format(JSON.stringify(presetJsonSchema()), {
      ...(await resolveConfig(path)),
      filepath: path,
    });
    await expect(text).toMatchFileSnapshot(`../../${path}`);
  });
});
