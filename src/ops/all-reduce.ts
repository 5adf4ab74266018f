import { expectSpecs, need, tensor, type OpDef } from "./op.js";
import { isPerImage } from "./spec.js";

export interface AllReduceAttrs {
  /** Each device's value counts as its images do among all. */
  readonly mean: boolean;
}

/** The sum, or mean, over the devices that share a batch, which all of them get; on one device the value itself: [...] → [...]. */
export const allReduce: OpDef<AllReduceAttrs> = {
  name: "allReduce",
  kind: "map",
  inPlace: true,
  infer(ins) {
    const x = need("allReduce", ins, 0, "an input");
    expectSpecs("allReduce", !isPerImage(x) && x.dtype === "f32", "a whole f32 value", { x });
    return x;
  },
  reference(ins, _attrs, out) {
    out.data.set(tensor(ins, 0).data);
  },
  encode: ({ mean }) => [Number(mean)],
};
