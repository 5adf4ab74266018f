import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { layerRows } from "../../src/cli/layer-rows.js";
import { modelLayers, parameterCount } from "../../src/cli/model-layers.js";
import { readSafetensors, writeSafetensors } from "../../src/formats/safetensors.js";
import { costOfExits } from "../../src/nn/exit-model.js";
import { residualModel } from "../support/residual.js";
import { describeCli, rdi, temporaryFolder, writeWeights } from "./rdi.js";

const macs = z.strictObject({ paper: z.number(), full: z.number() });
const modelInfo = {
  model: z.literal("rdi-smallcnn"),
  inputShape: z.array(z.int()),
  classes: z.int(),
  parameters: z.int(),
  backbone: z.strictObject({ model: z.literal("smallcnn"), macs }),
  layers: z.array(
    z.strictObject({
      name: z.string(),
      op: z.string(),
      kind: z.string(),
      exit: z.int(),
      part: z.enum(["trunk", "head"]),
      shape: z.array(z.int()),
      parameters: z.int(),
      macs: z.int(),
    }),
  ),
};
const ofModel = z.strictObject({ ...modelInfo, exits: z.array(z.strictObject({ exit: z.int(), macs })) });
const ofFile = z.strictObject({
  ...modelInfo,
  exits: z.array(
    z.strictObject({
      exit: z.int(),
      macs,
      policy: z.strictObject({ active: z.boolean(), macs, threshold: z.number().optional() }),
    }),
  ),
  file: z.string(),
  metadata: z.record(z.string(), z.unknown()),
  tensors: z.array(z.strictObject({ name: z.string(), dtype: z.string(), shape: z.array(z.int()) })),
  mismatch: z.string().optional(),
});

describeCli("info of a model", () => {
  it("gives layers with shapes, parameters, and the cost of each exit in both ledgers", async () => {
    const { status, stdout } = await rdi("info", "rdi-smallcnn", "--json");
    expect(status).toBe(0);
    const info = ofModel.parse(JSON.parse(stdout));
    expect(info.layers.reduce((sum, layer) => sum + layer.parameters, 0)).toBe(info.parameters);
    expect(info.layers[0]).toMatchObject({ name: "conv1", part: "trunk", shape: [32, 26, 26], parameters: 320 });
    const counted = info.layers.reduce((sum, layer) => sum + layer.macs, 0);
    expect(info.exits.at(-1)!.macs.full).toBeCloseTo(counted / 1e6, 10);
    // The paper's table for MNIST, in 10⁶ instead of its unit of 2²⁰.
    expect(info.exits.map((exit) => (exit.macs.paper * 2 ** 20) / 1e6)).toEqual(
      [0.85824, 7.346304, 9.7056].map((paper) => expect.closeTo(paper, 5) as number),
    );
  });

  it("tells trunk and heads apart for people", async () => {
    const { stdout } = await rdi("info", "rdi-smallcnn");
    expect(stdout).toContain("3 exits, 836,846 parameters");
    expect(stdout).toMatch(/│ trunk to exit 1 │ conv1 +│ conv 3×3 \+ ReLU +│ 32×26×26 │ +│ +320 │ +194,688 │/);
    expect(stdout).toMatch(/│ head of exit 1 +│ branch_layer1\.0 │ conv 3×3, stride 2 +│/);
  });
});

