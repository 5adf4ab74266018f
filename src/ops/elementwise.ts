import type { GraphWriter, Value } from "../graph/types.js";
import { isPositive, relu as reluOf } from "./conv2d.js";
import { isMaskOf, takesMaskBits } from "./mask-bits.js";
import {
  expectSpecs,
  float,
  need,
  tensor,
  type NoAttrs,
  type NodeView,
  type OpDef,
  type ReferenceTensor,
} from "./op.js";
import { f32, isPerImage, sameShape, sameSpec, type Spec } from "./spec.js";

type UnaryGradient = (g: GraphWriter, node: NodeView<NoAttrs>, ct: Value) => Value | null;

function unary(name: string, f: (v: number) => number, gradient: UnaryGradient): OpDef<NoAttrs> {
  return {
    name,
    kind: "map",
    inPlace: true,
    infer: (ins) => floats(name, need(name, ins, 0, "an input")),
    reference(ins, _attrs, out) {
      const x = tensor(ins, 0).data;
      for (let i = 0; i < x.length; i++) out.data[i] = f(x[i]!);
    },
    vjp: (g, node, ct) => [gradient(g, node, ct)],
  };
}

function floats(op: string, spec: Spec): Spec {
  expectSpecs(op, spec.dtype === "f32", "an f32 input", { input: spec });
  return spec;
}

const input = (node: NodeView<unknown>): Value => node.in[0]!;

export const relu = unary("relu", reluOf, (g, node, ct) => g.node("reluGrad", [ct, node.out], {}));
export const neg = unary(
  "neg",
  (v) => -v,
  (g, _node, ct) => g.node("neg", [ct], {}),
);
export const exp = unary("exp", Math.exp, (g, node, ct) => g.node("mul", [ct, node.out], {}));
export const log = unary("log", Math.log, (g, node, ct) => g.node("div", [ct, input(node)], {}));
export const sqrt = unary("sqrt", Math.sqrt, (g, node, ct) =>
  g.node("div", [g.node("affine", [ct], { scale: 0.5, shift: 0 }), node.out], {}),
);
export const abs = unary("abs", Math.abs, (g, node, ct) => g.node("mul", [ct, g.node("sign", [input(node)], {})], {}));
/** −1, 0 or 1. Its gradient is zero everywhere. */
export const sign = unary("sign", Math.sign, () => null);

/** dy where the ReLU output y is positive, else 0: dy, y (or its `positiveBits`) → dx. */
export const reluGrad: OpDef<NoAttrs> = {
  name: "reluGrad",
  kind: "map",
  inPlace: true,
  infer(ins) {
    const dy = need("reluGrad", ins, 0, "an output gradient");
    const y = need("reluGrad", ins, 1, "the ReLU output");
    const fits = sameSpec(dy, y) || (takesMaskBits(dy) && isMaskOf(y, dy));
    expectSpecs("reluGrad", fits, "two values of one shape, or the second's positiveBits", { dy, y });
    return floats("reluGrad", dy);
  },
  reference(ins, _attrs, out) {
    const dy = tensor(ins, 0).data;
    const y = tensor(ins, 1);
    for (let i = 0; i < dy.length; i++) out.data[i] = isPositive(y, out, i) ? dy[i]! : 0;
  },
  vjp: (g, node, ct, needs) => [needs[0] ? g.node("reluGrad", [ct, node.in[1]!], {}) : null, null],
};

export interface AffineAttrs {
  readonly scale: number;
  readonly shift: number;
}

/** scale · x + shift. */
export const affine: OpDef<AffineAttrs> = {
  name: "affine",
  kind: "map",
  inPlace: true,
  infer: (ins) => floats("affine", need("affine", ins, 0, "an input")),
  reference(ins, attrs, out) {
    const x = tensor(ins, 0).data;
    for (let i = 0; i < x.length; i++) out.data[i] = attrs.scale * x[i]! + attrs.shift;
  },
  vjp: (g, node, ct) => [g.node("affine", [ct], { scale: node.attrs.scale, shift: 0 })],
  encode: (attrs) => [float(attrs.scale), float(attrs.shift)],
};

export interface ClampAttrs {
  readonly lo: number;
  readonly hi: number;
}

/** min(max(x, lo), hi). The gradient passes strictly inside. */
export const clamp: OpDef<ClampAttrs> = {
  name: "clamp",
  kind: "map",
  inPlace: true,
  infer: (ins) => floats("clamp", need("clamp", ins, 0, "an input")),
  reference(ins, attrs, out) {
    const x = tensor(ins, 0).data;
    for (let i = 0; i < x.length; i++) out.data[i] = Math.min(Math.max(x[i]!, attrs.lo), attrs.hi);
  },
  vjp(g, node, ct) {
    const x = input(node);
    const bound = (value: number): Value => g.node("fill", [], { value, shape: [] });
    const above = g.node("greater", [x, bound(node.attrs.lo)], {});
    const below = g.node("greater", [bound(node.attrs.hi), x], {});
    return [g.node("mul", [ct, g.node("mul", [above, below], {})], {})];
  },
  encode: (attrs) => [float(attrs.lo), float(attrs.hi)],
};

