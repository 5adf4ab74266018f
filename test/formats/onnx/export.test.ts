import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Backend } from "../../../src/backends/backend.js";
import { createBackend } from "../../../src/backends/registry.js";
import { ReferenceBackend } from "../../../src/backends/reference/reference-backend.js";
import { exportOnnx, type OnnxPolicy } from "../../../src/formats/onnx/export.js";
import { AdaptiveNetwork, type Classification, type ExitPolicy } from "../../../src/inference/index.js";
import { runAllExits } from "../../../src/inference/all-exits.js";
import { rdiSmallcnn } from "../../../src/models/smallcnn.js";
import { initialParams, type ExitModel } from "../../../src/nn/exit-model.js";
import { zeros } from "../../../src/nn/init.js";
import { Random } from "../../../src/util/random.js";
import { RdiError } from "../../../src/util/errors.js";
import { OnnxSession } from "../../support/onnxruntime.js";
import { classifyBySegments } from "../../support/onnx-segments.js";
import { residualModel } from "../../support/residual.js";

const IMAGES = 24;

/** The engine for networks of a size; the small residual one is what the reference has the time for. */
const backends = { engine: await createBackend({ threads: 1 }), reference: new ReferenceBackend() };
const { reference } = backends;

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "rdi-onnx-"));
});
afterAll(async () => {
  backends.engine.dispose();
  await rm(root, { recursive: true });
});

/** Random weights, also where a model starts from zero, so that no exit says the same of all images. */
function weightsOf(model: ExitModel): Map<string, Float32Array> {
  const random = new Random(5);
  const initial = initialParams(model, 1);
  for (const [name, { init }] of model.params)
    if (init === zeros)
      initial.set(
        name,
        initial.get(name)!.map(() => 0.3 * random.normal()),
      );
  return initial;
}

/** Noise, brighter from image to image. */
function imagesFor(model: ExitModel): Float32Array {
  const random = new Random(6);
  const row = model.inputShape.reduce((product, size) => product * size);
  return Float32Array.from({ length: IMAGES * row }, (_, i) => random.uniform(0, Math.ceil((i + 1) / row) / IMAGES));
}

/** Lets about a third of the images out at each exit but the last. */
async function policyFor(model: ExitModel, backend: Backend, exits: readonly number[]): Promise<ExitPolicy> {
  using net = new AdaptiveNetwork(model, backend, weightsOf(model));
  const { entropies } = await runAllExits(net, imagesFor(model), IMAGES, IMAGES);
  const early = exits.slice(0, -1);
  return { exits, thresholds: early.map((exit) => entropies[exit - 1]!.toSorted()[Math.floor(IMAGES / 3)]!) };
}

function relativeError(actual: ArrayLike<number>, expected: Float32Array): number {
  expect(actual.length).toBe(expected.length);
  return Math.hypot(...expected.map((v, i) => v - actual[i]!)) / Math.hypot(...expected);
}

const networks = [
  { name: "rdi-smallcnn, exits 1, 2, 3", model: rdiSmallcnn, exits: [1, 2, 3], on: "engine" },
  { name: "rdi-smallcnn, exits 2, 3", model: rdiSmallcnn, exits: [2, 3], on: "engine" },
  { name: "rdi-residual, exits 1, 2, 3", model: residualModel, exits: [1, 2, 3], on: "reference" },
  { name: "rdi-residual, exits 1, 3", model: residualModel, exits: [1, 3], on: "reference" },
  { name: "rdi-residual, the last exit", model: residualModel, exits: [3], on: "reference" },
] as const;

