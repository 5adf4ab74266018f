import { existsSync } from "node:fs";
import type { Command } from "commander";
import { readSafetensors, type Safetensors } from "../formats/safetensors.js";
import type { Macs } from "../graph/cost.js";
import { FORMAT, namedModel, networkOf } from "../inference/adaptive-network.js";
import { checkPolicy, policyMacs, type ExitPolicy } from "../inference/index.js";
import { models } from "../models/index.js";
import { costOfBackbone, costOfExits, type ExitModel } from "../nn/exit-model.js";
import { FormatError, RdiError } from "../util/errors.js";
import { addCommand } from "./command.js";
import { fileText, listText, modelText } from "./info-text.js";
import { modelLayers, parameterCount, type LayerInfo, type TracedLayer } from "./model-layers.js";
import { print } from "./output.js";
import { readPolicy } from "./policy-file.js";
import { listPresets } from "./preset-list.js";
import { UsageError } from "./usage-error.js";

/** What `rdi info` says of a model. */
export interface ModelInfo {
  readonly model: string;
  readonly inputShape: readonly number[];
  readonly classes: number;
  /** Those that are learned. */
  readonly parameters: number;
  readonly exits: readonly ExitInfo[];
  readonly backbone: { readonly model: string; readonly macs: Macs };
  readonly layers: readonly LayerInfo[];
}

export interface ExitInfo {
  readonly exit: number;
  /** With the heads of all exits before. */
  readonly macs: Macs;
  /** With a policy: whether the exit's head runs, what leaving there costs, and the entropy under which an image does (none at the last). */
  readonly policy?: { readonly active: boolean; readonly macs: Macs; readonly threshold?: number };
}

/** What `rdi info` says of a file beside its model. */
export interface FileInfo {
  readonly file: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly tensors: readonly { readonly name: string; readonly dtype: string; readonly shape: readonly number[] }[];
  /** Why the tensors are not the weights of the model that the metadata names. */
  readonly mismatch?: string;
}

export function addInfo(program: Command): void {
  addCommand(program, "info", "Tell about a model, or what is in a safetensors file.", [
    "rdi info",
    "rdi info rdi-smallcnn",
    "rdi info --presets",
    "rdi info rdi-quickstart/rdi-smallcnn/model.safetensors --json",
  ])
    .argument("[what]", "a model's name or a file; without it, the models are listed")
    .option("--presets", "list the training presets, for rdi train --preset")
    .option("--json", "print one JSON object")
    .action(
      async (what: string | undefined, { presets, json }: { readonly presets?: boolean; readonly json?: boolean }) => {
        const model = what === undefined ? undefined : models.get(what);
        if (presets === true) listPresets(json);
        else if (what === undefined) listModels(json);
        else if (model === undefined) await describeFile(what, json);
        else describeModel(model, json);
      },
    );
}

function listModels(json: boolean | undefined): void {
  const list = [...models.values()].map((model) => ({
    model: model.name,
    inputShape: model.inputShape,
    exits: model.exits,
    parameters: parameterCount(model),
    macs: costOfExits(model).at(-1)!,
  }));
  print(json, { models: list }, () => listText(list));
}

function describeModel(model: ExitModel, json: boolean | undefined): void {
  const layers = modelLayers(model);
  const info = modelInfo(model, layers);
  print(json, info, () => modelText(info, layers));
}

async function describeFile(path: string, json: boolean | undefined): Promise<void> {
  if (!existsSync(path)) {
    throw new UsageError(
      `Expected a model (${[...models.keys()].join(", ")}) or a file but received ${JSON.stringify(path)}`,
    );
  }
  const { tensors, metadata } = await readSafetensors(path);
  const model = metadata.format === FORMAT && models.has(metadata.model ?? "") ? namedModel(path, metadata) : undefined;
  const listed = [...tensors].map(([name, { dtype, shape }]) => ({ name, dtype, shape }));
  const file: FileInfo = { file: path, metadata: metadataValues(metadata), tensors: listed };
  if (model === undefined) {
    print(json, file, () => fileText(file));
    return;
  }
  const policy = metadata.policy === undefined ? undefined : await policyOf(path, model);
  const layers = modelLayers(model);
  const info = modelInfo(model, layers, policy);
  const mismatch = mismatchOf(model, { tensors, metadata }, path);
  const described: FileInfo = mismatch === undefined ? file : { ...file, mismatch };
  print(json, { ...info, ...described }, () => [modelText(info, layers), fileText(described, model.name)].join("\n"));
}

function modelInfo(model: ExitModel, layers: readonly TracedLayer[], policy?: ExitPolicy): ModelInfo {
  const underPolicy = policy === undefined ? [] : policyMacs(model, policy);
  return {
    model: model.name,
    inputShape: model.inputShape,
    classes: model.classes,
    parameters: parameterCount(model),
    exits: costOfExits(model).map((macs, i): ExitInfo => {
      const k = policy?.exits.indexOf(i + 1);
      if (policy === undefined || k === undefined) return { exit: i + 1, macs };
      const threshold = k < 0 ? undefined : policy.thresholds[k];
      const own = { active: k >= 0, macs: underPolicy[i]!, ...(threshold === undefined ? {} : { threshold }) };
      return { exit: i + 1, macs, policy: own };
    }),
    backbone: { model: model.backbone.name, macs: costOfBackbone(model) },
    layers: layers.map(({ layer }) => layer),
  };
}

async function policyOf(path: string, model: ExitModel): Promise<ExitPolicy> {
  const policy = await readPolicy(path);
  try {
    checkPolicy(model, policy);
  } catch (error) {
    if (error instanceof RdiError) throw new FormatError(path, error.message);
    throw error;
  }
  return policy;
}

function mismatchOf(model: ExitModel, file: Safetensors, path: string): string | undefined {
  try {
    networkOf(model, file, path);
    return undefined;
  } catch (error) {
    if (error instanceof FormatError) return error.message;
    throw error;
  }
}

/** Values that hold JSON (settings, thresholds) as what they stand for; the rest as text. */
function metadataValues(metadata: Safetensors["metadata"]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(metadata).map(([key, text]) => [key, jsonOrText(text)]));
}

function jsonOrText(text: string): unknown {
  if (!/^[[{]/.test(text)) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text; // Free text that happens to begin with a bracket.
  }
}
