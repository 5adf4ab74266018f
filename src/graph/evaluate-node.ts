import { opDef } from "../ops/index.js";
import type { NumberArray, ReferenceTensor } from "../ops/op.js";
import { concreteShape, product, type Spec } from "../ops/spec.js";
import type { Graph, Node, Value } from "./types.js";

export type Precision = "float32" | "float64";

/** An array for `count` elements of a spec's dtype at the given precision. */
function arrayFor(spec: Spec, count: number, precision: Precision): NumberArray {
  if (spec.dtype === "i32") return new Int32Array(count);
  return precision === "float64" ? new Float64Array(count) : new Float32Array(count);
}

/** What a node computes from `values`, which hold its inputs, by the operation's definition in plain TypeScript. */
export function evaluateNode(
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
