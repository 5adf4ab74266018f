import { foldedParams, originalName, separateConstants, type SeparatedGraph } from "../graph/passes/fold-constants.js";
import { optimize } from "../graph/passes/optimize.js";
import type { Graph, Node, Value } from "../graph/types.js";
import type { OpName } from "../ops/index.js";
import { MAX_SIGNED, MAX_UNSIGNED, wordsOfRow, type InputLevels } from "../ops/quantized.js";
import { f32, i32, imageElements, type Spec } from "../ops/spec.js";
import { apply } from "../tensor/apply.js";
import type { Tensor } from "../tensor/tensor.js";
import { ArgumentError } from "../util/errors.js";
import { inferenceGraph, logitNames, type ExitModel } from "./exit-model.js";
import type { Initializer } from "./init.js";
import type { ParamSpec, Scope } from "./layers.js";

/** The values that a layer's input takes: 0 … high, or −high … high. */
export interface InputRange {
  /** Positive. */
  readonly high: number;
  readonly signed: boolean;
}

/** By layer: what its weight's name begins with. */
export type InputRanges = ReadonlyMap<string, InputRange>;

/** The integers that a layer's input becomes: 255 of them for `high`, or 127 where there are negative ones. */
export function levelsOf({ high, signed }: InputRange): InputLevels {
  return { levels: Math.fround((signed ? MAX_SIGNED : MAX_UNSIGNED) / high), signed };
}

/** A layer that can compute in integers: a convolution without groups, or a linear layer. */
export interface QuantizableLayer {
  /** What its weight's name begins with. */
  readonly name: string;
  readonly node: Node<"conv2d"> | Node<"linear">;
  /** Of its weight, [O,…]. */
  readonly weight: Spec;
  /** Names of its parameters in the folded graph. */
  readonly weightName: string;
  readonly biasName: string | undefined;
  readonly input: Value;
}

/** A model's inference with batch norm folded into convolutions and epilogues fused: what is quantized. Its outputs are the logits of the exits. */
export interface FoldedModel {
  readonly separated: SeparatedGraph;
  readonly layers: readonly QuantizableLayer[];
}

export function foldModel(model: ExitModel): FoldedModel {
  const separated = separateConstants(optimize(logitsOf(model)));
  return { separated, layers: quantizableLayers(separated.graph) };
}

/** The folded weights of a folded model, by their names in its graph. */
export function foldWeights(
  { separated }: FoldedModel,
  weights: ReadonlyMap<string, Float32Array>,
): Map<string, Float32Array> {
  return foldedParams(separated, weights);
}

/** The optimized inference graph with the inputs of its layers as outputs, named as the layers: what ranges are found by. */
export function layerInputGraph(model: ExitModel): Graph {
  const graph = optimize(logitsOf(model));
  const { layers } = foldModel(model);
  // Separating constants renumbers values but leaves the nodes in order.
  const nodes = quantizableNodes(graph);
  return { ...graph, outputs: new Map(layers.map(({ name }, i) => [name, nodes[i]!.in[0]!])) };
}

function logitsOf(model: ExitModel): Graph {
  const graph = inferenceGraph(model);
  const names = new Set(logitNames(model));
  return { ...graph, outputs: new Map([...graph.outputs].filter(([name]) => names.has(name))) };
}

function quantizableNodes(graph: Graph): QuantizableLayer["node"][] {
  return graph.nodes.filter(
    (node): node is QuantizableLayer["node"] =>
      node.op === "linear" || (node.op === "conv2d" && (node as Node<"conv2d">).attrs.groups === 1),
  );
}

function quantizableLayers(graph: Graph): QuantizableLayer[] {
  const names = new Map([...graph.params].map(([name, value]) => [value, name]));
  return quantizableNodes(graph).map((node) => {
    const [input, weight, bias] = node.in as [Value, Value, Value | null | undefined];
    const weightName = names.get(weight)!;
    return {
      name: originalName(weightName).replace(/\.weight$/, ""),
      node,
      weight: graph.specs[weight]!,
      weightName,
      biasName: bias === null || bias === undefined ? undefined : names.get(bias)!,
      input,
    };
  });
}

