import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { settingsOf } from "../../src/cli/train-config.js";
import { parsePreset } from "../../src/training/preset.js";
import { presets } from "../../src/training/presets.js";
import { describeCli, rdi, temporaryFolder } from "./rdi.js";

describe("a preset with other options", () => {
  const preset = presets.get("paper-mnist-smallcnn")!;

  it("is itself where none is given", async () => {
    expect(await settingsOf({}, preset)).toEqual({ dataset: "mnist", config: preset.config });
  });

  it("gives way to them, one by one", async () => {
    const given = { dataset: "digits", lr: 0.1, steps: 7, form: "max-average", lrMilestones: [0.5], seed: 3 };
    const { dataset, config } = await settingsOf(given, preset);
    expect(dataset).toBe("digits");
    expect(config).toEqual({
      ...preset.config,
      learningRate: 0.1,
      schedule: { milestones: [0.5], factor: 0.1 },
      attack: { ...preset.config.attack, form: "max-average", steps: 7 },
      seed: 3,
    });
  });

  it("trains for so many epochs instead of its iterations, and the other way round", async () => {
    const { config } = await settingsOf({ epochs: 2 }, preset);
    expect([config.epochs, config.iterations]).toEqual([2, undefined]);
    const back = await settingsOf({ iterations: 5 }, { dataset: "mnist", config });
    expect([back.config.epochs, back.config.iterations]).toEqual([undefined, 5]);
  });

  it("of clean images keeps to them, unless a method is given", async () => {
    const { config } = await settingsOf({ attack: "none" }, preset);
    expect(config.attack).toBeNull();
    const clean = { dataset: "mnist", config };
    expect((await settingsOf({ lr: 1 }, clean)).config.attack).toBeNull();
    await expect(settingsOf({ eps: 0.1 }, clean)).rejects.toThrow("Expected --attack");
    expect((await settingsOf({ attack: "pgd", eps: 0.1 }, clean)).config.attack).toEqual({
      ...preset.config.attack,
      eps: 0.1,
    });
  });

  it("keeps of another method's settings only what both have", async () => {
    const fgsm = (await settingsOf({ attack: "fgsm" }, preset)).config;
    expect(fgsm.attack).toMatchObject({ method: "fgsm", eps: 0.3, steps: 1 });
    await expect(settingsOf({ attack: "fgsm", steps: 3 }, preset)).rejects.toThrow("Expected no --steps");
    const pgd = (await settingsOf({ attack: "pgd" }, { dataset: "mnist", config: fgsm })).config;
    expect(pgd.attack).toEqual(preset.config.attack);
  });

  it("must fit the model, and names its data set and model", async () => {
    await expect(settingsOf({ form: "single:4" }, preset)).rejects.toThrow("Expected an exit of rdi-smallcnn");
    await expect(settingsOf({}, { ...preset, dataset: "omniglot" })).rejects.toThrow('received "omniglot"');
    await expect(settingsOf({ model: "vgg" }, preset)).rejects.toThrow('received "vgg"');
    await expect(settingsOf({ model: "smallcnn" }, undefined)).rejects.toThrow("--dataset not specified");
  });
});

describeCli("presets on the command line", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await temporaryFolder();
  });

  it("are listed", async () => {
    const { stdout } = await rdi("info", "--presets");
    for (const name of presets.keys()) expect(stdout).toContain(name);
  });

  it("are saved as mixed, and read back as they were", async () => {
    const [first, second] = [join(folder, "first.json"), join(folder, "second.json")];
    const mixed = ["--batch-size", "32", "--lr-milestones", "100,150", "--lr-factor", "0.2", "--no-random-start"];
    const saved = await rdi("train", "--preset", "digits-smallcnn", ...mixed, "--save-preset", first);
    expect(saved.status, saved.stderr).toBe(0);
    const text = await readFile(first, "utf8");
    const base = presets.get("digits-smallcnn")!;
    expect(parsePreset(JSON.parse(text), first)).toEqual({
      dataset: "digits",
      config: {
        ...base.config,
        batchSize: 32,
        schedule: { milestones: [100, 150], factor: 0.2 },
        attack: { ...base.config.attack, randomStart: false },
      },
    });
    const again = await rdi("train", "--preset", first, "--save-preset", second);
    expect(again.status, again.stderr).toBe(0);
    expect(await readFile(second, "utf8")).toBe(text);
  });

  it("that are not there are wrong usage", async () => {
    const { status, stderr } = await rdi("train", "--preset", "paper-imagenet", "--out", join(folder, "run"));
    expect(status).toBe(2);
    expect(stderr).toContain("Expected a preset (paper-mnist-smallcnn");
  });
});
