import { expect, it } from "vitest";
import { z } from "zod";
import { describeCli, rdi } from "./rdi.js";

const report = z.strictObject({
  model: z.literal("rdi-smallcnn"),
  rows: z.array(
    z.strictObject({
      work: z.enum(["forward", "pgd-step", "training-step"]),
      batch: z.int(),
      backend: z.literal("wasm"),
      instructionSet: z.string(),
      threads: z.int(),
      rate: z.number().positive(),
      spread: z.number().nonnegative(),
      ratio: z.number().positive(),
    }),
  ),
});

describeCli("bench", () => {
  it("times every work with every batch on every engine, the first of them as 1", async () => {
    const few = ["--batch", "1,3", "--threads", "1,2", "--rounds", "2", "--seconds", "0"];
    const { status, stdout } = await rdi("bench", "rdi-smallcnn", "--backend", "wasm", ...few, "--json");
    expect(status).toBe(0);
    const { rows } = report.parse(JSON.parse(stdout));
    const expected = ["forward", "pgd-step", "training-step"].flatMap((work) =>
      [1, 3].flatMap((batch) => [1, 2].map((threads) => ({ work, batch, threads }))),
    );
    expect(rows).toMatchObject(expected);
    for (const { threads, ratio } of rows) if (threads === 1) expect(ratio).toBe(1);
  });

  it.each([
    [["rdi-smallcn"], "Expected a model (rdi-smallcnn"],
    [["--work", "forward,sleep"], 'Expected some of forward, pgd-step, training-step but received "sleep"'],
    [["--backend", "wasm,gpu"], 'Expected a backend (cuda, cpu, wasm, reference) but received "gpu"'],
    [["--batch", "0"], 'Expected an integer of at least 1 but received "0"'],
  ])("refuses %j with status 2", async (args, message) => {
    const { status, stdout, stderr } = await rdi("bench", ...args);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toContain(message);
  });
});