/** Equal shapes, or one side a scalar: of the whole batch (rank 0) or of each image ([N] against [N, …]). */
function broadcastSpec(op: string, a: Spec, b: Spec): Spec {
  floats(op, a);
  floats(op, b);
  if (sameShape(a.shape, b.shape)) return a;
  const scalarOf = (small: Spec, large: Spec): boolean =>
    small.shape.length === 0 || (sameShape(small.shape, ["N"]) && isPerImage(large));
  if (scalarOf(b, a)) return a;
  if (scalarOf(a, b)) return b;
  expectSpecs(op, false, "equal shapes, or a scalar of the batch [] or of each image [N] on one side", { a, b });
  return a;
}

/** Index into an operand for element i of the output. */
function broadcastIndex(operand: ReferenceTensor, out: ReferenceTensor): (i: number) => number {
  if (operand.data.length === out.data.length) return (i) => i;
  if (operand.shape.length === 0) return () => 0;
  const row = out.data.length / operand.data.length;
  return (i) => Math.floor(i / row);
}

/** Sums a gradient of the output's shape down to the shape of a broadcast operand. */
function sumTo(g: GraphWriter, ct: Value, target: Spec): Value {
  const spec = g.spec(ct);
  if (sameShape(spec.shape, target.shape)) return ct;
  if (!isPerImage(spec)) return g.node("sumAll", [ct], {});
  const perImage = spec.shape.length === 1 ? ct : g.node("sumPerImage", [ct], {});
  return isPerImage(target) ? perImage : g.node("reduceBatch", [perImage], { mean: false });
}

type BinaryGradient = (g: GraphWriter, a: Value, b: Value, out: Value, ct: Value) => Value | null;

function binary(
  name: string,
  f: (a: number, b: number) => number,
  gradients: readonly [BinaryGradient, BinaryGradient],
): OpDef<NoAttrs> {
  return {
    name,
    kind: "map",
    inPlace: true,
    infer: (ins) => broadcastSpec(name, need(name, ins, 0, "an operand"), need(name, ins, 1, "an operand")),
    reference(ins, _attrs, out) {
      const a = tensor(ins, 0);
      const b = tensor(ins, 1);
      const ai = broadcastIndex(a, out);
      const bi = broadcastIndex(b, out);
      for (let i = 0; i < out.data.length; i++) out.data[i] = f(a.data[ai(i)]!, b.data[bi(i)]!);
    },
    vjp(g, node, ct, needs) {
      const [a, b] = node.in as [Value, Value];
      return ([a, b] as const).map((operand, i) => {
        const gradient = needs[i] ? gradients[i as 0 | 1](g, a, b, node.out, ct) : null;
        return gradient === null ? null : sumTo(g, gradient, g.spec(operand));
      });
    },
  };
}

const same: BinaryGradient = (_g, _a, _b, _out, ct) => ct;
const none: BinaryGradient = () => null;
/** ct where x > y, else 0. At a tie neither side gets a gradient. */
const where =
  (x: "a" | "b"): BinaryGradient =>
  (g, a, b, _out, ct) =>
    g.node("mul", [ct, g.node("greater", x === "a" ? [a, b] : [b, a], {})], {});

export const add = binary("add", (a, b) => a + b, [same, same]);
export const sub = binary("sub", (a, b) => a - b, [same, (g, _a, _b, _out, ct) => g.node("neg", [ct], {})]);
export const mul = binary("mul", (a, b) => a * b, [
  (g, _a, b, _out, ct) => g.node("mul", [ct, b], {}),
  (g, a, _b, _out, ct) => g.node("mul", [ct, a], {}),
]);
export const div = binary("div", (a, b) => a / b, [
  (g, _a, b, _out, ct) => g.node("div", [ct, b], {}),
  (g, _a, b, out, ct) => g.node("neg", [g.node("div", [g.node("mul", [ct, out], {}), b], {})], {}),
]);
export const minimum = binary("minimum", Math.min, [where("b"), where("a")]);
export const maximum = binary("maximum", Math.max, [where("a"), where("b")]);
/** 1 where a > b, else 0. */
export const greater = binary("greater", (a, b) => Number(a > b), [none, none]);

/** Row by row: condition [N] (nonzero: take a), a, b of one per-image shape. */
export const select: OpDef<NoAttrs> = {
  name: "select",
  kind: "map",
  infer(ins) {
    const condition = need("select", ins, 0, "a condition");
    const a = need("select", ins, 1, "a value");
    const b = need("select", ins, 2, "a value");
    expectSpecs("select", sameSpec(condition, f32("N")), "a condition of one scalar an image", { condition });
    expectSpecs(
      "select",
      isPerImage(a) && sameSpec(a, b) && a.dtype === "f32",
      "two f32 values of one per-image shape",
      { a, b },
    );
    return a;
  },
  reference(ins, _attrs, out) {
    const condition = tensor(ins, 0);
    const row = out.data.length / condition.data.length;
    for (let i = 0; i < out.data.length; i++) {
      out.data[i] = tensor(ins, condition.data[Math.floor(i / row)] !== 0 ? 1 : 2).data[i]!;
    }
  },
};
