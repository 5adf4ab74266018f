import { stat } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { z } from "zod";
import { describeCli, rdi, temporaryFolder, writeWeights } from "./rdi.js";

const report = z.strictObject({
  model: z.literal("rdi-smallcnn"),
  to: z.enum(["int8", "f16"]),
  out: z.string(),
  bytes: z.strictObject({ before: z.int(), after: z.int() }),
  layers: z.array(z.strictObject({ layer: z.string(), low: z.number(), high: z.number() })).optional(),
  calibration: z.strictObject({ dataset: z.string(), images: z.int() }).optional(),
});
const evaluation = z.object({ images: z.int(), attack: z.object({ method: z.string() }).nullable() });

let folder: string;
let weights: string;
let int8: string;
beforeAll(async () => {
  folder = await temporaryFolder();
  weights = join(folder, "weights.safetensors");
  int8 = join(folder, "int8.safetensors");
  await writeWeights(weights);
});

describeCli("quantize", () => {
  it("writes a network in int8, which other commands take", async () => {
    const options = ["--dataset", "digits", "--calibration", "8", "--out", int8];
    const { status, stdout } = await rdi("quantize", "--weights", weights, ...options, "--json");
    expect(status).toBe(0);
    const { bytes, layers, calibration } = report.parse(JSON.parse(stdout));
    expect(calibration).toEqual({ dataset: "digits", images: 8 });
    expect(layers!.map(({ layer }) => layer)).toContain("conv4");
    expect(layers!.find(({ layer }) => layer === "conv1")).toEqual({ layer: "conv1", low: 0, high: 1 });
    expect(bytes.after).toBe((await stat(int8)).size);
    expect(bytes.after / bytes.before).toBeLessThan(0.27);

    const info = await rdi("info", int8);
    expect(info.stdout).toContain("quantization: int8");
    expect(info.stdout).toContain("in F32, I8, the weights of rdi-smallcnn");
    const told = await rdi("quantize", "--weights", weights, ...options, "--force");
    expect(told.stdout).toContain("ranges from 8 images of digits");
    const calibrated = await rdi("calibrate", "--weights", int8, "--dataset", "digits", "--limit", "12");
    expect(calibrated.status).toBe(0);
  });

  it("evaluates it on the adversarial images of its floats", async () => {
    const of = ["--weights", int8, "--dataset", "digits", "--limit", "4"];
    const attack = ["--attack", "pgd", "--steps", "2"];
    const alone = await rdi("evaluate", ...of, ...attack);
    expect(alone.status).toBe(1);
    expect(alone.stderr).toContain("Expected a network of floats for gradients but received one in int8");
    const other = await rdi("evaluate", ...of, ...attack, "--attack-weights", weights, "--json");
    expect(evaluation.parse(JSON.parse(other.stdout))).toMatchObject({ images: 4, attack: { method: "pgd" } });
    const unused = await rdi("evaluate", ...of, "--attack-weights", weights);
    expect(unused.status).toBe(2);
    expect(unused.stderr).toContain("Expected --attack with --attack-weights");
  });

  it("writes weights in f16, for which it needs no images", async () => {
    const out = join(folder, "half.safetensors");
    const { status, stdout } = await rdi("quantize", "--weights", weights, "--to", "f16", "--out", out, "--json");
    expect(status).toBe(0);
    const { bytes, ...rest } = report.parse(JSON.parse(stdout));
    expect(rest).toEqual({ model: "rdi-smallcnn", to: "f16", out });
    expect(bytes.after / bytes.before).toBeLessThan(0.51);
    expect((await rdi("evaluate", "--weights", out, "--dataset", "digits", "--limit", "4")).status).toBe(0);
  });

  it("says what is wrong", async () => {
    const out = join(folder, "wrong.safetensors");
    const noImages = await rdi("quantize", "--weights", weights, "--out", out);
    expect(noImages.status).toBe(2);
    expect(noImages.stderr).toContain("Expected --dataset, the images that the ranges of int8 are taken from");
    const twice = await rdi("quantize", "--weights", int8, "--to", "f16", "--out", out);
    expect(twice.status).toBe(1);
    expect(twice.stderr).toContain("Expected a network of floats for rdi quantize but received rdi-smallcnn in int8");
    const there = await rdi("quantize", "--weights", weights, "--to", "f16", "--out", int8);
    expect(there.status).toBe(1);
    expect(there.stderr).toContain("give --force to replace it");
  });
});
