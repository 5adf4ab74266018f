import type { Conv2dInputGradAttrs } from "../../ops/conv2d.js";
import { takesMaskBits } from "../../ops/mask-bits.js";
import type { Graph, Node, Value } from "../types.js";
import { Rewriter } from "./rewrite.js";

/** Of the operations that read a value only to know where it is positive: which input that is. */
function maskInput({ op, attrs }: Node): number | undefined {
  if (op === "reluGrad") return 1;
  return op === "conv2dInputGrad" && (attrs as Conv2dInputGradAttrs).groups === 1 ? 3 : undefined;
}

/**
 * Keeps one bit an element of the activations that only the masks of ReLUs still read in the backward pass. An image's activations then take a fraction of the
 * memory, so that more images stay in the cache together.
 */
export function packMasks(graph: Graph): Graph {
  const lastValueUse = new Map<Value, number>();
  const firstMaskUse = new Map<Value, number>();
  graph.nodes.forEach((node, time) => {
    node.in.forEach((value, i) => {
      if (value === null) return;
      if (i !== maskInput(node)) lastValueUse.set(value, time);
      else if (!firstMaskUse.has(value)) firstMaskUse.set(value, time);
    });
  });
  for (const value of graph.outputs.values()) lastValueUse.set(value, Infinity);
  const packs = (value: Value): boolean =>
    takesMaskBits(graph.specs[value]!) && (firstMaskUse.get(value) ?? -1) > (lastValueUse.get(value) ?? Infinity);

  const rewriter = new Rewriter(graph);
  const bits = new Map<Value, Value>();
  for (const node of graph.nodes) {
    const mask = maskInput(node);
    rewriter.keep({
      ...node,
      in: node.in.map((value, i) => (i === mask && value !== null ? (bits.get(value) ?? value) : value)),
    });
    if (packs(node.out)) bits.set(node.out, rewriter.node("positiveBits", [node.out], {}));
  }
  return rewriter.finish();
}
