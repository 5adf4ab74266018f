import type { Graph, Node, Value } from "../../graph/types.js";
import { opDef } from "../../ops/index.js";
import type { NumberArray, ReferenceTensor } from "../../ops/op.js";
import { concreteShape, product, type Spec } from "../../ops/spec.js";
import { ArgumentError } from "../../util/errors.js";

export type Precision = "float32" | "float64";

/** An array for `count` elements of a spec's dtype at the given precision. */
export function arrayFor(spec: Spec, count: number, precision: Precision): NumberArray {
  if (spec.dtype === "i32") return new Int32Array(count);
  return precision === "float64" ? new Float64Array(count) : new Float32Array(count);
}

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

function evaluateNode(
  graph: Graph,
  node: Node,
  batch: number,
  values: ReadonlyMap<Value, ReferenceTensor>,
  precision: Precision,
): ReferenceTensor {
  const spec = graph.specs[node.out]!;
  const shape = concreteShape(spec, batch);
  const out = { shape, data: arrayFor(spec, product(shape), precision) };
  const ins = node.in.map((value) => (value === null ? null : values.get(value)!));
  opDef(node.op).reference(ins, node.attrs, out);
  return out;
}
