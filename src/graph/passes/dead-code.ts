import type { Spec } from "../../ops/spec.js";
import type { Graph, Node, Value } from "../types.js";

/** Removes what no output needs — nodes, inputs and parameters — and renumbers the values. */
export function eliminateDeadCode(graph: Graph): Graph {
  const live = new Set(graph.outputs.values());
  const nodes: Node[] = [];
  for (const node of [...graph.nodes].reverse()) {
    if (!live.has(node.out)) continue;
    nodes.push(node);
    for (const value of node.in) if (value !== null) live.add(value);
  }
  // What an output replaces stays, even where nothing else reads it: it is where the output goes.
  for (const name of graph.alias.values()) live.add((graph.inputs.get(name) ?? graph.params.get(name))!);

  const specs: Spec[] = [];
  const renumbered = new Map<Value, Value>();
  const number = (value: Value): Value => {
    const known = renumbered.get(value);
    if (known !== undefined) return known;
    const next = (specs.push(graph.specs[value]!) - 1) as Value;
    renumbered.set(value, next);
    return next;
  };
  const keepLive = (table: ReadonlyMap<string, Value>): Map<string, Value> =>
    new Map([...table].filter(([, value]) => live.has(value)).map(([name, value]) => [name, number(value)]));
  return {
    specs,
    inputs: keepLive(graph.inputs),
    params: keepLive(graph.params),
    nodes: nodes.reverse().map((node) => ({
      ...node,
      in: node.in.map((value) => (value === null ? null : number(value))),
      out: number(node.out),
    })),
    outputs: new Map([...graph.outputs].map(([name, value]) => [name, number(value)])),
    alias: graph.alias,
  };
}

/** Only these outputs, and what they need: the prefix up to an exit, say. */
export function sliceTo(graph: Graph, outputs: readonly string[]): Graph {
  const kept = new Map([...graph.outputs].filter(([name]) => outputs.includes(name)));
  const alias = new Map([...graph.alias].filter(([name]) => kept.has(name)));
  return eliminateDeadCode({ ...graph, outputs: kept, alias });
}
