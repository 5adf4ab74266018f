import { significant } from "../report/format.js";
import type { Macs } from "../graph/cost.js";
import type { ExitInfo, FileInfo, ModelInfo } from "./info.js";
import { layerRows } from "./layer-rows.js";
import type { TracedLayer } from "./model-layers.js";
import { table, type Cell } from "./output.js";

/** The models there are, for people. */
export function listText(
  list: readonly (Pick<ModelInfo, "model" | "inputShape" | "parameters"> & { exits: number; macs: Macs })[],
): string {
  return table(
    ["model", "image", "exits", "parameters", "MACs of all exits (10⁶)"],
    list.map((row) => [
      row.model,
      row.inputShape.join("×"),
      row.exits,
      grouped(row.parameters),
      significant(row.macs.full),
    ]),
  );
}

/** A model for people: its layers, and what its exits cost. */
export function modelText(info: ModelInfo, layers: readonly TracedLayer[]): string {
  const { model, inputShape, classes, parameters, exits } = info;
  const rows = layerRows(layers);
  return [
    `${model}: images ${inputShape.join("×")} (channels×height×width), ${classes} classes, ${exits.length} ${exits.length === 1 ? "exit" : "exits"}, ${grouped(parameters)} parameters`,
    table(
      ["for", "layer", "operations", "output", "times", "parameters", "MACs"],
      rows.map((row, i) => [
        // Said once, where it begins.
        rows[i - 1]?.exit === row.exit && rows[i - 1]?.part === row.part ? "" : partText(row, exits.length),
        row.name === row.op ? "" : row.name,
        row.kind,
        row.shape.join("×"),
        row.times === 1 ? "" : `×${row.times}`,
        row.parameters === 0 ? "" : grouped(row.parameters),
        row.macs === 0 ? "" : grouped(row.macs),
      ]),
      4,
    ),
    ...(rows.some(({ times }) => times > 1)
      ? ["×n: n such blocks, one after the other; parameters and MACs are of all of them."]
      : []),
    exitsText(info),
  ].join("\n");
}

function partText({ exit, part }: { readonly exit: number; readonly part: string }, exits: number): string {
  if (part === "head") return `head of exit ${exit}`;
  return exits === 1 ? "" : `trunk to exit ${exit}`;
}

function exitsText({ model, exits, backbone }: ModelInfo): string {
  const withPolicy = exits.some(({ policy }) => policy !== undefined);
  const policyCells = ({ policy }: ExitInfo): Cell[] => {
    if (policy === undefined) return [];
    if (!policy.active) return ["does not run", "", ""];
    return [
      policy.threshold?.toFixed(4) ?? "all the rest",
      significant(policy.macs.paper),
      significant(policy.macs.full),
    ];
  };
  const plain = [`plain ${backbone.model}`, significant(backbone.macs.paper), significant(backbone.macs.full)];
  return [
    "Cost of an image (paper: convolutions without earlier branches, ÷2²⁰; full: everything that runs, 10⁶ MACs)",
    table(
      ["leaves at", "paper", "full", ...(withPolicy ? ["by the policy: under (nats)", "paper", "full"] : [])],
      [
        ...exits.map((exit) => [
          `exit ${exit.exit}`,
          significant(exit.macs.paper),
          significant(exit.macs.full),
          ...policyCells(exit),
        ]),
        ...(backbone.model === model ? [] : [[...plain, ...(withPolicy ? ["", "", ""] : [])]]),
      ],
    ),
  ].join("\n");
}

/** A file for people; its tensors one by one, unless they are just the weights of the model that it names. */
export function fileText({ metadata, tensors, mismatch }: FileInfo, model?: string): string {
  // The policy of a known model stands beside its exits.
  const told = Object.entries(metadata).filter(([key]) => model === undefined || key !== "policy");
  const lines = told.length === 0 ? [] : ["Metadata", ...told.flatMap(([key, value]) => entryLines(key, value, 1))];
  if (mismatch !== undefined) lines.push(`These are not the weights of ${model ?? "the model"}: ${mismatch}`);
  else if (model !== undefined) {
    const dtypes = [...new Set(tensors.map(({ dtype }) => dtype))].join(", ");
    return [...lines, `Tensors: ${tensors.length} in ${dtypes}, the weights of ${model}`].join("\n");
  }
  const rows = tensors.map(({ name, dtype, shape }) => [name, dtype, shape.join("×")]);
  return [...lines, "Tensors", table(["name", "dtype", "shape"], rows, 3)].join("\n");
}

/** `key: value`, with objects as indented lines of their own. */
function entryLines(key: string, value: unknown, depth: number): string[] {
  const indent = "  ".repeat(depth);
  const hasEntries = value !== null && typeof value === "object" && Object.keys(value).length > 0;
  if (hasEntries && !Array.isArray(value)) {
    return [`${indent}${key}:`, ...Object.entries(value).flatMap(([k, v]) => entryLines(k, v, depth + 1))];
  }
  return [`${indent}${key}: ${typeof value === "string" ? value : JSON.stringify(value)}`];
}

/** 836846 → "836,846". */
function grouped(value: number): string {
  return value.toLocaleString("en-US");
}
