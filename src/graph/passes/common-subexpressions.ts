import type { Graph, Value } from "../types.js";
import { Rewriter } from "./rewrite.js";

/** Computes equal nodes (operation, inputs, attributes) once. Random draws are equal too: they are functions of their seed. */
export function eliminateCommonSubexpressions(graph: Graph): Graph {
  const rewriter = new Rewriter(graph);
  const seen = new Map<string, Value>();
  for (const original of graph.nodes) {
    const node = rewriter.resolved(original);
    const key = JSON.stringify([node.op, node.in, node.attrs]);
    const twin = seen.get(key);
    if (twin === undefined) {
      seen.set(key, node.out);
      rewriter.keep(node);
    } else {
      rewriter.replace(node.out, twin);
    }
  }
  return rewriter.finish();
}
