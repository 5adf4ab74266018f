import { join } from "node:path";
import { foldConstants } from "../../graph/passes/fold-constants.js";
import { optimize } from "../../graph/passes/optimize.js";
import type { Graph } from "../../graph/types.js";
import { FORMAT, type AdaptiveNetwork } from "../../inference/adaptive-network.js";
import type { ExitPolicy } from "../../inference/index.js";
import { inferenceGraph, type ExitModel } from "../../nn/exit-model.js";
import type { Shape } from "../../ops/spec.js";
import { writeFileAtomic } from "../../util/atomic-file.js";
import { writeJson } from "../../util/json-file.js";
import { makeFolder } from "../../util/make-folder.js";
import { expectOpset, onnxModel } from "./onnx-model.js";
import { exitOutputs, segmentGraphs } from "./segments.js";

export interface OnnxExportOptions {
  /** A folder with a model for each segment and a policy.json, for early exit; without it one model with all exits. */
  readonly segments?: boolean;
  /** The version of ONNX's operators, 13 … 22; 17 by default. */
  readonly opset?: number;
}

/** A value that a model takes or gives: float32, `N` images. */
export interface OnnxPort {
  readonly name: string;
  readonly shape: Shape;
}

/** A model that was written. */
export interface OnnxFile {
  readonly file: string;
  readonly bytes: number;
  readonly inputs: readonly OnnxPort[];
  readonly outputs: readonly OnnxPort[];
}

/** From what policy.json says another runtime can run the segments as this package does. */
export interface OnnxPolicy extends ExitPolicy {
  readonly model: string;
  readonly opset: number;
  /** In the order in which they run, one for each of `exits`. */
  readonly segments: readonly {
    readonly exit: number;
    /** In the folder of the policy. */
    readonly file: string;
    /** `images` in [0, 1], NCHW, and values that segments before have handed on. */
    readonly inputs: readonly OnnxPort[];
    /** The exit's outputs: an image leaves here if its entropy is under the exit's threshold, or if this is the last segment. */
    readonly logits: string;
    readonly probabilities: string;
    readonly entropy: string;
    /** Outputs that later segments take. */
    readonly handsOn: readonly OnnxPort[];
  }[];
}

/** The file of a folder of segments that tells how to run them. */
export const POLICY_FILE = "policy.json";

/** The names of the files that `exportOnnx` puts into a folder of segments. */
export function segmentFiles({ exits }: ExitPolicy): string[] {
  return [...exits.map(segmentFile), POLICY_FILE];
}

/**
 * Writes a network as ONNX: batch norm folded into the convolutions, input `images` [N,C,H,W] in [0, 1] with a dynamic batch, and for each exit i
 * the outputs `exit<i>.logits`, `exit<i>.probabilities` and `exit<i>.entropy` (−Σ p·log(p + 1e-5), in nats). The model's name, exits and thresholds
 * are in the `metadata_props`.
 *
 * With `segments`, `path` is a folder: a model for each exit that is active in the network's policy, which computes what that exit needs and no
 * earlier one did, and `policy.json` (`OnnxPolicy`). Files that are there are replaced, each atomically.
 *
 * @returns the models written
 * @throws ArgumentError if the opset is out of range; RdiError if a file cannot be written
 */
export async function exportOnnx(
  path: string,
  net: AdaptiveNetwork,
  { segments = false, opset = 17 }: OnnxExportOptions = {},
): Promise<OnnxFile[]> {
  expectOpset(opset);
  const { model, policy } = net;
  const { graph, params } = foldConstants(optimize(inferenceGraph(model)), await net.weights());
  const header = { name: model.name, opset };
  if (!segments) {
    const bytes = onnxModel(graph, params, { ...header, metadata: metadataOf(model, policy) });
    await writeFileAtomic(path, bytes);
    return [onnxFile(path, graph, bytes)];
  }
  await makeFolder(path);
  const parts = segmentGraphs(graph, policy.exits);
  const files: OnnxFile[] = [];
  for (const { exit, graph: part } of parts) {
    const metadata = { ...metadataOf(model, policy), exit: String(exit) };
    const bytes = onnxModel(part, params, { ...header, metadata });
    const file = join(path, segmentFile(exit));
    await writeFileAtomic(file, bytes);
    files.push(onnxFile(file, part, bytes));
  }
  const described: OnnxPolicy = {
    model: model.name,
    ...policy,
    opset,
    segments: parts.map(({ exit, graph: part, handsOn }) => ({
      exit,
      file: segmentFile(exit),
      inputs: ports(part, part.inputs.keys()),
      ...exitOutputs(exit),
      handsOn: ports(part, handsOn),
    })),
  };
  // Last, so that a folder with a policy has the models that it speaks of.
  await writeJson(join(path, POLICY_FILE), described);
  return files;
}

const segmentFile = (exit: number): string => `exit${exit}.onnx`;

/** As the metadata of our weights files has it. */
function metadataOf(model: ExitModel, policy: ExitPolicy): Record<string, string> {
  return { format: FORMAT, model: model.name, classes: String(model.classes), policy: JSON.stringify(policy) };
}

function onnxFile(file: string, graph: Graph, bytes: Uint8Array): OnnxFile {
  const { inputs, outputs } = graph;
  return { file, bytes: bytes.length, inputs: ports(graph, inputs.keys()), outputs: ports(graph, outputs.keys()) };
}

function ports(graph: Graph, names: Iterable<string>): OnnxPort[] {
  return Array.from(names, (name) => {
    const value = graph.inputs.get(name) ?? graph.outputs.get(name)!;
    return { name, shape: graph.specs[value]!.shape };
  });
}
