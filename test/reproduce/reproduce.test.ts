import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { attackForm, pgd } from "../../src/attacks/index.js";
import { createBackend } from "../../src/backends/registry.js";
import type { Backend } from "../../src/backends/backend.js";
import { digits } from "../../src/data/digits.js";
import { calibrate, evaluate, lastExitPolicy, load, save } from "../../src/inference/index.js";
import { modelByName } from "../../src/models/index.js";
import { initialParams } from "../../src/nn/exit-model.js";
import { Network } from "../../src/nn/network.js";
import { markdownPage, reportPage } from "../../src/reproduce/present.js";
import type { TableSettings } from "../../src/reproduce/results.js";
import { reproduce, type ReproduceOptions } from "../../src/reproduce/run.js";
import { StateFile } from "../../src/reproduce/state.js";
import { tables } from "../../src/reproduce/tables.js";
import { findWeights, type TableRow } from "../../src/reproduce/weights.js";
import { FormatError } from "../../src/util/errors.js";

const table = tables.get("digits-smallcnn")!;
const settings: TableSettings = {
  table: table.name,
  dataset: "digits",
  calibrate: "paper",
  cleanImages: 16,
  attackedImages: 8,
  method: "pgd",
  eps: 0.3,
  step: 0.1,
  steps: 2,
  randomStart: true,
  seed: 5,
  backend: "wasm",
};
const attack = (form: string) => attackForm(form, pgd({ eps: 0.3, step: 0.1, steps: 2, seed: 5 }));
const dataset = digits({ split: "test", length: 16 });

let folder: string;
let backend: Backend;
let rows: readonly TableRow[];
const path = (name: string): string => join(folder, name);

/** Untrained weights that say that they were trained on this form. */
async function writeTrained(name: string, form: string | null, seed: number): Promise<void> {
  const model = modelByName(name);
  using net = new Network(model, backend, initialParams(model, seed));
  const training = { config: { attack: form === null ? null : { form } } };
  await save(path(`${name}-${seed}.safetensors`), net, { policy: lastExitPolicy(model), training });
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "rdi-reproduce-"));
  backend = await createBackend({ backend: "wasm", threads: 1 });
  await writeTrained("smallcnn", "average", 1);
  await writeTrained("rdi-smallcnn", "average", 2);
  await writeTrained("rdi-smallcnn", null, 3);
  rows = await findWeights(table, [{ path: folder }]);
});
afterAll(async () => {
  expect(backend.liveBytes()).toBe(0);
  backend.dispose();
  await rm(folder, { recursive: true });
});

const run = async (state: string, options: Partial<ReproduceOptions> = {}) =>
  reproduce(backend, {
    table,
    rows,
    attacks: ["main", "average", "max-average"].map(attack),
    dataset,
    state: await StateFile.open(path(state), settings),
    policyOf: (net, images) => calibrate(net, images, { rule: "paper" }),
    ...options,
  });

describe("the weights of a table", () => {
  it("are found in a folder by what they say of themselves", () => {
    expect(rows.map(({ model, defence, weights }) => [model, defence, weights])).toEqual([
      ["smallcnn", "standard", undefined],
      ["smallcnn", "main", path("smallcnn-1.safetensors")],
      ["rdi-smallcnn", "standard", path("rdi-smallcnn-3.safetensors")],
      ["rdi-smallcnn", "main", undefined],
      ["rdi-smallcnn", "average", path("rdi-smallcnn-2.safetensors")],
      ["rdi-smallcnn", "max-average", undefined],
    ]);
  });

  it("may be assigned by name, and get a row of their own where the table has none for them", async () => {
    const source = { path: path("rdi-smallcnn-2.safetensors") };
    const given = await findWeights(table, [
      { ...source, network: "rdi-smallcnn/max-average" },
      { ...source, network: "rdi-smallcnn/single:2" },
    ]);
    expect(given.slice(-2)).toEqual([
      { model: "rdi-smallcnn", defence: "max-average", weights: source.path },
      { model: "rdi-smallcnn", defence: "single:2", weights: source.path },
    ]);
  });

  it("must be of the table's networks, one file a row", async () => {
    const source = { path: path("rdi-smallcnn-2.safetensors") };
    await expect(findWeights(table, [source, source])).rejects.toThrow("Expected one file for rdi-smallcnn/average");
    await expect(findWeights(table, [{ ...source, network: "smallcnn" }])).rejects.toThrow(
      "Expected weights of smallcnn",
    );
    await expect(findWeights(tables.get("cifar10-resnet38")!, [source])).rejects.toThrow("as in cifar10-resnet38");
    await expect(findWeights(table, [{ path: path("none") }])).rejects.toThrow(FormatError);
  });
});

