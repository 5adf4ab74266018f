import { existsSync } from "node:fs";
import type { Command } from "commander";
import { readSafetensors, type Safetensors } from "../formats/safetensors.js";
import type { Macs } from "../graph/cost.js";
import { models } from "../models/index.js";
import { costOfBackbone, costOfExits, type ExitModel } from "../nn/exit-model.js";
import { significant } from "../report/format.js";
import { addCommand } from "./command.js";
import { modelLayers, parameterCount, type LayerInfo } from "./model-layers.js";
import { print, table } from "./output.js";
import { listPresets } from "./preset-list.js";
import { UsageError } from "./usage-error.js";

/** What `rdi info` says of a model. */
interface ModelInfo {
  readonly model: string;
  readonly inputShape: readonly number[];
  readonly classes: number;
  readonly parameters: number;
  readonly exits: readonly { readonly exit: number; readonly macs: Macs }[];
  readonly backbone: { readonly model: string; readonly macs: Macs };
  readonly layers: readonly LayerInfo[];
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
  print(json, { models: list }, () =>
    table(
      ["model", "image", "exits", "parameters", "MACs of all exits (10⁶)"],
      list.map((row) => [row.model, row.inputShape.join("×"), row.exits, row.parameters, significant(row.macs.full)]),
    ),
  );
}

function describeModel(model: ExitModel, json: boolean | undefined): void {
  const info = modelInfo(model);
  print(json, info, () => modelText(info));
}

async function describeFile(path: string, json: boolean | undefined): Promise<void> {
  if (!existsSync(path)) {
    throw new UsageError(
      `Expected a model (${[...models.keys()].join(", ")}) or a file but received ${JSON.stringify(path)}`,
    );
  }
  const { tensors, metadata } = await readSafetensors(path);
  const model = metadata.model === undefined ? undefined : models.get(metadata.model);
  const info = model === undefined ? undefined : modelInfo(model);
  const listed = [...tensors].map(([name, { dtype, shape }]) => ({ name, dtype, shape }));
  print(json, { file: path, ...info, metadata: parseMetadata(metadata), tensors: listed }, () =>
    [
      ...(info === undefined ? [] : [modelText(info)]),
      ...(Object.keys(metadata).length === 0 ? [] : ["Metadata", metadataText(metadata)]),
      "Tensors",
      table(
        ["name", "dtype", "shape"],
        listed.map(({ name, dtype, shape }) => [name, dtype, shape.join("×")]),
        3,
      ),
    ].join("\n"),
  );
}

function modelInfo(model: ExitModel): ModelInfo {
  return {
    model: model.name,
    inputShape: model.inputShape,
    classes: model.classes,
    parameters: parameterCount(model),
    exits: costOfExits(model).map((macs, i) => ({ exit: i + 1, macs })),
    backbone: { model: model.backbone.name, macs: costOfBackbone(model) },
    layers: modelLayers(model),
  };
}

function modelText(info: ModelInfo): string {
  const { model, inputShape, classes, parameters, exits, backbone, layers } = info;
  return [
    `${model}: images ${inputShape.join("×")} (channels×height×width), ${classes} classes, ${exits.length} ${exits.length === 1 ? "exit" : "exits"}, ${parameters} parameters`,
    table(
      ["layer", "operation", "output", "parameters", "MACs", "first needed by"],
      layers.map((layer) => [
        layer.name,
        layer.op,
        layer.shape.join("×"),
        layer.parameters,
        layer.macs,
        `exit ${layer.exit}`,
      ]),
      3,
    ),
    "Cost of an image (paper: convolutions without earlier branches, ÷2²⁰; full: everything that runs, 10⁶ MACs)",
    table(
      ["leaves at", "paper", "full"],
      [
        ...exits.map(({ exit, macs }) => [`exit ${exit}`, significant(macs.paper), significant(macs.full)]),
        ...(backbone.model === model
          ? []
          : [[`plain ${backbone.model}`, significant(backbone.macs.paper), significant(backbone.macs.full)]]),
      ],
    ),
  ].join("\n");
}

/** Values that hold JSON (settings, thresholds) as what they stand for; the rest as text. */
function parseMetadata(metadata: Safetensors["metadata"]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(metadata).map(([key, text]) => [key, jsonOrText(text)]));
}

function metadataText(metadata: Safetensors["metadata"]): string {
  return Object.entries(metadata)
    .map(([key, text]) => `  ${key}: ${text}`)
    .join("\n");
}

function jsonOrText(text: string): unknown {
  if (!/^[[{]/.test(text)) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text; // Free text that happens to begin with a bracket.
  }
}
