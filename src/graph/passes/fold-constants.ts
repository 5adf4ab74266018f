import type { ReferenceTensor } from "../../ops/op.js";
import { concreteShape, isPerImage } from "../../ops/spec.js";
import { evaluateNode } from "../evaluate-node.js";
import type { Graph, Node, Value } from "../types.js";
import { eliminateDeadCode } from "./dead-code.js";

/** A graph with the numbers of its parameters, row-major. */
export interface GraphWithParams {
  readonly graph: Graph;
  readonly params: ReadonlyMap<string, Float32Array>;
}

/**
 * Computes once and for all what depends on parameters alone, in float64: such values become parameters, rounded to float32, and what nothing
 * reads any more is gone. A convolution's weight with batch norm folded into it becomes `<its name>.folded`.
 */
export function foldConstants(graph: Graph, params: ReadonlyMap<string, Float32Array>): GraphWithParams {
  const known = new Map<Value, ReferenceTensor>();
  const names = new Map<Value, string>();
  for (const [name, value] of graph.params) {
    known.set(value, { shape: concreteShape(graph.specs[value]!, 1), data: params.get(name)! });
    names.set(value, name);
  }
  const taken = new Set([...graph.params.keys(), ...graph.inputs.keys(), ...graph.outputs.keys()]);
  const nodes: Node[] = [];
  const folded = new Map<string, Value>();
  for (const node of graph.nodes) {
    if (!isConstant(graph, node, known)) {
      nodes.push(node);
      continue;
    }
    known.set(node.out, evaluateNode(graph, node, 1, known, "float64"));
    const name = unusedName(taken, origin(node, names));
    names.set(node.out, name);
    folded.set(name, node.out);
  }
  const rest = eliminateDeadCode({ ...graph, nodes, params: new Map([...graph.params, ...folded]) });
  const numbers = [...rest.params.keys()].map((name): [string, Float32Array] => {
    const value = folded.get(name);
    return [name, value === undefined ? params.get(name)! : Float32Array.from(known.get(value)!.data)];
  });
  return { graph: rest, params: new Map(numbers) };
}

function isConstant(graph: Graph, node: Node, known: ReadonlyMap<Value, ReferenceTensor>): boolean {
  const { dtype, shape } = graph.specs[node.out]!;
  if (dtype !== "f32" || isPerImage({ dtype, shape })) return false;
  return node.in.every((value) => value === null || known.has(value));
}

/** The name of what the node works on, its first operand, where that has one. */
function origin(node: Node, names: ReadonlyMap<Value, string>): string {
  const first = node.in[0] ?? null;
  return ((first === null ? undefined : names.get(first)) ?? node.op).replace(/\.folded\d*$/, "");
}

function unusedName(taken: Set<string>, origin: string): string {
  let name = `${origin}.folded`;
  for (let i = 2; taken.has(name); i++) name = `${origin}.folded${i}`;
  taken.add(name);
  return name;
}
