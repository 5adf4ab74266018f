import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { z } from "zod";
import { readBatch } from "../../src/data/dataset.js";
import { digits } from "../../src/data/digits.js";
import { encodePng } from "../../src/data/images.js";
import { describeCli, rdi, temporaryFolder, writeWeights } from "./rdi.js";

const result = z.strictObject({
  model: z.literal("rdi-smallcnn"),
  backend: z.string(),
  threads: z.int(),
  images: z.array(
    z.strictObject({
      file: z.string(),
      label: z.int().min(0).max(9),
      exit: z.int().min(1).max(3),
      entropy: z.number(),
      probabilities: z.array(z.number()).length(10),
      macs: z.strictObject({ paper: z.number(), full: z.number() }),
    }),
  ),
});

const IMAGES = 5;
let folder: string;
let images: string;
let weights: string;
beforeAll(async () => {
  folder = await temporaryFolder();
  weights = join(folder, "weights.safetensors");
  await writeWeights(weights);
  images = join(folder, "images");
  await mkdir(images);
  const { images: pixels } = readBatch(
    digits({ split: "test", length: IMAGES }),
    Uint32Array.from({ length: IMAGES }, (_, i) => i),
  );
  for (let i = 0; i < IMAGES; i++) {
    await writeFile(join(images, `${i}.png`), encodePng(pixels.subarray(784 * i, 784 * (i + 1)), [1, 28, 28]));
  }
});

describeCli("classify", () => {
  it("classifies files and folders", async () => {
    const { status, stdout } = await rdi("classify", "--weights", weights, images, join(images, "0.png"), "--json");
    expect(status).toBe(0);
    const parsed = result.parse(JSON.parse(stdout)).images;
    expect(parsed.map(({ file }) => file)).toEqual([
      ...Array.from({ length: IMAGES }, (_, i) => join(images, `${i}.png`)),
      join(images, "0.png"),
    ]);
    expect(parsed.at(-1)).toEqual(parsed[0]);
    for (const { probabilities, label, entropy } of parsed) {
      expect(probabilities.reduce((a, b) => a + b)).toBeCloseTo(1);
      expect(probabilities[label]).toBe(Math.max(...probabilities));
      expect(entropy).toBeCloseTo(-probabilities.reduce((sum, p) => sum + p * Math.log(p + 1e-5), 0), 3);
    }
  });

  it("prints a row an image", async () => {
    const { status, stdout } = await rdi("classify", "--weights", weights, join(images, "1.png"));
    expect(status).toBe(0);
    expect(stdout).toMatch(/1\.png\s*│/);
  });

  it.each([
    ["a broken image", "broken.png", "Expected a PNG or JPEG image"],
    ["a missing file", "missing.png", "Expected an image or a folder of images but received nothing there"],
  ])("refuses %s", async (_what, name, message) => {
    const path = join(folder, name);
    if (name === "broken.png") await writeFile(path, "no picture");
    const { status, stdout, stderr } = await rdi("classify", "--weights", weights, path);
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    expect(stderr).toContain(`error: ${path}: ${message}`);
  });
});
