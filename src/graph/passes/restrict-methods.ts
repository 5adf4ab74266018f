import type { ConvAttrs, ConvMethods } from "../../ops/conv2d.js";
import type { OpName } from "../../ops/index.js";
import type { Graph, Node, Value } from "../types.js";

/**
 * "fast": the fastest methods whose rounding does no harm. "strict" or "fp32": convolutions as plain sums of products of 32-bit floats, as PyTorch's. The
 * others name what factors are rounded to before they are multiplied; sums are 32-bit floats in all of them.
 */
export const PRECISIONS = ["fast", "strict", "fp32", "tf32", "fp16", "bf16"] as const;
export type Precision = (typeof PRECISIONS)[number];

export function isStrict(precision: Precision): boolean {
  return precision === "strict" || precision === "fp32";
}

const CONVOLUTIONS: readonly OpName[] = ["conv2d", "conv2dInputGrad", "conv2dWeightGrad"];

/**
 * Restricts the methods of convolutions where rounding matters.
 *
 * Everywhere in strict precision. Otherwise only those whose output, or its ReLU, the gradient of a max pool reads: on flat ground, such
 * as the background of a digit, many of their outputs are equal, and the gradient of a maximum goes to the first of them; were they
 * rounded apart, it would go anywhere.
 */
export function restrictMethods(graph: Graph, precision: Precision): Graph {
  if (isStrict(precision)) return withMethods(graph, "direct", (node) => CONVOLUTIONS.includes(node.op));
  const producer = new Map<Value, Node>(graph.nodes.map((node) => [node.out, node]));
  const pooled = new Set<Node | undefined>();
  for (const node of graph.nodes) {
    if (node.op !== "maxPool2dGrad") continue;
    const source = producer.get(node.in[1]!);
    pooled.add(source?.op === "relu" ? producer.get(source.in[0]!) : source);
  }
  return withMethods(graph, "local", (node) => node.op === "conv2d" && pooled.has(node));
}

function withMethods(graph: Graph, methods: ConvMethods, applies: (node: Node) => boolean): Graph {
  const restricted = (node: Node): Node => ({ ...node, attrs: { ...(node.attrs as ConvAttrs), methods } });
  return { ...graph, nodes: graph.nodes.map((node) => (applies(node) ? restricted(node) : node)) };
}
