import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { describeCli, rdi, start, temporaryFolder, writeWeights } from "./rdi.js";

/** Runs of several commands take their time where the cores are busy. */
const PATIENCE_MS = 180_000;
const TABLE = ["reproduce", "digits-smallcnn", "--threads", "1", "--limit", "20", "--steps", "2"];

let folder: string;
let preset: string;
beforeAll(async () => {
  folder = await temporaryFolder();
  preset = join(folder, "quick.json");
  const quick = ["--iterations", "3", "--batch-size", "8", "--steps", "1", "--validation", "0.001"];
  const { status, stderr } = await rdi("train", "--preset", "digits-smallcnn", ...quick, "--save-preset", preset);
  expect(status, stderr).toBe(0);
});

describeCli("reproduce", () => {
  it("lists the tables", async () => {
    const { stdout } = await rdi("reproduce");
    for (const name of ["mnist-smallcnn", "cifar10-resnet38", "cifar10-mobilenetv2-wrm", "cifar10-resnet38-authors"])
      expect(stdout).toContain(name);
  });

  it(
    "trains what is missing, and stopped by Ctrl-C and run again gives the same",
    async () => {
      const train = ["--train", "--preset", preset, "--only", "smallcnn/main,rdi-smallcnn/average"];
      const [whole, parts] = [join(folder, "whole"), join(folder, "parts")];
      const first = await rdi(...TABLE, ...train, "--out", whole, "--json");
      expect(first.status, first.stderr).toBe(0);
      const result = JSON.parse(first.stdout) as { networks: { cells: object[] }[] };
      expect(result.networks.map(({ cells }) => cells.length)).toEqual([2, 4]);
      expect(result).toEqual(JSON.parse(await readFile(join(whole, "results.json"), "utf8")));
      for (const file of ["results.md", "report.html", "rdi-smallcnn/average/model.safetensors"])
        expect((await stat(join(whole, file))).size).toBeGreaterThan(0);

      const running = start(...TABLE, ...train, "--out", parts);
      while (!running.stderr.includes("Training smallcnn/main: 1/3")) await new Promise((wake) => setTimeout(wake, 5));
      running.process.kill("SIGINT");
      const { status, stderr } = await running.ended;
      expect(status, stderr).toBe(130);
      expect(stderr).toContain("The same command goes on from there");
      const again = await rdi(...TABLE, ...train, "--out", parts, "--json");
      expect(again.status, again.stderr).toBe(0);
      const timeless = (text: string): unknown =>
        JSON.parse(text, (key, value: unknown) => (key === "sha256" ? undefined : value));
      expect(timeless(again.stdout)).toEqual(timeless(first.stdout));
    },
    PATIENCE_MS,
  );

  it(
    "takes weights that do not say how they were trained, and no others for figures that it has",
    async () => {
      const [weights, out] = [join(folder, "given.safetensors"), join(folder, "given")];
      await writeWeights(weights);
      const given = ["--weights", `rdi-smallcnn/max-average=${weights}`, "--only", "rdi-smallcnn/max-average"];
      const { status, stdout, stderr } = await rdi(...TABLE, ...given, "--forms", "single:2", "--out", out);
      expect(status, stderr).toBe(0);
      expect(stdout).toMatch(/rdi-smallcnn +│ max-average +│ PGD single\(2\)/);
      const other = await rdi(...TABLE, ...given, "--calibrate", "weights", "--out", out);
      expect(other.status).toBe(1);
      expect(other.stderr).toContain('calibrate "paper" there and "weights" here');
    },
    PATIENCE_MS,
  );
});
