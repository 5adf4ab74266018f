import { ArgumentError } from "../../util/errors.js";
import type { Graph, Node, Value } from "../types.js";

/** A stretch of a network between two exits. */
export interface Segment {
  /** The exit that the segment ends with. */
  readonly exit: number;
  /** Its nodes, in order. */
  readonly nodes: readonly Node[];
  /** Per-image values of earlier segments, or inputs of the graph, that this segment or a later one still needs. */
  readonly boundary: readonly Value[];
}

/**
 * Splits a graph at its exits: segment k holds exactly the nodes that its exit needs and no earlier exit needed, so that running segments 1 … k
 * costs what exit k costs in the full ledger.
 *
 * @param exits for each active exit, in order: its number, and its outputs' names
 */
export function splitAtExits(graph: Graph, exits: readonly { exit: number; outputs: readonly string[] }[]): Segment[] {
  const producer = new Map(graph.nodes.map((node) => [node.out, node]));
  const owner = new Map<Node, number>();
  exits.forEach(({ outputs }, k) => {
    const pending = outputs.map((name) => {
      const value = graph.outputs.get(name);
      if (value === undefined)
        throw new ArgumentError(`Expected an output of the graph for an exit but received ${name}`);
      return value;
    });
    while (pending.length > 0) {
      const node = producer.get(pending.pop()!);
      if (node === undefined || owner.has(node)) continue;
      owner.set(node, k);
      for (const value of node.in) if (value !== null) pending.push(value);
    }
  });

  const perImage = (value: Value): boolean => graph.specs[value]!.shape[0] === "N";
  const lastUse = new Map<Value, number>();
  for (const [node, k] of owner) {
    for (const value of node.in) if (value !== null) lastUse.set(value, Math.max(lastUse.get(value) ?? 0, k));
  }
  const born = (value: Value): number => {
    const node = producer.get(value);
    return node === undefined ? 0 : owner.get(node)!;
  };
  return exits.map(({ exit }, k) => ({
    exit,
    nodes: graph.nodes.filter((node) => owner.get(node) === k),
    boundary:
      k === 0
        ? []
        : [...lastUse]
            .filter(([value, last]) => perImage(value) && born(value) < k && last >= k)
            .map(([value]) => value),
  }));
}
