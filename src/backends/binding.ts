import type { Graph } from "../graph/types.js";
import { BackendError } from "../util/errors.js";
import type { ParamSet, Slot } from "./backend.js";

/** @throws BackendError if the batch is not in 1 … maxBatch. */
export function checkBatch(batch: number, maxBatch: number): void {
  if (!Number.isInteger(batch) || batch < 1 || batch > maxBatch) {
    throw new BackendError(`Expected a batch of 1 to ${maxBatch} images but received ${batch}`);
  }
}

/** The slot of a parameter, an input or an output; an output that replaces an input or a parameter has that one's. */
export function slotFor(graph: Graph, params: ParamSet, io: ReadonlyMap<string, Slot>, name: string): Slot {
  const place = graph.alias.get(name) ?? name;
  if (graph.params.has(place)) return params.slot(place);
  const slot = io.get(place);
  if (slot === undefined)
    throw new BackendError(`Expected a slot for ${place} but received slots for ${[...io.keys()].join(", ")}`);
  return slot;
}