describeCli("info of a weights file", () => {
  let folder: string;
  let weights: string;
  beforeAll(async () => {
    folder = await temporaryFolder();
    weights = join(folder, "weights.safetensors");
    await writeWeights(weights, { exits: [2, 3], thresholds: [1.25] });
  });

  it("adds the policy, what it makes of the costs, and the metadata", async () => {
    const { status, stdout } = await rdi("info", weights, "--json");
    expect(status).toBe(0);
    const { exits, metadata, tensors, mismatch } = ofFile.parse(JSON.parse(stdout));
    expect(mismatch).toBeUndefined();
    expect(metadata).toMatchObject({ model: "rdi-smallcnn", policy: { exits: [2, 3], thresholds: [1.25] } });
    expect(tensors.map(({ name }) => name)).toContain("conv1.weight");
    expect(exits.map(({ policy: { active, threshold } }) => ({ active, threshold }))).toEqual([
      { active: false, threshold: undefined },
      { active: true, threshold: 1.25 },
      { active: true, threshold: undefined },
    ]);
    // The head of exit 1 does not run: its MACs, 820752, are not charged.
    expect(exits[1]!.macs.full - exits[1]!.policy.macs.full).toBeCloseTo(0.820752, 6);
  });

  it("says so to people, without a list of the tensors", async () => {
    const { status, stdout } = await rdi("info", weights);
    expect(status).toBe(0);
    expect(stdout).toMatch(/│ exit 1 +│.*│ +does not run │/);
    expect(stdout).toMatch(/│ exit 2 +│.*│ +1\.2500 │/);
    expect(stdout).toMatch(/│ exit 3 +│.*│ +all the rest │/);
    expect(stdout).toContain("Tensors: 28 in F32, the weights of rdi-smallcnn");
  });

  it("names what does not fit the model, and lists the tensors then", async () => {
    const { tensors, metadata } = await readSafetensors(weights);
    tensors.delete("fc1.bias");
    const path = join(folder, "lacking.safetensors");
    await writeSafetensors(path, tensors, metadata);
    const { status, stdout } = await rdi("info", path);
    expect(status).toBe(0);
    expect(stdout).toContain("These are not the weights of rdi-smallcnn");
    expect(stdout).toContain("Expected weight fc1.bias [200] of rdi-smallcnn but received none");
    expect(stdout).toMatch(/│ fc1\.weight +│ F32 +│ 200×1024 +│/);
  });

  it("refuses a policy for other exits", async () => {
    const { tensors, metadata } = await readSafetensors(weights);
    const path = join(folder, "policy.safetensors");
    await writeSafetensors(path, tensors, { ...metadata, policy: '{"exits":[4],"thresholds":[]}' });
    const { status, stderr } = await rdi("info", path);
    expect(status).toBe(1);
    expect(stderr).toContain(`error: ${path}: Expected ascending exits that end with 3`);
  });
});

describe("the rows of a residual network", () => {
  const layers = modelLayers(residualModel);
  const rows = layerRows(layers);

  it("join what follows a convolution, and blocks that are alike", () => {
    expect(rows.map(({ name, kind, times }) => [name, kind, times])).toEqual([
      ["stem.conv", "conv 3×3 + BN + ReLU", 1],
      ["block{1…3}.a.conv", "conv 3×3 + BN + ReLU", 3],
      ["block{1…3}.b.conv", "conv 3×3 + BN + add + ReLU", 3],
      ["maxPool2d", "max pool 2×2", 1],
      ["avgPool2d", "average pool 3×3 + flatten", 1],
      ["branch1", "linear", 1],
      ["down.expand.conv", "conv 1×1 + BN + ReLU", 1],
      ["down.depthwise.conv", "conv 3×3, stride 2, depthwise + BN + ReLU", 1],
      ["down.project.conv", "conv 1×1 + BN", 1],
      ["down.shortcut.conv", "conv 1×1, stride 2 + BN + add + ReLU", 1],
      ["avgPool2d", "average pool 4×4 + BN + flatten", 1],
      ["branch2.fc", "linear", 1],
      ["block4.a.conv", "conv 3×3 + BN + ReLU", 1],
      ["block4.b.conv", "conv 3×3 + BN + add + ReLU", 1],
      ["avgPool2d", "average pool 4×4 + flatten", 1],
      ["fc", "linear", 1],
    ]);
  });

  it("lose no parameter and no MAC, and do not count running statistics", () => {
    const sum = (of: (row: (typeof rows)[number]) => number): number => rows.reduce((total, row) => total + of(row), 0);
    expect(sum(({ parameters }) => parameters)).toBe(parameterCount(residualModel));
    expect(sum(({ macs }) => macs)).toBeCloseTo(costOfExits(residualModel).at(-1)!.full * 1e6, 3);
    // Weight and bias of 3×3 and of batch norm: twice 8·8·9 + 2·8 a block.
    expect(rows[1]!.parameters + rows[2]!.parameters).toBe(3 * 2 * (8 * 8 * 9 + 2 * 8));
  });

  it("know trunk and heads", () => {
    expect(rows.filter(({ part }) => part === "head").map(({ exit }) => exit)).toEqual([1, 1, 1, 2, 2]);
  });
});
