import type { Value } from "../graph/types.js";
import { ShapeError } from "../util/errors.js";
import { expectSpecs, need, tensor, type NoAttrs, type OpDef } from "./op.js";
import { f32, formatSpec, isPerImage, product, sameSpec, type Spec } from "./spec.js";

/** [N,C] or [N,C,H,W]: the channel count. */
export function channelsOf(op: string, x: Spec): number {
  const channels = x.shape[1];
  if (
    !isPerImage(x) ||
    x.dtype !== "f32" ||
    (x.shape.length !== 2 && x.shape.length !== 4) ||
    typeof channels !== "number"
  ) {
    throw new ShapeError(op, `Expected [N,C] or [N,C,H,W], got ${formatSpec(x)}`);
  }
  return channels;
}

/** The channel of element i of a value of this shape. */
export const channelIndex = (shape: readonly number[]): ((i: number) => number) => {
  const pixels = product(shape.slice(2));
  return (i) => Math.floor(i / pixels) % shape[1]!;
};

/** x · scale + shift, a scale [C] and a shift [C] for each channel: batch norm with running statistics is this. */
export const channelAffine: OpDef<NoAttrs> = {
  name: "channelAffine",
  kind: "map",
  inPlace: true,
  infer(ins) {
    const x = need("channelAffine", ins, 0, "an input");
    const scale = need("channelAffine", ins, 1, "a scale");
    const shift = need("channelAffine", ins, 2, "a shift");
    const wanted = f32(channelsOf("channelAffine", x));
    expectSpecs(
      "channelAffine",
      sameSpec(scale, wanted) && sameSpec(shift, wanted),
      `scale and shift ${formatSpec(wanted)}`,
      {
        x,
        scale,
        shift,
      },
    );
    return x;
  },
  reference(ins, _attrs, out) {
    const [x, scale, shift] = [tensor(ins, 0), tensor(ins, 1), tensor(ins, 2)];
    const channel = channelIndex(out.shape);
    for (let i = 0; i < out.data.length; i++) {
      out.data[i] = x.data[i]! * scale.data[channel(i)]! + shift.data[channel(i)]!;
    }
  },
  vjp(g, node, ct, needs) {
    const [x, scale] = node.in as [Value, Value];
    const zero = (): Value => g.node("fill", [], { value: 0, shape: g.spec(scale).shape });
    return [
      needs[0] ? g.node("channelAffine", [ct, scale, zero()], {}) : null,
      needs[1] ? g.node("channelSum", [g.node("mul", [ct, x], {})], {}) : null,
      needs[2] ? g.node("channelSum", [ct], {}) : null,
    ];
  },
};

/** Sum over the batch and the pixels: [N,C] or [N,C,H,W] → [C]. The gradient of a bias. */
export const channelSum: OpDef<NoAttrs> = {
  name: "channelSum",
  kind: "reduce",
  infer: (ins) => f32(channelsOf("channelSum", need("channelSum", ins, 0, "an input"))),
  reference(ins, _attrs, out) {
    const x = tensor(ins, 0);
    const channel = channelIndex(x.shape);
    for (let i = 0; i < x.data.length; i++) out.data[channel(i)]! += x.data[i]!;
  },
};

/** w [O,…] with row o multiplied by scale [O]: how a scale for each output channel is folded into a weight. */
export const scaleRows: OpDef<NoAttrs> = {
  name: "scaleRows",
  kind: "map",
  inPlace: true,
  infer(ins) {
    const w = need("scaleRows", ins, 0, "a weight");
    const scale = need("scaleRows", ins, 1, "a scale");
    expectSpecs(
      "scaleRows",
      !isPerImage(w) && w.shape.length > 0 && sameSpec(scale, f32(w.shape[0]!)),
      "one scale a row",
      {
        w,
        scale,
      },
    );
    return w;
  },
  reference(ins, _attrs, out) {
    const row = product(out.shape.slice(1));
    for (let i = 0; i < out.data.length; i++) {
      out.data[i] = tensor(ins, 0).data[i]! * tensor(ins, 1).data[Math.floor(i / row)]!;
    }
  },
};
