import { opDef, type AttrsOf, type OpName } from "../../ops/index.js";
import type { Spec } from "../../ops/spec.js";
import type { Graph, GraphWriter, Node, Value } from "../types.js";

/** A graph while a pass rewrites it: nodes are emitted in order, and values may be replaced by others. */
export class Rewriter implements GraphWriter {
  readonly nodes: Node[] = [];
  readonly #graph: Graph;
  readonly #specs: Spec[];
  readonly #replacement = new Map<Value, Value>();

  constructor(graph: Graph) {
    this.#graph = graph;
    this.#specs = [...graph.specs];
  }

  spec(value: Value): Spec {
    return this.#specs[value]!;
  }

  /** The value that stands for `value` by now. */
  resolve<V extends Value | null>(value: V): V {
    let current: Value | null = value;
    while (current !== null && this.#replacement.has(current)) current = this.#replacement.get(current)!;
    return current as V;
  }

  /** The node with its inputs resolved. */
  resolved(node: Node): Node {
    return { ...node, in: node.in.map((value) => this.resolve(value)) };
  }

  /** Emits a node of the old graph as it is. */
  keep(node: Node): void {
    this.nodes.push(node);
  }

  /** Emits a new node. */
  node<O extends OpName>(op: O, ins: readonly (Value | null)[], attrs: AttrsOf<O>): Value {
    const spec = opDef(op).infer(
      ins.map((value) => (value === null ? null : this.spec(value))),
      attrs,
    );
    const out = (this.#specs.push(spec) - 1) as Value;
    this.nodes.push({ op, in: ins, out, attrs } as Node);
    return out;
  }

  replace(value: Value, by: Value): void {
    this.#replacement.set(value, by);
  }

  /** The rewritten graph; nodes that nothing uses any more are for dead-code elimination to remove. */
  finish(): Graph {
    return {
      ...this.#graph,
      specs: this.#specs,
      nodes: this.nodes.map((node) => this.resolved(node)),
      outputs: new Map([...this.#graph.outputs].map(([name, value]) => [name, this.resolve(value)])),
    };
  }
}

/** How many times each value is used, outputs of the graph included. */
export function useCounts(graph: Graph): Int32Array {
  const uses = new Int32Array(graph.specs.length);
  for (const node of graph.nodes) for (const value of node.in) if (value !== null) uses[value]!++;
  for (const value of graph.outputs.values()) uses[value]!++;
  return uses;
}