describe.each(networks)("$name", ({ model, exits, on }) => {
  const backend = backends[on];
  let net: AdaptiveNetwork;
  const images = imagesFor(model);
  const folder = (): string => join(root, `${model.name}-${exits.join("-")}`);
  beforeAll(async () => {
    net = new AdaptiveNetwork(model, backend, weightsOf(model), await policyFor(model, backend, exits));
  });
  afterAll(() => net.dispose());

  it("as one model computes every exit as the engine does", async () => {
    const path = join(root, "model.onnx");
    const [file] = await exportOnnx(path, net);
    const bytes = await readFile(path);
    expect(file).toMatchObject({ file: path, bytes: bytes.length });
    await using session = await OnnxSession.open(bytes);
    expect(session.inputs).toEqual(["images"]);
    expect(session.outputs).toEqual(file!.outputs.map(({ name }) => name));
    const results = await session.run(new Map([["images", { data: images, shape: [IMAGES, ...model.inputShape] }]]));
    const { logits, entropies } = await runAllExits(net, images, IMAGES, IMAGES);
    for (let i = 0; i < model.exits; i++) {
      const result = (name: string): ArrayLike<number> => results.get(`exit${i + 1}.${name}`)!.data;
      expect(relativeError(result("logits"), logits[i]!)).toBeLessThan(1e-4);
      expect(relativeError(result("entropy"), entropies[i]!)).toBeLessThan(1e-4);
      expect(Array.from(result("probabilities")).reduce((a, b) => a + b)).toBeCloseTo(IMAGES, 3);
    }
  });

  it("segment by segment lets every image out where the engine does, with the same probabilities", async () => {
    const files = await exportOnnx(folder(), net, { segments: true });
    expect((await readdir(folder())).sort()).toEqual([...exits.map((exit) => `exit${exit}.onnx`), "policy.json"]);
    expect(files.map(({ file }) => file)).toEqual(exits.map((exit) => join(folder(), `exit${exit}.onnx`)));
    const results = await classifyBySegments(folder(), images, IMAGES);
    const expected = await net.classify(images);
    expect(results.map(({ exit }) => exit)).toEqual(expected.map(({ exit }) => exit));
    expect(new Set(results.map(({ exit }) => exit)).size).toBe(exits.length);
    const all = (list: readonly Pick<Classification, "probabilities">[]): Float32Array =>
      Float32Array.from(list.flatMap(({ probabilities }) => [...probabilities]));
    expect(relativeError(all(results), all(expected))).toBeLessThan(1e-4);
  });

  it("tells in policy.json what each segment takes, gives and hands on", async () => {
    const policy = JSON.parse(await readFile(join(folder(), "policy.json"), "utf8")) as OnnxPolicy;
    expect(policy).toMatchObject({ model: model.name, opset: 17, ...net.policy });
    const handed = new Set(["images"]);
    for (const segment of policy.segments) {
      await using session = await OnnxSession.open(await readFile(join(folder(), segment.file)));
      expect(session.inputs).toEqual(segment.inputs.map(({ name }) => name));
      for (const { name } of segment.inputs) expect(handed).toContain(name);
      for (const { name } of segment.handsOn) handed.add(name);
      const { logits, probabilities, entropy, handsOn } = segment;
      expect(session.outputs).toEqual([logits, probabilities, entropy, ...handsOn.map(({ name }) => name)]);
    }
  });
});

it("batch norm is folded into the convolutions, and running statistics are not in the file", async () => {
  using net = new AdaptiveNetwork(residualModel, reference, weightsOf(residualModel));
  const path = join(root, "folded.onnx");
  await exportOnnx(path, net);
  const text = (await readFile(path)).toString("latin1");
  expect(text).toContain("stem.conv.weight.folded");
  expect(text).not.toMatch(/running_|BatchNormalization|Sqrt|Div/);
});

it("the model's name, classes, exits and thresholds are in the metadata", async () => {
  const policy: ExitPolicy = { exits: [1, 3], thresholds: [0.25] };
  using net = new AdaptiveNetwork(rdiSmallcnn, reference, weightsOf(rdiSmallcnn), policy);
  const path = join(root, "metadata.onnx");
  await exportOnnx(path, net);
  // A StringStringEntryProto: key (field 1), value (field 2).
  const entry = (key: string, value: string): string =>
    `\n${String.fromCharCode(key.length)}${key}\x12${String.fromCharCode(value.length)}${value}`;
  const text = (await readFile(path)).toString("latin1");
  expect(text).toContain(entry("model", "rdi-smallcnn"));
  expect(text).toContain(entry("classes", "10"));
  expect(text).toContain(entry("policy", JSON.stringify(policy)));
});

it("is refused where nothing can be written, and for an opset that is not known", async () => {
  using net = new AdaptiveNetwork(residualModel, reference, weightsOf(residualModel));
  await expect(exportOnnx(join(root, "none", "model.onnx"), net)).rejects.toThrow(RdiError);
  const taken = join(root, "taken");
  await writeFile(taken, "a file");
  await expect(exportOnnx(taken, net, { segments: true })).rejects.toThrow(`Cannot make the folder ${taken}`);
  await expect(exportOnnx(taken, net, { opset: 9 })).rejects.toThrow("an integer in 13 … 22 for the opset");
  expect(await readFile(taken, "utf8")).toBe("a file");
});
