import { evaluateNode, type Precision } from "../../graph/evaluate-node.js";
import type { Graph, Value } from "../../graph/types.js";
import type { NumberArray, ReferenceTensor } from "../../ops/op.js";
import { concreteShape, product } from "../../ops/spec.js";
import { ArgumentError } from "../../util/errors.js";

/**
 * Evaluates a graph in plain TypeScript, node by node over the whole batch.
 *
 * @param sources an array for every input and parameter of the graph, row-major and NCHW
 * @returns an array for every output
 */
export function evaluate(
  graph: Graph,
  batch: number,
  sources: ReadonlyMap<string, NumberArray>,
  precision: Precision = "float64",
): Map<string, NumberArray> {
  const values = new Map<Value, ReferenceTensor>();
  for (const [name, value] of [...graph.inputs, ...graph.params]) {
    const shape = concreteShape(graph.specs[value]!, batch);
    const data = sources.get(name);
    if (data === undefined || data.length !== product(shape)) {
      throw new ArgumentError(`Expected ${product(shape)} elements for ${name} but received ${data?.length ?? "none"}`);
    }
    values.set(value, { shape, data });
  }
  for (const node of graph.nodes) values.set(node.out, evaluateNode(graph, node, batch, values, precision));
  return new Map([...graph.outputs].map(([name, value]) => [name, values.get(value)!.data]));
}
