import { readFile, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { z } from "zod";
import { readSafetensors, writeSafetensors } from "../../src/formats/safetensors.js";
import { describeCli, rdi, temporaryFolder, writeWeights } from "./rdi.js";

const macs = z.strictObject({ paper: z.number(), full: z.number() });
const fraction = z.number().min(0).max(1);
const attack = z.strictObject({
  method: z.string(),
  form: z.string(),
  exits: z.array(z.int()).optional(),
  norm: z.enum(["linf", "l2"]).optional(),
  eps: z.number(),
  step: z.number(),
  steps: z.int(),
  randomStart: z.boolean(),
  seed: z.int(),
  queries: z.strictObject({ mean: z.number(), most: z.int() }).optional(),
});
const evaluation = z.strictObject({
  model: z.literal("rdi-smallcnn"),
  dataset: z.literal("digits"),
  images: z.int(),
  backend: z.enum(["cpu", "wasm"]),
  threads: z.literal(1),
  attack: attack.extend({ members: z.array(attack).optional() }).nullable(),
  exits: z
    .array(z.strictObject({ exit: z.int(), accuracy: fraction, loss: z.number(), share: fraction, macs }))
    .length(3),
  adaptive: z.strictObject({
    accuracy: fraction,
    macs,
    saved: z.strictObject({ paper: z.number(), full: z.number() }),
    thresholds: z.array(z.number()).length(2),
    worst: z
      .strictObject({
        accuracy: fraction,
        macs,
        saved: z.strictObject({ paper: z.number(), full: z.number() }),
        lastExit: fraction,
      })
      .optional(),
  }),
  warnings: z.array(z.string()),
  seconds: z.number(),
});

let folder: string;
let weights: string;
beforeAll(async () => {
  folder = await temporaryFolder();
  weights = join(folder, "weights.safetensors");
  await writeWeights(weights);
});

function evaluate(...args: string[]): ReturnType<typeof rdi> {
  return rdi(
    "evaluate",
    "--weights",
    weights,
    "--dataset",
    "digits",
    "--limit",
    "12",
    "--threads",
    "1",
    "--json",
    ...args,
  );
}

describeCli("evaluate", () => {
  it("prints one JSON object of the documented form", async () => {
    const { status, stdout } = await evaluate();
    expect(status).toBe(0);
    const result = evaluation.parse(JSON.parse(stdout));
    expect(result).toMatchObject({ images: 12, attack: null, adaptive: { thresholds: [2.295, 2.295] } });
    expect(result.exits.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1);
  });

  it.each([
    [
      ["--attack", "pgd", "--steps", "2"],
      { method: "pgd", form: "average", norm: "linf", eps: 0.3, step: 0.01, steps: 2, randomStart: true, seed: 0 },
    ],
    [
      [
        "--attack",
        "pgd",
        "--form",
        "max-average",
        "--eps",
        "8/255",
        "--step",
        "2/255",
        "--steps",
        "1",
        "--no-random-start",
        "--seed",
        "7",
      ],
      {
        method: "pgd",
        form: "max-average",
        norm: "linf",
        eps: 8 / 255,
        step: 2 / 255,
        steps: 1,
        randomStart: false,
        seed: 7,
      },
    ],
    [
      ["--attack", "fgsm", "--form", "single:1"],
      { method: "fgsm", form: "single:1", norm: "linf", eps: 0.3, step: 0.3, steps: 1, randomStart: false, seed: 0 },
    ],
    [
      ["--attack", "wrm", "--form", "main", "--steps", "2"],
      { method: "wrm", form: "main", eps: 0.3, step: 0, steps: 2, randomStart: true, seed: 0 },
    ],
    [
      ["--attack", "apgd-dlr", "--norm", "l2", "--eps", "2", "--steps", "3", "--aim", "active"],
      {
        method: "apgd-dlr",
        form: "average",
        exits: [1, 2, 3],
        norm: "l2",
        eps: 2,
        step: 0,
        steps: 3,
        randomStart: true,
        seed: 0,
      },
    ],
  ])("attacks by %j", async (args, attack) => {
    const { status, stdout } = await evaluate(...args);
    expect(status).toBe(0);
    expect(evaluation.parse(JSON.parse(stdout)).attack).toEqual(attack);
  });

  it("reports the worst case of the standard ensemble, by accuracy and by cost", async () => {
    const { status, stdout } = await evaluate("--attack", "ensemble", "--steps", "2", "--queries", "3", "--limit", "4");
    expect(status).toBe(0);
    const { attack: report, adaptive } = evaluation.parse(JSON.parse(stdout));
    expect(report).toMatchObject({ method: "ensemble", form: "worst-case", exits: [1, 2, 3], steps: 3 });
    expect(report!.members!.map(({ method, form }) => `${method} ${form}`)).toEqual([
      "apgd-ce average",
      "apgd-dlr average",
      "square average",
      "pgd max-average",
      "pgd slowdown",
    ]);
    expect(adaptive.worst!.accuracy).toBe(adaptive.accuracy);
  });

  it.each([
    [["--attack", "ensemble", "--form", "main"], "Expected no --form with --attack ensemble"],
    [["--attack", "ensemble", "--no-random-start"], "Expected no --no-random-start with --attack ensemble"],
    [["--attack", "fgsm", "--steps", "3"], "Expected no --steps with --attack fgsm"],
    [["--eps", "0.1"], "Expected no --eps with --attack none"],
    [["--attack", "pgd", "--norm", "l2"], "Expected --eps with --norm l2"],
    [["--attack", "square", "--norm", "l2", "--eps", "1"], "Expected linf for the norm of square"],
    [["--attack", "apgd-dlr", "--form", "slowdown"], "for slowdown"],
  ])("refuses %j", async (args, message) => {
    const { status, stdout, stderr } = await evaluate(...args);
    expect([status, stdout]).toEqual([2, ""]);
    expect(stderr).toContain(message);
  });

  it("prints a table for people, and progress on stderr", async () => {
    const { status, stdout, stderr } = await rdi(
      "evaluate",
      "--weights",
      weights,
      "--dataset",
      "digits",
      "--limit",
      "4",
    );
    expect(status).toBe(0);
    expect(stdout).toMatch(/exit 3[^]*adaptive[^]*Saved against the plain backbone/);
    expect(stderr).toContain("Evaluating: 4/4");
  });

  it("refuses a form that names an exit the model has not, naming those that it has", async () => {
    const { status, stdout, stderr } = await evaluate("--attack", "pgd", "--form", "single:9");
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toContain("(single:1, single:2, single:3)");
  });

  it("calibrates as it is told, and reads what calibrate has written", async () => {
    const file = join(folder, "thresholds.json");
    const calibrated = await rdi(
      "calibrate",
      "--weights",
      weights,
      "--dataset",
      "digits",
      "--limit",
      "30",
      "--out",
      file,
      "--json",
    );
    expect(calibrated.status).toBe(0);
    const { policy, exits } = JSON.parse(calibrated.stdout) as {
      policy: { thresholds: number[] };
      exits: { share: number }[];
    };
    expect(JSON.parse(await readFile(file, "utf8"))).toEqual(policy);
    for (const { share } of exits) expect(share).toBeCloseTo(1 / 3);
    const read = evaluation.parse(JSON.parse((await evaluate("--calibrate", file)).stdout));
    expect(read.adaptive.thresholds).toEqual(policy.thresholds);
    const paper = evaluation.parse(JSON.parse((await evaluate("--calibrate", "paper")).stdout));
    for (const { share } of paper.exits) expect(share).toBeCloseTo(1 / 3);
  });

  it("writes calibrated thresholds into a copy of the weights", async () => {
    const copy = join(folder, "copy.safetensors");
    const { status } = await rdi(
      "calibrate",
      "--weights",
      weights,
      "--dataset",
      "digits",
      "--limit",
      "9",
      "--out",
      copy,
    );
    expect(status).toBe(0);
    const [before, after] = [await readSafetensors(weights), await readSafetensors(copy)];
    expect(after.tensors).toEqual(before.tensors);
    expect(after.metadata.policy).not.toBe(before.metadata.policy);
  });
});

describeCli("calibrate for an objective", () => {
  const calibrate = (...args: string[]) =>
    rdi("calibrate", "--weights", weights, "--dataset", "digits", "--limit", "40", "--threads", "1", ...args);

  it("writes a policy, and a page and a list of the frontier that it is part of", async () => {
    const [out, report] = [join(folder, "optimal.json"), join(folder, "frontier.html")];
    const attack = ["--attack", "pgd", "--steps", "2", "--attack-limit", "10", "--mix", "0.3"];
    const { status, stdout } = await calibrate("--save", "0.3", ...attack, "--out", out, "--report", report, "--json");
    expect(status).toBe(0);
    const result = JSON.parse(stdout) as {
      rule: string;
      policy: { exits: number[] };
      attacked: { images: number; attack: { exits: number[] } };
      frontier: { exits: number[]; thresholds: number[]; accuracy: number; attackedAccuracy: number }[];
    };
    expect(result.rule).toBe("optimal");
    expect(result.attacked).toMatchObject({ images: 10, attack: { exits: result.policy.exits } });
    const policies = result.frontier.map(({ exits, thresholds }) => ({ exits, thresholds }));
    expect(policies).toContainEqual(result.policy);
    expect(JSON.parse(await readFile(out, "utf8"))).toEqual(result.policy);
    expect(await readFile(report, "utf8")).toMatch(
      /clean, heads and thresholds chosen[^]*attacked, all heads, equal shares/,
    );
    expect((await evaluate("--calibrate", out)).status).toBe(0);
  });

  it.each([
    [["--save", "0.3", "--split", "test"], "Expected held-out images for --rule optimal"],
    [["--rule", "optimal"], "Expected one of --save, --max-macs, --min-accuracy with --rule optimal but received none"],
    [["--save", "0.3", "--min-accuracy", "0.5"], "received --save and --min-accuracy"],
    [["--rule", "equal", "--save", "0.3"], "Expected --rule optimal for --save"],
    [["--save", "0.3", "--mix", "0.5"], "Expected --attack"],
    [["--report", "page.html"], "Expected --rule optimal for --report"],
  ])("refuses %j", async (args, message) => {
    const { status, stderr } = await calibrate("--out", join(folder, "never.json"), ...args);
    expect(status).toBe(2);
    expect(stderr).toContain(message);
  });

  it("names the budgets that can be kept", async () => {
    const { status, stderr } = await calibrate("--max-macs", "0.01", "--out", join(folder, "never.json"));
    expect(status).toBe(1);
    expect(stderr).toMatch(/Expected a budget that a policy can keep, \d+\.\d\d million/);
  });
});

describeCli("weights that are no good", () => {
  const bad = () => join(folder, "bad.safetensors");

  /** The weights file with one tensor changed, or left out. */
  async function changed(name: string, change: (data: Float32Array) => Float32Array | undefined): Promise<void> {
    const { tensors, metadata } = await readSafetensors(weights);
    const tensor = tensors.get(name)!;
    const data = change((tensor.data as Float32Array).slice());
    if (data === undefined) tensors.delete(name);
    else
      tensors.set(name, {
        dtype: "F32",
        shape: data.length === tensor.data.length ? tensor.shape : [data.length],
        data,
      });
    await writeSafetensors(bad(), tensors, metadata);
  }

  it.each<[string, string, () => Promise<void>]>([
    ["missing", "no such file", () => Promise.resolve()],
    ["no safetensors", "header", () => writeFile(bad(), "these are no weights, whatever the name says")],
    ["truncated", "truncated", async () => (await writeFile(bad(), await readFile(weights)), truncate(bad(), 5000))],
    ["short of a weight", "conv1.bias", () => changed("conv1.bias", () => undefined)],
    ["misshapen", "conv1.bias", () => changed("conv1.bias", (data) => data.slice(1))],
    ["not finite", "NaN", () => changed("conv1.bias", (data) => data.fill(NaN))],
  ])("%s", async (_name, message, make) => {
    await make();
    const { status, stdout, stderr } = await rdi("evaluate", "--weights", bad(), "--dataset", "digits", "--limit", "4");
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    expect(stderr).toMatch(new RegExp(`^error: ${bad()}: .*${message}`));
    expect(stderr).not.toContain("    at ");
  });
});

describeCli("attack", () => {
  it("writes the images before and after, their labels, and of max-average the exit attacked", async () => {
    const out = join(folder, "adversarial.safetensors");
    const options = [
      "--limit",
      "6",
      "--offset",
      "3",
      "--form",
      "max-average",
      "--steps",
      "2",
      "--eps",
      "0.1",
      "--json",
    ];
    const { status, stdout } = await rdi(
      "attack",
      "--weights",
      weights,
      "--dataset",
      "digits",
      "--out",
      out,
      ...options,
    );
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      images: 6,
      attack: { method: "pgd", form: "max-average", steps: 2 },
      out,
    });
    const { tensors } = await readSafetensors(out);
    const described = [...tensors].map(([name, { dtype, shape }]) => [name, dtype, shape]);
    expect(described.sort()).toEqual([
      ["chosen", "I32", [6]],
      ["x", "F32", [6, 1, 28, 28]],
      ["x_adv", "F32", [6, 1, 28, 28]],
      ["y", "I32", [6]],
    ]);
    const [x, adversarial] = [tensors.get("x")!.data as Float32Array, tensors.get("x_adv")!.data as Float32Array];
    const change = x.map((value, i) => Math.abs(adversarial[i]! - value));
    expect(Math.max(...change)).toBeGreaterThan(0.05);
    expect(Math.max(...change)).toBeLessThanOrEqual(0.1 + 1e-6);
    expect(Math.min(...adversarial)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...adversarial)).toBeLessThanOrEqual(1);
  });

  it("finds out before it begins that it cannot write", async () => {
    const { status, stderr } = await rdi(
      "attack",
      "--weights",
      weights,
      "--dataset",
      "digits",
      "--out",
      join(weights, "x.safetensors"),
    );
    expect(status).toBe(1);
    expect(stderr).toMatch(/^error: Cannot make the folder [^\n]*\n$/);
  });

  it("refuses a folder as the file", async () => {
    const { status, stderr } = await rdi("attack", "--weights", weights, "--dataset", "digits", "--out", folder);
    expect(status).toBe(1);
    expect(stderr).toContain("there is a folder of that name");
  });
});
