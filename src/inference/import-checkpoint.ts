import { createHash } from "node:crypto";
import { basename } from "node:path";
import { decodePyTorchCheckpoint } from "../formats/pytorch/checkpoint.js";
import { stripPrefix } from "../formats/pytorch/state-dict.js";
import { decodeSafetensors, type StoredTensor } from "../formats/safetensors.js";
import type { ExitModel } from "../nn/exit-model.js";
import { FormatError } from "../util/errors.js";
import { readFileBytes } from "../util/read-file.js";
import { FORMAT } from "./adaptive-network.js";
import { fitWeights } from "./fit-weights.js";

/** The file that weights were imported from. */
export interface CheckpointSource {
  /** Its name, without the folder. */
  readonly file: string;
  readonly sha256: string;
  readonly format: "pytorch-legacy" | "pytorch-zip" | "safetensors";
  /** The keys that lead to the state dict, joined by dots; empty if it was saved alone. */
  readonly stateDict: string;
  /** What all names began with, such as `module.`; it was taken off. */
  readonly prefix: string;
  /** How long the network had been trained, if the file says so. */
  readonly iteration?: number;
}

/** Weights of a model from a checkpoint that was made elsewhere. */
export interface ImportedCheckpoint {
  readonly model: ExitModel;
  readonly weights: ReadonlyMap<string, Float32Array>;
  readonly source: CheckpointSource;
  /** Tensors of the state dict that the network has no use for: batch norm's counters, and the model's `ignoredWeights`. */
  readonly dropped: readonly string[];
  /** Keys of what lay beside the state dict, such as the optimizer's state. */
  readonly ignored: readonly string[];
}

/**
 * Reads a model's weights from a PyTorch checkpoint (see `readPyTorchCheckpoint`: nothing of it is executed) or a safetensors file with PyTorch's names.
 *
 * @throws FormatError if the file is neither or is damaged; if weights are missing, misshapen, not of floats or not finite, or some are left over
 */
export async function importCheckpoint(path: string, model: ExitModel): Promise<ImportedCheckpoint> {
  const bytes = await readFileBytes(path, "a PyTorch checkpoint or a safetensors file");
  const { tensors, ignored, ...found } = isSafetensors(bytes) ? safetensors(bytes, path) : pytorch(bytes, path);
  const kept = new Map<string, StoredTensor>();
  const dropped: string[] = [];
  for (const [name, tensor] of tensors) {
    if (isCounter(name) || model.ignoredWeights?.includes(name) === true) dropped.push(name);
    else kept.set(name, tensor);
  }
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  return {
    model,
    weights: fitWeights(model, kept, path),
    source: { file: basename(path), sha256, ...found },
    dropped,
    ignored,
  };
}

interface Found extends Omit<CheckpointSource, "file" | "sha256"> {
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly ignored: readonly string[];
}

function pytorch(bytes: Uint8Array, path: string): Found {
  const { container, path: keys, prefix, tensors, values, ignored } = decodePyTorchCheckpoint(bytes, path);
  const iteration = ITERATION_KEYS.map((key) => values.get(key)).find((value) => typeof value === "number");
  return {
    format: `pytorch-${container}`,
    stateDict: keys.join("."),
    prefix,
    ...(iteration === undefined ? {} : { iteration }),
    tensors,
    ignored: [...values.keys(), ...ignored],
  };
}

function safetensors(bytes: Uint8Array, path: string): Found {
  const { tensors, metadata } = decodeSafetensors(bytes, path);
  if (metadata.format === FORMAT) {
    throw new FormatError(
      path,
      "Expected a checkpoint from elsewhere but received a weights file of this package, which needs no import",
    );
  }
  return { format: "safetensors", stateDict: "", ...stripPrefix(tensors), ignored: [] };
}

/** Under what training scripts keep the number of their iterations. */
const ITERATION_KEYS = ["iter", "iteration", "iterations", "step", "global_step"];

/** The batches that a batch norm has seen, which matter only to an average that weighs all of them alike. */
function isCounter(name: string): boolean {
  return name.split(".").at(-1) === "num_batches_tracked";
}

/** Whether a file begins as safetensors do: eight bytes of length, then JSON. */
function isSafetensors(bytes: Uint8Array): boolean {
  return bytes[8] === "{".charCodeAt(0);
}
