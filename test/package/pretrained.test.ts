import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

import { average, pgd } from "../../src/attacks/index.js";
import { createBackend } from "../../src/backends/registry.js";
import { slice } from "../../src/data/dataset.js";
import { mnist } from "../../src/data/mnist.js";
import { evaluate, load } from "../../src/inference/index.js";
import { sharedPath } from "../support/shared-data.js";

const folders = readdirSync("pretrained").map((name) => join("pretrained", name));

describe.each(folders)("%s", (folder) => {
  it("is small, runs nothing at installation, and has a model card", () => {
    const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Record<string, unknown>;
    expect(manifest).not.toHaveProperty("scripts");
    expect(manifest.files).toEqual(["model.safetensors", "README.md", "LICENSE"]);
    expect(statSync(join(folder, "model.safetensors")).size).toBeLessThan(2e6);
    const card = readFileSync(join(folder, "README.md"), "utf8");
    for (const part of ["## Data", "## Recipe", "## Accuracy and cost", "## Reproduce"]) expect(card).toContain(part);
  });

  it("loads, with a policy of several exits and a record of its training", async () => {
    using backend = await createBackend();
    using net = await load(join(folder, "model.safetensors"), { backend });
    expect(net.policy.exits.length).toBeGreaterThan(1);
    expect(net.training).not.toEqual({});
  });
});

const data = sharedPath("data");

describe.skipIf(data === undefined)("rdi-smallcnn-mnist on MNIST (needs RDI_SHARED or ../shared)", () => {
  it("is as accurate, robust and cheap as its card says, on the first test images", async () => {
    using backend = await createBackend();
    using net = await load("pretrained/rdi-smallcnn-mnist/model.safetensors", { backend });
    const test = await mnist({ dir: data!, split: "test" });
    const clean = await evaluate(net, slice(test, 0, 1000), { policy: net.policy });
    const attack = average(pgd({ eps: 0.3, step: 0.01, steps: 40, seed: 0 }));
    const attacked = await evaluate(net, slice(test, 0, 200), { policy: net.policy, attack });
    expect(clean.adaptive.accuracy).toBeGreaterThan(0.98);
    expect(attacked.adaptive.accuracy).toBeGreaterThan(0.9);
    for (const { adaptive } of [clean, attacked]) expect(adaptive.saved.full).toBeGreaterThan(0.25);
  });
});
