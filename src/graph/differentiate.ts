import { opDef } from "../ops/index.js";
import { isQuantized } from "../ops/quantized.js";
import { isPerImage } from "../ops/spec.js";
import { ArgumentError } from "../util/errors.js";
import type { GraphBuilder } from "./builder.js";
import type { Value } from "./types.js";

/**
 * Appends to `g` the gradient of `loss` with respect to each of `wrt`, by reverse accumulation over the nodes between them, and returns the
 * gradients' values. A `loss` of one scalar an image, [N], stands for its sum over the batch.
 *
 * @throws ArgumentError if the loss is neither [] nor [N], or an operation on the way has no gradient.
 */
export function differentiate(g: GraphBuilder, loss: Value, wrt: readonly Value[]): Value[] {
  const shape = g.spec(loss).shape;
  if (shape.length > 1 || (shape.length === 1 && !isPerImage(g.spec(loss)))) {
    throw new ArgumentError(`Expected a loss of shape [] or [N] but received [${shape.join(",")}]`);
  }
  const forward = [...g.nodes];
  const active = dependents(forward, new Set(wrt));
  const gradients = new Map<Value, Value>();
  gradients.set(loss, g.node("fill", [], { value: 1, shape }));

  for (const node of forward.reverse()) {
    const ct = gradients.get(node.out);
    if (ct === undefined || !active.has(node.out)) continue;
    const needs = node.in.map((value) => value !== null && active.has(value));
    if (!needs.includes(true)) continue;
    const def = opDef(node.op);
    if (isQuantized(node.op))
      throw new ArgumentError(
        `Expected a network of floats for gradients but received one in int8 (${node.op}): train and attack the weights that it was quantized from`,
      );
    if (def.vjp === undefined) throw new ArgumentError(`Expected a differentiable operation but received ${node.op}`);
    const contributions = def.vjp(g, node, ct, needs);
    node.in.forEach((value, i) => {
      const contribution = contributions[i] ?? null;
      if (value === null || contribution === null || !needs[i]) return;
      const sum = gradients.get(value);
      gradients.set(value, sum === undefined ? contribution : g.node("add", [sum, contribution], {}));
    });
  }
  return wrt.map((value) => gradients.get(value) ?? g.node("fill", [], { value: 0, shape: g.spec(value).shape }));
}

/** The values that depend on any of `sources`, those included. */
function dependents(
  nodes: readonly { in: readonly (Value | null)[]; out: Value }[],
  sources: ReadonlySet<Value>,
): Set<Value> {
  const found = new Set(sources);
  for (const node of nodes) {
    if (node.in.some((value) => value !== null && found.has(value))) found.add(node.out);
  }
  return found;
}
