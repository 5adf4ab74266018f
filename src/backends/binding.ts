import type { Graph } from "../graph/types.js";
import { BackendError } from "../util/errors.js";
import { imageElements, isPerImage, type Spec } from "../ops/spec.js";
import type { Backend, ParamSet, Slot } from "./backend.js";

/** @throws BackendError if the batch is not in 1 … maxBatch. */
export function checkBatch(batch: number, maxBatch: number): void {
  if (!Number.isInteger(batch) || batch < 1 || batch > maxBatch) {
    throw new BackendError(`Expected a batch of 1 to ${maxBatch} images but received ${batch}`);
  }
}

/** A slot for a value: of a row for each image of up to `batch`, or of the whole. */
export function allocFor(backend: Backend, spec: Spec, batch: number): Slot {
  const bytes = 4 * imageElements(spec);
  return isPerImage(spec) ? backend.alloc(batch * bytes, bytes) : backend.alloc(bytes);
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
