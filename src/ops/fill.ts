import { float, type OpDef } from "./op.js";
import { f32, type Shape } from "./spec.js";

export interface FillAttrs {
  readonly value: number;
  readonly shape: Shape;
}

/** A constant. */
export const fill: OpDef<FillAttrs> = {
  name: "fill",
  kind: "map",
  infer: (_ins, attrs) => f32(...attrs.shape),
  reference(_ins, attrs, out) {
    out.data.fill(attrs.value);
  },
  vjp: () => [],
  encode: (attrs) => [float(attrs.value)],
};