describe("a table", () => {
  it("has what evaluate says of each network and attack, and says what is missing", async () => {
    const result = await run("whole.json");
    expect(result.networks[0]!.cells).toEqual(["clean", "main"].map((form) => ({ form, missing: "no weights" })));
    const average = result.networks[4]!;
    using net = await load(path("rdi-smallcnn-2.safetensors"), { backend });
    const policy = await calibrate(net, dataset, { rule: "paper" });
    expect(average.policy).toEqual(policy);
    const { adaptive } = await evaluate(net, digits({ split: "test", length: 8 }), {
      policy,
      attack: attack("max-average"),
    });
    const { accuracy, macs, saved } = adaptive;
    expect(average.cells.at(-1)).toMatchObject({ form: "max-average", images: 8, accuracy, macs, saved });
    expect(result.networks[1]!.cells.map(({ form }) => form)).toEqual(["clean", "main"]);
  });

  it("stopped in a cell and run again is the same, and nothing is measured twice", async () => {
    const controller = new AbortController();
    const seen: string[] = [];
    const stopped = await run("parts.json", {
      signal: controller.signal,
      onProgress: (_done, _total, detail) => {
        seen.push(detail);
        if (detail === "rdi-smallcnn/standard: average") controller.abort();
      },
    });
    const cells = stopped.networks.flatMap((network) => network.cells);
    expect(cells.filter((cell) => "missing" in cell && cell.missing === "not yet run").length).toBeGreaterThan(3);

    const [before] = [seen.splice(0)];
    const whole = await run("parts.json", { onProgress: (_done, _total, detail) => void seen.push(detail) });
    expect(JSON.stringify(whole)).toBe(JSON.stringify(await run("whole.json")));
    const repeated = seen.filter((detail) => before.includes(detail));
    expect(repeated.filter((detail) => detail !== "rdi-smallcnn/standard: average")).toEqual([]);
    expect(await run("parts.json", { onProgress: () => expect.unreachable("all is measured") })).toEqual(whole);
  });

  it("refuses to go on with other settings or weights, by name", async () => {
    await run("refusing.json", { rows: rows.slice(0, 2) });
    const other = StateFile.open(path("refusing.json"), { ...settings, steps: 3, cleanImages: 4 });
    await expect(other).rejects.toThrow("cleanImages 16 there and 4 here; steps 2 there and 3 here");
    const swapped = [{ ...rows[1]!, weights: path("rdi-smallcnn-2.safetensors") }];
    await expect(run("refusing.json", { rows: swapped })).rejects.toThrow("Expected the weights of smallcnn/main");
    const text = await readFile(path("refusing.json"), "utf8");
    await writeFile(path("refusing.json"), text.slice(0, -20));
    await expect(run("refusing.json")).rejects.toThrow(FormatError);
  });

  it("shows the settings beside each figure, in Markdown and HTML", async () => {
    const result = await run("whole.json");
    const markdown = markdownPage(result);
    const line = markdown.split("\n").find((text) => /rdi-smallcnn +\| average +\| PGD max-average/.test(text));
    expect(line).toMatch(
      /16 clean images; 8 attacked images; ε 0.3, α 0.1, 2 steps, random start of seed 5; rdi-net \d.*exits 1 2 3 at .*weights [0-9a-f]{12}/,
    );
    expect(markdown).toMatch(/smallcnn +\| standard +\| PGD main +\| +– \| +– \|.*missing: no weights/);
    const page = reportPage(result, []);
    for (const text of ["ε 0.3, α 0.1, 2 steps", "missing: no weights", "chosen on the test images themselves"])
      expect(page).toContain(text);
  });
});
