import type { Graph, Node, Value } from "../types.js";
import { Rewriter, useCounts } from "./rewrite.js";

/**
 * Folds a channel-wise affine map (batch norm with running statistics) that follows a convolution into its weight and bias:
 * (w * x + b)·s + t = (s·w) * x + (b·s + t); and in the gradient, a scaling before the transposed convolution into its weight: wᵀ * (s·dy) = (s·w)ᵀ * dy.
 * The products are of whole values, so they are computed once for each version of the parameters.
 */
export function foldBatchNorm(graph: Graph): Graph {
  const rewriter = new Rewriter(graph);
  const uses = useCounts(graph);
  const convolutions = new Map<Value, Node<"conv2d">>();
  const zeros = new Set<Value>();
  const scalings = new Map<Value, Node<"channelAffine">>();
  for (const original of graph.nodes) {
    const node = rewriter.resolved(original);
    if (node.op === "fill" && (node as Node<"fill">).attrs.value === 0) zeros.add(node.out);
    if (node.op === "channelAffine" && zeros.has(node.in[2]!) && uses[node.out] === 1)
      scalings.set(node.out, node as Node<"channelAffine">);
    const scaling = node.op === "conv2dInputGrad" ? scalings.get(node.in[0]!) : undefined;
    if (scaling !== undefined) {
      const [dy, scale] = scaling.in as [Value, Value];
      const { in: ins, attrs, out } = node as Node<"conv2dInputGrad">;
      const scaled = rewriter.node("scaleRows", [ins[1]!, scale], {});
      rewriter.replace(out, rewriter.node("conv2dInputGrad", [dy, scaled, ...ins.slice(2)], attrs));
      continue;
    }
    const conv = node.op === "channelAffine" ? convolutions.get(node.in[0]!) : undefined;
    if (conv === undefined || uses[conv.out] !== 1) {
      if (isPlainConvolution(node)) convolutions.set(node.out, node);
      rewriter.keep(node);
      continue;
    }
    const [x, weight, bias] = conv.in as [Value, Value, Value | null];
    const [, scale, shift] = node.in as [Value, Value, Value];
    const foldedWeight = rewriter.node("scaleRows", [weight, scale], {});
    const foldedBias =
      bias === null ? shift : rewriter.node("add", [rewriter.node("mul", [bias, scale], {}), shift], {});
    rewriter.replace(node.out, rewriter.node("conv2d", [x, foldedWeight, foldedBias, null], conv.attrs));
  }
  return rewriter.finish();
}

function isPlainConvolution(node: Node): node is Node<"conv2d"> {
  return node.op === "conv2d" && (node.in[3] ?? null) === null && !(node as Node<"conv2d">).attrs.relu;
}
