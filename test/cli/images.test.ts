import { cp, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { readFirst } from "../../src/data/dataset.js";
import { digits } from "../../src/data/digits.js";
import { encodePng } from "../../src/data/images.js";
import { readSafetensors } from "../../src/formats/safetensors.js";
import { describeCli, rdi, temporaryFolder, writeWeights } from "./rdi.js";

const PATIENCE_MS = 60_000;
const NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
/** The names as they are sorted, with the letter of their place. */
const className = (label: number): string => `${"abcdefghij"[label]}-${NAMES[label]}`;

let folder: string;
let weights: string;
let flat: string;

/** Digits as PNG files, in a folder for each class. */
async function writeDigits(dir: string, split: "train" | "test", count: number): Promise<void> {
  const { images, labels } = readFirst(digits({ split, length: count }), count);
  for (const [i, label] of labels.entries()) {
    await mkdir(join(dir, className(label)), { recursive: true });
    const image = images.subarray(784 * i, 784 * (i + 1));
    await writeFile(join(dir, className(label), `${1000 + i}.png`), encodePng(image, [1, 28, 28]));
  }
}

beforeAll(async () => {
  folder = await temporaryFolder();
  weights = join(folder, "weights.safetensors");
  await writeWeights(weights);
  flat = join(folder, "flat");
  await writeDigits(flat, "test", 20);
});

const evaluate = (...args: string[]) =>
  rdi("evaluate", "--weights", weights, "--dataset", "images", "--threads", "1", "--json", ...args);

describeCli("image folders", () => {
  it("evaluate to what the same images do as a data set", async () => {
    const { status, stdout, stderr } = await evaluate("--data", flat);
    expect(status, stderr).toBe(0);
    const same = await rdi("evaluate", "--weights", weights, "--dataset", "digits", "--limit", "20", "--threads", "1", "--json"); // prettier-ignore
    const [a, b] = [stdout, same.stdout].map((text) => JSON.parse(text) as { exits: { loss: number }[] });
    expect(a).toMatchObject({ dataset: "images", images: 20, model: "rdi-smallcnn" });
    expect(a!.exits.map(({ loss }) => loss)).toEqual(b!.exits.map(({ loss }) => expect.closeTo(loss, 5) as number));
  });

  it("name a corrupt file, and leave it out only if asked", async () => {
    const broken = join(folder, "broken");
    await cp(flat, broken, { recursive: true });
    const path = join(broken, className(3), "0.png");
    await writeFile(path, "no picture");
    const refused = await evaluate("--data", broken);
    expect(refused).toMatchObject({ status: 1, stdout: "" });
    expect(refused.stderr).toContain(`error: ${path}: Expected a PNG or JPEG image`);
    expect(refused.stderr).toContain("--skip-corrupt");
    const skipped = await evaluate("--data", broken, "--skip-corrupt");
    expect(skipped.status, skipped.stderr).toBe(0);
    expect(JSON.parse(skipped.stdout)).toMatchObject({ images: 20 });
    expect(skipped.stderr).toContain(`skipped ${path}: Expected a PNG or JPEG image`);
    expect(skipped.stderr).toContain("skipped 1 corrupt file; 20 images are left");
  });

  it("need as many classes as the model", async () => {
    const eleven = join(folder, "eleven");
    await cp(flat, eleven, { recursive: true });
    await cp(join(flat, className(0)), join(eleven, "k-ten"), { recursive: true });
    const { status, stdout, stderr } = await evaluate("--data", eleven);
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    expect(stderr).toContain(`${eleven}: Expected 10 folders, one a class, but received 11: a-zero, b-one`);
  });

  it("give a network to train as many classes as they have", async () => {
    const data = join(folder, "three");
    for (const label of [0, 1, 2])
      await cp(join(flat, className(label)), join(data, className(label)), { recursive: true });
    const out = join(folder, "run-three");
    const settings = ["--model", "smallcnn", "--dataset", "images", "--data", data, "--iterations", "1"];
    const trained = await rdi(
      "train",
      ...settings,
      "--attack",
      "none",
      "--batch-size",
      "2",
      "--report-images",
      "1",
      "--out",
      out,
    );
    expect(trained.status, trained.stderr).toBe(0);
    const { stdout } = await rdi("info", join(out, "model.safetensors"), "--json");
    expect(JSON.parse(stdout)).toMatchObject({ model: "smallcnn", classes: 3 });
  });

  it(
    "train, augmented, and give classes their names",
    async () => {
      const data = join(folder, "split");
      await writeDigits(join(data, "train"), "train", 60);
      await writeDigits(join(data, "test"), "test", 10);
      await writeFile(join(data, "train", className(0), "broken.png"), "no picture");
      const out = join(folder, "run");
      const settings = [
        ...["--model", "rdi-smallcnn", "--dataset", "images", "--data", data, "--skip-corrupt"],
        ...["--iterations", "2", "--batch-size", "8", "--attack", "none", "--augment-crop", "2", "--augment-flip"],
      ];
      const first = await rdi("train", ...settings, "--out", out, "--time-limit", "0", "--report-images", "1");
      expect(first.status, first.stderr).toBe(0);
      const other = await rdi("train", "--resume", ...settings, "--augment-crop", "3", "--out", out);
      expect(other.status).toBe(1);
      expect(other.stderr).toContain('augment {"crop":2,"flip":true} there and {"crop":3,"flip":true} here');
      const { status, stderr } = await rdi("train", "--resume", "--out", out, "--report-images", "1");
      expect(status, stderr).toBe(0);
      const model = join(out, "model.safetensors");
      expect(JSON.parse((await readSafetensors(model)).metadata.training!)).toMatchObject({
        config: { augment: { crop: 2, flip: true } },
        dataset: "images",
        iteration: 2,
      });
      const image = join(data, "test", className(4));
      const { stdout } = await rdi("classify", "--weights", model, image, "--json");
      const { images } = JSON.parse(stdout) as { images: { label: number; class: string }[] };
      for (const { label, class: name } of images) expect(name).toBe(className(label));
    },
    PATIENCE_MS,
  );
});
