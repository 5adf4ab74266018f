import { opDef } from "../ops/index.js";
import { sliceTo } from "./passes/dead-code.js";
import type { Graph, Node } from "./types.js";

/** Cost of an image, in the two ledgers of the documentation. */
export interface Macs {
  /** As the paper counts: convolutions of the trunk up to the exit and of that exit's branch alone; in units of 2²⁰ multiply-accumulates. */
  readonly paper: number;
  /** Everything that ran, earlier branches and linear layers included; in millions (10⁶) of multiply-accumulates. */
  readonly full: number;
}

const PAPER_UNIT = 2 ** 20;
const FULL_UNIT = 1e6;

/** Multiply-accumulates of a node, of one image where it is per image. */
export function nodeMacs(graph: Graph, node: Node): number {
  const specs = node.in.map((value) => (value === null ? null : graph.specs[value]!));
  return opDef(node.op).macs?.(specs, node.attrs) ?? 0;
}

/** Multiply-accumulates of the graph for one image, as it stands. */
export function graphMacs(graph: Graph, counts: (node: Node) => boolean = () => true): number {
  return graph.nodes.reduce((sum, node) => sum + (counts(node) ? nodeMacs(graph, node) : 0), 0);
}

/**
 * Cost of leaving at each of `exits` (names of outputs, in order). The paper's ledger charges an exit the nodes that its own logits need; the full
 * one those that any exit up to it needs.
 */
export function exitMacs(graph: Graph, exits: readonly string[]): Macs[] {
  return exits.map((exit, i) => {
    const own = sliceTo(graph, [exit]);
    const all = sliceTo(graph, exits.slice(0, i + 1));
    return {
      paper: graphMacs(own, (node) => opDef(node.op).inPaperLedger === true) / PAPER_UNIT,
      full: graphMacs(all) / FULL_UNIT,
    };
  });
}
