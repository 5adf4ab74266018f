import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { z } from "zod";
import { readSafetensors } from "../../src/formats/safetensors.js";
import { describeCli, rdi, start, temporaryFolder, type Running } from "./rdi.js";

/** Runs of several commands take their time where the cores are busy. */
const PATIENCE_MS = 180_000;
const ITERATIONS = 12;
const SETTINGS = [
  "--model",
  "rdi-smallcnn",
  "--dataset",
  "digits",
  "--iterations",
  String(ITERATIONS),
  "--batch-size",
  "8",
];
const TINY = [
  ...SETTINGS,
  "--steps",
  "1",
  "--step",
  "0.3",
  "--log-every",
  "1",
  "--report-images",
  "2",
  "--threads",
  "1",
];

let folder: string;
let whole: string;
beforeAll(async () => {
  folder = await temporaryFolder();
  whole = join(folder, "whole");
});

/** The weights of a run's model, whatever its metadata say of times. */
async function trainedWeights(run: string): Promise<unknown> {
  return (await readSafetensors(join(run, "model.safetensors"))).tensors;
}

async function untilTrains(running: Running): Promise<void> {
  while (!/Training rdi-smallcnn: \d/.test(running.stderr)) await new Promise((wake) => setTimeout(wake, 20));
}

describeCli("train", () => {
  it("writes the model, the log, the checkpoint and the report", async () => {
    const { status, stdout, stderr } = await rdi("train", ...TINY, "--out", whole, "--json");
    expect(status, stderr).toBe(0);
    const macs = z.object({ paper: z.number(), full: z.number() });
    const row = z.object({
      model: z.string(),
      attack: z.string(),
      form: z.string(),
      accuracy: z.number(),
      macs,
      saved: macs,
    });
    const result = z
      .object({
        stopped: z.literal("finished"),
        iteration: z.literal(ITERATIONS),
        rows: z.array(row),
        files: z.record(z.string(), z.string()),
      })
      .parse(JSON.parse(stdout));
    expect(result.rows.map(({ form }) => form)).toEqual([
      "none",
      "single:1",
      "single:2",
      "main",
      "average",
      "max-average",
    ]);
    for (const file of Object.values(result.files)) expect((await stat(file)).size).toBeGreaterThan(0);
    expect((await readFile(join(whole, "log.jsonl"), "utf8")).trim().split("\n")).toHaveLength(ITERATIONS);
    expect(await readFile(join(whole, "report.html"), "utf8")).toContain("max-average");
  });

  it(
    "keeps a checkpoint on Ctrl-C, and resumed gives the same weights",
    async () => {
      const out = join(folder, "interrupted");
      const running = start("train", ...TINY, "--out", out);
      await untilTrains(running);
      running.process.kill("SIGINT");
      const { status, stdout, stderr } = await running.ended;
      expect({ status, stdout }).toEqual({ status: 130, stdout: "" });
      expect(stderr).toContain(`Go on with: rdi train --resume --out ${out}`);

      const again = await rdi("train", ...TINY, "--out", out);
      expect(again.status).toBe(1);
      expect(again.stderr).toContain("unfinished run");
      const other = await rdi("train", "--resume", "--out", out, ...TINY, "--lr", "0.5");
      expect(other.status).toBe(1);
      expect(other.stderr).toContain("learningRate 0.033 there and 0.5 here");

      const resumed = await rdi("train", "--resume", "--out", out, "--report-images", "1");
      expect(resumed.status, resumed.stderr).toBe(0);
      expect(await trainedWeights(out)).toEqual(await trainedWeights(whole));
    },
    PATIENCE_MS,
  );

  it(
    "survives a kill: the checkpoint is whole",
    async () => {
      const out = join(folder, "killed");
      const running = start("train", ...TINY, "--out", out, "--checkpoint-every", "1");
      await untilTrains(running);
      running.process.kill("SIGKILL");
      await running.ended;
      const resumed = await rdi("train", "--resume", "--out", out, "--report-images", "1");
      expect(resumed.status, resumed.stderr).toBe(0);
      expect(await trainedWeights(out)).toEqual(await trainedWeights(whole));
    },
    PATIENCE_MS,
  );

  it("stops at its time limit with a model", async () => {
    const out = join(folder, "limited");
    const { status, stdout, stderr } = await rdi("train", ...TINY, "--out", out, "--time-limit", "0", "--json");
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ stopped: "time limit", iteration: 0 });
    expect(stderr).toContain(`rdi train --resume --out ${out}`);
  });

  it("finds out before it begins that it cannot write", async () => {
    const file = join(folder, "file");
    await writeFile(file, "");
    const { status, stderr } = await rdi("train", ...TINY, "--out", file);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^error: Cannot make the folder [^\n]*\n$/);
  });

  it("has nothing to resume in another folder", async () => {
    const { status, stderr } = await rdi("train", "--resume", "--out", folder);
    expect(status).toBe(1);
    expect(stderr).toContain("Expected the settings of a training run to resume but received no such file");
  });
});
