import { opDef } from "../../ops/index.js";
import { isPerImage } from "../../ops/spec.js";
import type { Graph, Node, Value } from "../types.js";

/**
 * When a node runs. Parameter stage: −1. Then whole and tiled stages take turns: whole stage k is 2k, tiled stage k is 2k + 1. A tiled stage runs
 * per-image nodes tile by tile; what it reduces over the batch is there from the next whole stage on.
 */
export type Stage = number;

export const PARAMETER_STAGE: Stage = -1;

export function isTiled(stage: Stage): boolean {
  return stage >= 0 && stage % 2 === 1;
}

export interface Schedule {
  readonly stageOf: ReadonlyMap<Node, Stage>;
  /** The stage from which each value can be read; −1 for what depends on parameters alone. */
  readonly availableFrom: ReadonlyMap<Value, Stage>;
}

/**
 * Gives every node the earliest stage at which its inputs are there; sums over devices that follow each other in the graph have that of the last of them, so
 * that they are made together.
 */
export function schedule(graph: Graph): Schedule {
  const stageOf = new Map<Node, Stage>();
  const availableFrom = new Map<Value, Stage>();
  for (const value of graph.params.values()) availableFrom.set(value, PARAMETER_STAGE);
  for (const value of graph.inputs.values()) availableFrom.set(value, isPerImage(graph.specs[value]!) ? 1 : 0);
  const readyFor = (node: Node): Stage =>
    Math.max(
      PARAMETER_STAGE,
      ...node.in.map((value) => (value === null ? PARAMETER_STAGE : availableFrom.get(value)!)),
    );
  for (const [i, node] of graph.nodes.entries()) {
    // A sum over devices is made in every run.
    const ready = node.op === "allReduce" ? Math.max(0, ...sumsFrom(graph.nodes, i).map(readyFor)) : readyFor(node);
    const reduces = opDef(node.op).kind === "reduce";
    const tiled = reduces || isPerImage(graph.specs[node.out]!);
    // A whole node reads no per-image values, so `ready` is a whole stage for it; a tiled one joins the tiled stage at or after `ready`.
    const stage = tiled ? Math.max(1, ready + Number(!isTiled(ready))) : ready;
    stageOf.set(node, stage);
    availableFrom.set(node.out, reduces ? stage + 1 : stage);
  }
  return { stageOf, availableFrom };
}

/** The sums over devices around node `i`, one itself. */
function sumsFrom(nodes: readonly Node[], i: number): readonly Node[] {
  const isSum = (node: Node | undefined): boolean => node?.op === "allReduce";
  let [first, end] = [i, i];
  while (isSum(nodes[first - 1])) first--;
  while (isSum(nodes[end])) end++;
  return nodes.slice(first, end);
}
