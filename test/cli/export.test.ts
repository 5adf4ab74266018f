import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { readBatch } from "../../src/data/dataset.js";
import { digits } from "../../src/data/digits.js";
import { load } from "../../src/inference/index.js";
import { createBackend } from "../../src/backends/registry.js";
import { classifyBySegments } from "../support/onnx-segments.js";
import { OnnxSession } from "../support/onnxruntime.js";
import { describeCli, rdi, temporaryFolder, writeWeights } from "./rdi.js";

const port = z.strictObject({ name: z.string(), shape: z.array(z.union([z.int(), z.literal("N")])) });
const result = z.strictObject({
  model: z.literal("rdi-smallcnn"),
  weights: z.string(),
  opset: z.int(),
  policy: z.strictObject({ exits: z.array(z.int()), thresholds: z.array(z.number()) }),
  files: z.array(z.strictObject({ file: z.string(), bytes: z.int(), inputs: z.array(port), outputs: z.array(port) })),
  policyFile: z.string().optional(),
});

let folder: string;
let weights: string;
beforeAll(async () => {
  folder = await temporaryFolder();
  weights = join(folder, "weights.safetensors");
  await writeWeights(weights);
});

describeCli("export", () => {
  it("writes one model with every exit an output", async () => {
    const out = join(folder, "model.onnx");
    const { status, stdout } = await rdi("export", "--weights", weights, "--out", out, "--opset", "13", "--json");
    expect(status).toBe(0);
    const { files, opset } = result.parse(JSON.parse(stdout));
    expect(opset).toBe(13);
    expect(files).toMatchObject([{ file: out, inputs: [{ name: "images", shape: ["N", 1, 28, 28] }] }]);
    await using session = await OnnxSession.open(await readFile(out));
    expect(session.outputs).toEqual(
      [1, 2, 3].flatMap((i) => [`exit${i}.logits`, `exit${i}.probabilities`, `exit${i}.entropy`]),
    );
  });

  it.each([
    ["asked for", ["--segments"], ""],
    ["for a folder", [], "/"],
  ])("writes segments %s, from which digits leave where they do here", async (what, options, end) => {
    const out = join(folder, `segments ${what}`);
    const { status, stdout } = await rdi("export", "--weights", weights, "--out", out + end, ...options, "--json");
    expect(status).toBe(0);
    expect(result.parse(JSON.parse(stdout)).policyFile).toBe(join(out, "policy.json"));
    const count = 20;
    const { images } = readBatch(
      digits({ split: "test", length: count }),
      Uint32Array.from({ length: count }, (_, i) => i),
    );
    using backend = await createBackend({ threads: 1 });
    using net = await load(weights, { backend });
    const expected = (await net.classify(images)).map(({ exit }) => exit);
    expect((await classifyBySegments(out, images, count)).map(({ exit }) => exit)).toEqual(expected);
    expect(new Set(expected).size).toBeGreaterThan(1);
  });

  it("tells people what it has written, and how to get early exits", async () => {
    const single = join(folder, "single.safetensors");
    await writeWeights(single, { exits: [3], thresholds: [] });
    const { status, stdout } = await rdi("export", "--weights", single, "--out", join(folder, "text"), "--segments");
    expect(status).toBe(0);
    expect(stdout).toContain("exit3.onnx");
    expect(stdout).toContain("images N×1×28×28");
    expect(stdout).toContain("has no early exit: choose thresholds with rdi calibrate");
  });

  it("replaces files only with --force", async () => {
    const out = join(folder, "there.onnx");
    const segments = join(folder, "there");
    await writeFile(out, "mine");
    await mkdir(segments);
    await writeFile(join(segments, "policy.json"), "mine");
    for (const [path, file] of [
      [out, out],
      [segments, join(segments, "policy.json")],
    ] as const) {
      const refused = await rdi("export", "--weights", weights, "--out", path);
      expect(refused).toMatchObject({ status: 1, stdout: "" });
      expect(refused.stderr).toContain(`Expected no file at ${file} but found one; give --force`);
      expect(await readFile(file, "utf8")).toBe("mine");
      expect((await rdi("export", "--weights", weights, "--out", path, "--force")).status).toBe(0);
      expect(await readFile(file, "utf8")).not.toBe("mine");
    }
  });

  describe("refuses", () => {
    it.each([
      ["an opset of long ago", ["--opset", "9"], 2, "Expected an integer in 13 … 22"],
      [
        "segments into one file",
        ["--out", "model.onnx", "--segments"],
        2,
        "Expected a folder for --out with --segments",
      ],
      ["a model without weights", ["--weights", "rdi-smallcnn"], 2, "received the name of a model"],
      ["weights that are not there", ["--weights", "none.safetensors"], 1, "no such file"],
      ["a folder that cannot be made", ["--out", "/proc/none/model.onnx"], 1, "Cannot make the folder /proc/none"],
      ["a file in the folder's place", ["--out", "package.json/model.onnx"], 1, "Cannot make the folder"],
    ])("%s", async (_what, options, status, message) => {
      const out = join(folder, "refused.onnx");
      // Of options that are given twice the last counts.
      const outcome = await rdi("export", "--weights", weights, "--out", out, ...options);
      expect(outcome).toMatchObject({ status, stdout: "" });
      expect(outcome.stderr).toContain(message);
      await expect(readFile(out)).rejects.toThrow("ENOENT");
    });

    it("a file that holds no weights", async () => {
      const path = join(folder, "text.safetensors");
      await writeFile(path, "no weights here");
      const { status, stderr } = await rdi("export", "--weights", path, "--out", join(folder, "refused.onnx"));
      expect(status).toBe(1);
      expect(stderr).toContain(`error: ${path}: Expected`);
    });
  });
});
