import { nodeMacs } from "../graph/cost.js";
import { sliceTo } from "../graph/passes/dead-code.js";
import { splitAtExits } from "../graph/passes/split-at-exits.js";
import type { Graph, Node } from "../graph/types.js";
import { inferenceGraph, logitNames, type ExitModel } from "../nn/exit-model.js";
import { imageElements } from "../ops/spec.js";

/** A layer of a network, as `rdi info` lists it. */
export interface LayerInfo {
  /** What its parameters begin with; the operation's name where there are none. */
  readonly name: string;
  readonly op: string;
  /** The first exit that needs it. */
  readonly exit: number;
  /** Of its output for one image. */
  readonly shape: readonly number[];
  readonly parameters: number;
  /** Multiply-accumulates an image. */
  readonly macs: number;
}

/** The layers of a model in the order in which an image meets them. */
export function modelLayers(model: ExitModel): LayerInfo[] {
  const names = logitNames(model);
  const graph = sliceTo(inferenceGraph(model), names);
  const exits = names.map((name, i) => ({ exit: i + 1, outputs: [name] }));
  return splitAtExits(graph, exits).flatMap(({ exit, nodes }) => nodes.map((node) => layerOf(graph, node, exit)));
}

export function parameterCount(model: ExitModel): number {
  return [...model.params.values()].reduce((sum, { spec }) => sum + imageElements(spec), 0);
}

function layerOf(graph: Graph, node: Node, exit: number): LayerInfo {
  const params = [...graph.params].filter(([, value]) => node.in.includes(value));
  const first = params[0]?.[0];
  return {
    name: first === undefined ? node.op : first.slice(0, first.lastIndexOf(".")),
    op: node.op,
    exit,
    shape: graph.specs[node.out]!.shape.filter((size): size is number => size !== "N"),
    parameters: params.reduce((sum, [, value]) => sum + imageElements(graph.specs[value]!), 0),
    macs: nodeMacs(graph, node),
  };
}
