import { expectSpecs, need, tensor, type NoAttrs, type OpDef } from "./op.js";
import { f32, imageElements, isPerImage, sameSpec, type Shape } from "./spec.js";

/** Sum of each image's elements: [N,…] → [N]. */
export const sumPerImage: OpDef<NoAttrs> = {
  name: "sumPerImage",
  kind: "map",
  infer(ins) {
    const x = need("sumPerImage", ins, 0, "an input");
    expectSpecs("sumPerImage", isPerImage(x) && x.dtype === "f32", "a per-image f32 value", { x });
    return f32("N");
  },
  reference(ins, _attrs, out) {
    const x = tensor(ins, 0).data;
    const row = x.length / out.data.length;
    for (let i = 0; i < x.length; i++) out.data[Math.floor(i / row)]! += x[i]!;
  },
  vjp: (g, node, ct) => [g.node("expand", [ct], { shape: g.spec(node.in[0]!).shape })],
};

/** Sum of a whole value's elements → []. */
export const sumAll: OpDef<NoAttrs> = {
  name: "sumAll",
  kind: "map",
  infer(ins) {
    const x = need("sumAll", ins, 0, "an input");
    expectSpecs(
      "sumAll",
      !isPerImage(x) && x.dtype === "f32",
      "a whole f32 value (for per-image values: sumPerImage, reduceBatch)",
      { x },
    );
    return f32();
  },
  reference(ins, _attrs, out) {
    for (const v of tensor(ins, 0).data) out.data[0]! += v;
  },
  vjp: (g, node, ct) => [g.node("expand", [ct], { shape: g.spec(node.in[0]!).shape })],
};

export interface BatchAttrs {
  /** Divide by the number of images. */
  readonly mean: boolean;
}

/** Sum or mean over the batch: [N] → []. */
export const reduceBatch: OpDef<BatchAttrs> = {
  name: "reduceBatch",
  kind: "reduce",
  infer(ins) {
    const x = need("reduceBatch", ins, 0, "an input");
    expectSpecs("reduceBatch", sameSpec(x, f32("N")), "one scalar an image", { x });
    return f32();
  },
  reference(ins, attrs, out) {
    const x = tensor(ins, 0).data;
    for (const v of x) out.data[0]! += v;
    if (attrs.mean) out.data[0]! /= x.length;
  },
  vjp: (g, node, ct) => [g.node("expandBatch", [ct], node.attrs)],
  encode: (attrs) => [Number(attrs.mean)],
};

/** A whole scalar given to each image, divided by the number of images if `mean`: [] → [N]. The transpose of `reduceBatch`. */
export const expandBatch: OpDef<BatchAttrs> = {
  name: "expandBatch",
  kind: "map",
  infer(ins) {
    const x = need("expandBatch", ins, 0, "a scalar");
    expectSpecs("expandBatch", sameSpec(x, f32()), "a scalar []", { x });
    return f32("N");
  },
  reference(ins, attrs, out) {
    out.data.fill(tensor(ins, 0).data[0]! / (attrs.mean ? out.data.length : 1));
  },
  vjp: (g, node, ct) => [g.node("reduceBatch", [ct], node.attrs)],
  encode: (attrs) => [Number(attrs.mean)],
};

export interface ShapeAttrs {
  readonly shape: Shape;
}

/** A scalar repeated: [N] → [N,…], or [] → any shape. */
export const expand: OpDef<ShapeAttrs> = {
  name: "expand",
  kind: "map",
  infer(ins, attrs) {
    const x = need("expand", ins, 0, "a scalar");
    const out = f32(...attrs.shape);
    expectSpecs(
      "expand",
      sameSpec(x, f32()) || (sameSpec(x, f32("N")) && isPerImage(out)),
      "a scalar of the batch or of each image",
      {
        x,
        out,
      },
    );
    return out;
  },
  reference(ins, _attrs, out) {
    const x = tensor(ins, 0).data;
    const row = out.data.length / x.length;
    for (let i = 0; i < out.data.length; i++) out.data[i] = x[Math.floor(i / row)]!;
  },
  vjp(g, node, ct) {
    if (g.spec(node.in[0]!).shape.length === 1) return [g.node("sumPerImage", [ct], {})];
    if (!isPerImage(g.spec(node.out))) return [g.node("sumAll", [ct], {})];
    return [g.node("reduceBatch", [g.node("sumPerImage", [ct], {})], { mean: false })];
  },
};

/** The same elements in row-major (NCHW) order under another shape; the batch stays. */
export const reshape: OpDef<ShapeAttrs> = {
  name: "reshape",
  kind: "map",
  infer(ins, attrs) {
    const x = need("reshape", ins, 0, "an input");
    const out = { shape: attrs.shape, dtype: x.dtype };
    expectSpecs(
      "reshape",
      isPerImage(x) === isPerImage(out) && imageElements(x) === imageElements(out),
      "as many elements an image",
      {
        input: x,
        output: out,
      },
    );
    return out;
  },
  reference(ins, _attrs, out) {
    out.data.set(tensor(ins, 0).data);
  },
  vjp: (g, node, ct) => [g.node("reshape", [ct], { shape: g.spec(node.in[0]!).shape })],
};

/** The value itself, in a place of its own. */
export const copy: OpDef<NoAttrs> = {
  name: "copy",
  kind: "map",
  infer: (ins) => need("copy", ins, 0, "an input"),
  reference(ins, _attrs, out) {
    out.data.set(tensor(ins, 0).data);
  },
  vjp: (_g, _node, ct) => [ct],
};
