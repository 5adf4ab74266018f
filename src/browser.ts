/**
 * The public interface where there is no Node.js: in browsers and on edge runtimes. It has the names of `index.ts`, and what only browsers need; what needs
 * files of an operating system throws a `BackendError` that says so.
 */
import type { Backend } from "./backends/backend.js";
import { createWebBackend, describeWebBackends } from "./backends/web-registry.js";
import type * as node from "./index.js";
import { load as loadWeights, type AdaptiveNetwork } from "./inference/adaptive-network.js";
import { fetchModel, type FetchModelOptions } from "./inference/fetch-model.js";
import { BackendError } from "./util/errors.js";
import { SCHEME } from "./util/files/web.js";

export type * from "./index.js";
export type { WebBackendOptions } from "./backends/web-registry.js";
export { releaseEagerPlans } from "./tensor/apply.js";
export * as functional from "./tensor/functional.js";
export { tensor, Tensor } from "./tensor/tensor.js";
export { grad, gradients, trace, Tracer } from "./tensor/trace.js";
export { costOfBackbone, costOfExits, inferenceGraph, initialParams } from "./nn/exit-model.js";
export { Network } from "./nn/network.js";
export { modelByName, models } from "./models/index.js";
export * as attacks from "./attacks/index.js";
export { AdaptiveNetwork, save } from "./inference/adaptive-network.js";
export { calibrate } from "./inference/calibrate.js";
export { calibrateFor } from "./inference/calibrate-for.js";
export { classify } from "./inference/classify.js";
export { evaluate } from "./inference/evaluate.js";
export { fetchModel, type FetchModelOptions } from "./inference/fetch-model.js";
export { optimizePolicy } from "./inference/optimize-policy.js";
export { policyMacs } from "./inference/policy.js";
export { quantize } from "./inference/quantize.js";
export { train } from "./training/trainer.js";
export { openPreset, writePreset } from "./training/preset-file.js";
export { presets } from "./training/presets.js";
export { digits } from "./data/digits.js";
export { imagesFrom, type ImageSource } from "./data/web-images.js";
export { readSafetensors, writeSafetensors } from "./formats/safetensors.js";
export { ArgumentError, BackendError, DivergedError, FormatError, RdiError, ShapeError } from "./util/errors.js";

export { createWebBackend as createBackend, describeWebBackends as describeBackends };

/** What a network is loaded from: an address, a file of this origin's private file system (`opfs:…`), a file that a user chose, or bytes. */
export type WeightsSource = string | URL | Blob | ArrayBuffer | Uint8Array;

export interface LoadOptions extends FetchModelOptions {
  readonly backend: Backend;
}

/**
 * Loads a network from a weights file of this package. What it is fetched by and checked for is said by the options; see `fetchModel`.
 *
 * @throws RdiError if it cannot be fetched; FormatError if it has another size or hash, is no such file, or is damaged
 */
export async function load(source: WeightsSource, { backend, ...options }: LoadOptions): Promise<AdaptiveNetwork> {
  if (source instanceof Uint8Array) return loadWeights(source, { backend });
  if (source instanceof ArrayBuffer) return loadWeights(new Uint8Array(source), { backend });
  if (source instanceof Blob) return loadWeights(new Uint8Array(await source.arrayBuffer()), { backend });
  if (typeof source === "string" && source.startsWith(SCHEME)) return loadWeights(source, { backend });
  return loadWeights(await fetchModel(source, options), { backend, name: String(source) });
}

export const importCheckpoint: typeof node.importCheckpoint = needsNode("importCheckpoint");
export const openDataset: typeof node.openDataset = needsNode("openDataset");
export const cifar10: typeof node.cifar10 = needsNode("cifar10");
export const cifar100: typeof node.cifar100 = needsNode("cifar100");
export const imageFolder: typeof node.imageFolder = needsNode("imageFolder");
export const mnist: typeof node.mnist = needsNode("mnist");
export const svhn: typeof node.svhn = needsNode("svhn");
export const readPyTorchCheckpoint: typeof node.readPyTorchCheckpoint = needsNode("readPyTorchCheckpoint");
export const exportOnnx: typeof node.exportOnnx = needsNode("exportOnnx");

/** What stands for a function that works in Node.js alone. */
function needsNode(name: string): () => never {
  return () => {
    throw new BackendError(`Expected Node.js for ${name}, which this version has not outside it`);
  };
}
