import { nodeMacs } from "../graph/cost.js";
import { sliceTo } from "../graph/passes/dead-code.js";
import { splitAtExits } from "../graph/passes/split-at-exits.js";
import type { Graph, Node, Value } from "../graph/types.js";
import { inferenceGraph, learnedParams, logitNames, type ExitModel } from "../nn/exit-model.js";
import type { OpName } from "../ops/index.js";
import { imageDims, imageElements, isPerImage } from "../ops/spec.js";

/** A layer of a network, as `rdi info` lists it. */
export interface LayerInfo {
  /** What its parameters begin with; the operation's name where there are none. */
  readonly name: string;
  readonly op: OpName;
  /** The operation with its settings, for people. */
  readonly kind: string;
  /** The first exit that needs it. */
  readonly exit: number;
  /** The trunk is what the last exit needs; the rest are heads of single exits. */
  readonly part: "trunk" | "head";
  /** Of its output for one image. */
  readonly shape: readonly number[];
  /** Those that are learned. */
  readonly parameters: number;
  /** Multiply-accumulates an image. */
  readonly macs: number;
}

/** A layer with the node that computes it. */
export interface TracedLayer {
  readonly layer: LayerInfo;
  readonly node: Node;
}

/** The layers of a model in the order in which an image meets them: every operation on images; what computes weights belongs to its layer. */
export function modelLayers(model: ExitModel): TracedLayer[] {
  const names = logitNames(model);
  const graph = sliceTo(inferenceGraph(model), names);
  const exits = names.map((name, i) => ({ exit: i + 1, outputs: [name] }));
  const trunk = new Set(splitAtExits(graph, exits.slice(-1))[0]!.nodes);
  const paramsOf = parameterFinder(graph);
  const counted = new Set<string>(model.params.keys());
  for (const name of learnedParams(model).keys()) counted.delete(name);
  return splitAtExits(graph, exits).flatMap(({ exit, nodes }) =>
    nodes
      .filter((node) => isPerImage(graph.specs[node.out]!))
      .map((node) => {
        const params = paramsOf(node);
        const fresh = params.filter((name) => !counted.has(name));
        for (const name of fresh) counted.add(name);
        const layer: LayerInfo = {
          name: params[0]?.slice(0, params[0].lastIndexOf(".")) ?? node.op,
          op: node.op,
          kind: kindOf(graph, node),
          exit,
          part: trunk.has(node) ? "trunk" : "head",
          shape: imageDims(graph.specs[node.out]!),
          parameters: fresh.reduce((sum, name) => sum + imageElements(model.params.get(name)!.spec), 0),
          macs: nodeMacs(graph, node),
        };
        return { layer, node };
      }),
  );
}

/** The number of parameters that are learned. */
export function parameterCount(model: ExitModel): number {
  return [...learnedParams(model).values()].reduce((sum, { spec }) => sum + imageElements(spec), 0);
}

/** Finds the parameters that a node reads, itself or by way of what is computed from parameters alone, such as batch norm's scale. */
function parameterFinder(graph: Graph): (node: Node) => string[] {
  const names = new Map([...graph.params].map(([name, value]) => [value, name]));
  const producers = new Map(graph.nodes.map((node) => [node.out, node]));
  const behind = (value: Value): string[] => {
    const name = names.get(value);
    if (name !== undefined) return [name];
    const producer = isPerImage(graph.specs[value]!) ? undefined : producers.get(value);
    return producer === undefined ? [] : ofNode(producer);
  };
  const ofNode = (node: Node): string[] => [
    ...new Set(node.in.flatMap((value) => (value === null ? [] : behind(value)))),
  ];
  return ofNode;
}

const isA = <O extends OpName>(node: Node, op: O): node is Node<O> => node.op === op;

function kindOf(graph: Graph, node: Node): string {
  if (isA(node, "conv2d")) {
    const { stride, groups } = node.attrs;
    const [outputs, inputs, ...kernel] = imageDims(graph.specs[node.in[1]!]!);
    const grouping = groups === outputs && inputs === 1 ? "depthwise" : `${groups} groups`;
    const settings = [...(stride === 1 ? [] : [`stride ${stride}`]), ...(groups === 1 ? [] : [grouping])];
    return [`conv ${kernel.join("×")}`, ...settings].join(", ");
  }
  if (isA(node, "maxPool2d") || isA(node, "avgPool2d")) {
    const { kernel, stride } = node.attrs;
    const of = node.op === "maxPool2d" ? "max" : "average";
    return `${of} pool ${kernel}×${kernel}${stride === kernel ? "" : `, stride ${stride}`}`;
  }
  if (isA(node, "reshape")) return node.attrs.shape.length === 2 ? "flatten" : "reshape";
  return KINDS[node.op] ?? node.op;
}

const KINDS: Partial<Record<OpName, string>> = { channelAffine: "BN", relu: "ReLU" };
