/**
 * The public interface where there is no Node.js: in browsers and on edge runtimes. It has the names of `index.ts`; what needs files, or an engine
 * that only Node.js runs so far, throws a `BackendError` that says so.
 */
import type { Backend } from "./backends/backend.js";
import { ReferenceBackend } from "./backends/reference/reference-backend.js";
import type * as node from "./index.js";
import { BackendError } from "./util/errors.js";

export type * from "./index.js";
export { releaseEagerPlans } from "./tensor/apply.js";
export * as functional from "./tensor/functional.js";
export { tensor, Tensor } from "./tensor/tensor.js";
export { grad, gradients, trace, Tracer } from "./tensor/trace.js";
export { costOfBackbone, costOfExits, inferenceGraph, initialParams } from "./nn/exit-model.js";
export { Network } from "./nn/network.js";
export { modelByName, models } from "./models/index.js";
export * as attacks from "./attacks/index.js";
export { calibrate } from "./inference/calibrate.js";
export { calibrateFor } from "./inference/calibrate-for.js";
export { classify } from "./inference/classify.js";
export { evaluate } from "./inference/evaluate.js";
export { optimizePolicy } from "./inference/optimize-policy.js";
export { policyMacs } from "./inference/policy.js";
export { quantize } from "./inference/quantize.js";
export { presets } from "./training/presets.js";
export { digits } from "./data/digits.js";
export { ArgumentError, BackendError, DivergedError, FormatError, RdiError, ShapeError } from "./util/errors.js";

/** @throws BackendError unless the backend is `reference`, the one that needs no Node.js: it is far too slow to be a silent substitute. */
export async function createBackend({ backend }: node.BackendOptions = {}): Promise<Backend> {
  if (backend === "reference") return new ReferenceBackend();
  throw new BackendError(
    `Expected { backend: "reference" } outside Node.js but received ${backend === undefined ? "no backend" : JSON.stringify(backend)}: ${ONLY_REFERENCE}`,
  );
}

const ONLY_REFERENCE = "this version's other backends need Node.js";

export async function describeBackends(): Promise<node.BackendReport[]> {
  return [
    { name: "wasm", description: "WebAssembly with SIMD", available: false, reason: ONLY_REFERENCE },
    { name: "reference", description: "plain TypeScript in float64; very slow", available: true, threads: 1 },
  ];
}

export const AdaptiveNetwork = needsNode("AdaptiveNetwork") as unknown as typeof node.AdaptiveNetwork;
export const load: typeof node.load = needsNode("load");
export const save: typeof node.save = needsNode("save");
export const importCheckpoint: typeof node.importCheckpoint = needsNode("importCheckpoint");
export const train: typeof node.train = needsNode("train");
export const openPreset: typeof node.openPreset = needsNode("openPreset");
export const writePreset: typeof node.writePreset = needsNode("writePreset");
export const openDataset: typeof node.openDataset = needsNode("openDataset");
export const cifar10: typeof node.cifar10 = needsNode("cifar10");
export const cifar100: typeof node.cifar100 = needsNode("cifar100");
export const imageFolder: typeof node.imageFolder = needsNode("imageFolder");
export const mnist: typeof node.mnist = needsNode("mnist");
export const svhn: typeof node.svhn = needsNode("svhn");
export const readPyTorchCheckpoint: typeof node.readPyTorchCheckpoint = needsNode("readPyTorchCheckpoint");
export const exportOnnx: typeof node.exportOnnx = needsNode("exportOnnx");
export const readSafetensors: typeof node.readSafetensors = needsNode("readSafetensors");
export const writeSafetensors: typeof node.writeSafetensors = needsNode("writeSafetensors");

/** What stands for a function or a class that works in Node.js alone. A function, not an arrow: `new` reaches it too. */
function needsNode(name: string): () => never {
  return function () {
    throw new BackendError(`Expected Node.js for ${name}, which this version has not outside it`);
  };
}