/**
 * The model whose convolutions and linear layers compute in integers of 8 bits; convolutions in groups, pooling and the rest in float32. Its parameters are, of
 * each layer, `<layer>.weight` (see `packWeight`), `<layer>.scale` (what one of the sums is worth) and `<layer>.bias`; of the rest, those of the folded graph.
 *
 * @param ranges of the inputs of all its layers
 * @throws ArgumentError if a layer's range is missing
 */
export function quantizedModel(float: ExitModel, ranges: InputRanges): ExitModel {
  const { separated, layers } = foldModel(float);
  const { graph } = separated;
  const layerOf = new Map<Node, QuantizableLayer>(layers.map((layer) => [layer.node, layer]));
  const levels = new Map(layers.map(({ name }) => [name, levelsOf(rangeOf(float, ranges, name))]));
  const params = quantizedParams(float, graph, layers);
  const names = new Map([...graph.params].map(([name, value]) => [value, name]));

  const forward = (images: Tensor, scope: Scope): Tensor[] => {
    const tensors = new Map<Value, Tensor>([[graph.inputs.get("images")!, images]]);
    const at = (value: Value | null | undefined): Tensor | null =>
      value === null || value === undefined ? null : (tensors.get(value) ?? scope.param(names.get(value)!));
    for (const node of graph.nodes) {
      const layer = layerOf.get(node);
      const result =
        layer === undefined
          ? apply<OpName>(node.op, node.in.map(at), node.attrs)
          : applyQuantized(layer, levels.get(layer.name)!, scope, at);
      tensors.set(node.out, result);
    }
    return logitNames(float).map((name) => tensors.get(graph.outputs.get(name)!)!);
  };
  return { ...float, backbone: float.backbone, params, forward, quantization: { float, ranges } };
}

function applyQuantized(
  { name, node, weight, biasName }: QuantizableLayer,
  levels: InputLevels,
  scope: Scope,
  at: (value: Value | null | undefined) => Tensor | null,
): Tensor {
  const operands = [
    at(node.in[0]),
    scope.param(`${name}.weight`),
    scope.param(`${name}.scale`),
    biasName === undefined ? null : scope.param(`${name}.bias`),
  ];
  if (node.op === "linear") return apply("quantizedLinear", operands, { ...levels, relu: node.attrs.relu });
  const { stride, padding, relu } = node.attrs;
  const [, , ...kernel] = weight.shape as [number, number, number, number];
  return apply("quantizedConv2d", [...operands, at(node.in[3])], { ...levels, stride, padding, kernel, relu });
}

function quantizedParams(
  float: ExitModel,
  graph: Graph,
  layers: readonly QuantizableLayer[],
): ReadonlyMap<string, ParamSpec> {
  const init: Initializer = () => {
    throw new ArgumentError(`Expected a model of floats to start from but received ${float.name} in int8`);
  };
  const params = new Map<string, ParamSpec>();
  const own = new Set<string>();
  for (const { name, weight, weightName, biasName } of layers) {
    const outputs = weight.shape[0] as number;
    params.set(`${name}.weight`, { spec: i32(outputs, wordsOfRow(imageElements(weight) / outputs)), init });
    params.set(`${name}.scale`, { spec: f32(outputs), init });
    if (biasName !== undefined) params.set(`${name}.bias`, { spec: f32(outputs), init });
    own.add(weightName).add(biasName ?? weightName);
  }
  for (const [name, value] of graph.params) if (!own.has(name)) params.set(name, { spec: graph.specs[value]!, init });
  return params;
}

function rangeOf(model: ExitModel, ranges: InputRanges, layer: string): InputRange {
  const range = ranges.get(layer);
  if (range === undefined)
    throw new ArgumentError(`Expected the range of the input of ${layer} of ${model.name} but received none`);
  return range;
}

/** What the values of a graph input of images lie in. */
export const IMAGE_RANGE: InputRange = { high: 1, signed: false };

/** @throws ArgumentError unless the model computes in floats */
export function expectFloat(model: ExitModel, what: string): void {
  if (model.quantization !== undefined)
    throw new ArgumentError(
      `Expected a network of floats for ${what} but received ${model.name} in int8: take the weights that it was quantized from`,
    );
}
