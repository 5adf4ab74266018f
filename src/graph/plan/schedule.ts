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

/** Gives every node the earliest stage at which its inputs are there. */
export function schedule(graph: Graph): Schedule {
  const stageOf = new Map<Node, Stage>();
  const availableFrom = new Map<Value, Stage>();
  for (const value of graph.params.values()) availableFrom.set(value, PARAMETER_STAGE);
  for (const value of graph.inputs.values()) availableFrom.set(value, isPerImage(graph.specs[value]!) ? 1 : 0);
  for (const node of graph.nodes) {
    const ready = Math.max(
      PARAMETER_STAGE,
      ...node.in.map((value) => (value === null ? PARAMETER_STAGE : availableFrom.get(value)!)),
    );
    const reduces = opDef(node.op).kind === "reduce";
    const tiled = reduces || isPerImage(graph.specs[node.out]!);
    // A whole node reads no per-image values, so `ready` is a whole stage for it; a tiled one joins the tiled stage at or after `ready`.
    const stage = tiled ? Math.max(1, ready + Number(!isTiled(ready))) : ready;
    stageOf.set(node, stage);
    availableFrom.set(node.out, reduces ? stage + 1 : stage);
  }
  return { stageOf, availableFrom };
}
