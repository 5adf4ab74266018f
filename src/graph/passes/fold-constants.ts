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

/** A graph without the nodes that depend on parameters alone: what they compute is parameters of it. */
export interface SeparatedGraph {
  readonly graph: Graph;
  /** The graph before, and which of its values became parameters of what name. */
  readonly source: Graph;
  readonly folded: ReadonlyMap<string, Value>;
  /** The nodes that compute them, in order. */
  readonly constants: readonly Node[];
}

/**
 * Makes parameters of what depends on parameters alone; what nothing reads any more is gone. A convolution's weight with batch norm folded into it becomes
 * `<its name>.folded`.
 */
export function separateConstants(source: Graph): SeparatedGraph {
  const names = new Map<Value, string>([...source.params].map(([name, value]) => [value, name]));
  const taken = new Set([...source.params.keys(), ...source.inputs.keys(), ...source.outputs.keys()]);
  const nodes: Node[] = [];
  const constants: Node[] = [];
  const folded = new Map<string, Value>();
  for (const node of source.nodes) {
    if (!isConstant(source, node, names)) {
      nodes.push(node);
      continue;
    }
    constants.push(node);
    const name = unusedName(taken, origin(node, names));
    names.set(node.out, name);
    folded.set(name, node.out);
  }
  const graph = eliminateDeadCode({ ...source, nodes, params: new Map([...source.params, ...folded]) });
  return { graph, source, folded, constants };
}

/** Computes once and for all what depends on parameters alone, in float64; such values become parameters (see `separateConstants`), rounded to float32. */
export function foldConstants(graph: Graph, params: ReadonlyMap<string, Float32Array>): GraphWithParams {
  const separated = separateConstants(graph);
  return { graph: separated.graph, params: foldedParams(separated, params) };
}

/** The numbers of the parameters of a graph whose constants were separated. */
export function foldedParams(
  { graph, source, folded, constants }: SeparatedGraph,
  params: ReadonlyMap<string, Float32Array>,
): Map<string, Float32Array> {
  const known = new Map<Value, ReferenceTensor>();
  for (const [name, value] of source.params)
    known.set(value, { shape: concreteShape(source.specs[value]!, 1), data: params.get(name)! });
  for (const node of constants) known.set(node.out, evaluateNode(source, node, 1, known, "float64"));
  return new Map(
    [...graph.params.keys()].map((name): [string, Float32Array] => {
      const value = folded.get(name);
      return [name, value === undefined ? params.get(name)! : Float32Array.from(known.get(value)!.data)];
    }),
  );
}

function isConstant(graph: Graph, node: Node, known: ReadonlyMap<Value, string>): boolean {
  const { dtype, shape } = graph.specs[node.out]!;
  if (dtype !== "f32" || isPerImage({ dtype, shape })) return false;
  return node.in.every((value) => value === null || known.has(value));
}

/** The name of what the node works on, its first operand, where that has one. */
function origin(node: Node, names: ReadonlyMap<Value, string>): string {
  const first = node.in[0] ?? null;
  return originalName((first === null ? undefined : names.get(first)) ?? node.op);
}

/** The name of the parameter that a folded one was made of. */
export function originalName(name: string): string {
  return name.replace(/\.folded\d*$/, "");
}

function unusedName(taken: Set<string>, origin: string): string {
  let name = `${origin}.folded`;
  for (let i = 2; taken.has(name); i++) name = `${origin}.folded${i}`;
  taken.add(name);
  return name;
}
