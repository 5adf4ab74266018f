import { stat } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { z } from "zod";
import { describeCli, rdi, temporaryFolder } from "./rdi.js";

const ledgers = z.strictObject({ paper: z.number(), full: z.number() });
const result = z.strictObject({
  seconds: z.number(),
  rows: z.array(
    z.strictObject({
      model: z.enum(["smallcnn", "rdi-smallcnn"]),
      attack: z.enum(["none", "pgd", "fgsm", "wrm"]),
      form: z.string(),
      accuracy: z.number().min(0).max(1),
      macs: ledgers,
      saved: ledgers,
    }),
  ),
});

describeCli("quickstart", () => {
  it("trains, attacks and reports both networks", async () => {
    const out = join(await temporaryFolder(), "quickstart");
    const { status, stdout, stderr } = await rdi("quickstart", "--epochs", "small", "--out", out, "--json");
    expect(status, stderr).toBe(0);
    const { rows } = result.parse(JSON.parse(stdout));
    const namesOf = (model: string): string[] =>
      rows.filter((row) => row.model === model).map(({ attack, form }) => `${attack} ${form}`);
    expect(namesOf("smallcnn")).toEqual(["none none", "pgd main", "fgsm main", "wrm main"]);
    expect(namesOf("rdi-smallcnn")).toEqual([
      "none none",
      ...["single:1", "single:2", "main", "average", "max-average"].map((form) => `pgd ${form}`),
      "fgsm average",
      "wrm average",
    ]);
    for (const row of rows.filter(({ model }) => model === "smallcnn"))
      expect(row.saved).toEqual({ paper: 0, full: 0 });
    for (const file of ["report.html", "smallcnn/model.safetensors", "rdi-smallcnn/model.safetensors"]) {
      expect((await stat(join(out, file))).size).toBeGreaterThan(0);
    }
  }, 180_000);
});
