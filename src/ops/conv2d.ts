import { ShapeError } from "../util/errors.js";
import type { Value } from "../graph/types.js";
import { expectRank, expectSpecs, need, tensor, type OpDef, type ReferenceTensor } from "./op.js";
import { f32, formatSpec, product, sameSpec, type Spec } from "./spec.js";
import { bitAt, isMaskOf, takesMaskBits } from "./mask-bits.js";

/** Symmetric zero padding and one stride for both directions. */
export interface ConvAttrs {
  readonly stride: number;
  readonly padding: number;
  readonly groups: number;
  readonly methods: ConvMethods;
}

/**
 * The methods that may compute a convolution. "any": the fastest. "local": those that compute each result from its own window alone, so that
 * windows of zeros give exactly zero and neighbouring equal windows give equal results. "direct": the plain sum of products.
 */
export type ConvMethods = "any" | "local" | "direct";

const METHOD_CODES: Readonly<Record<ConvMethods, number>> = { any: 0, local: 1, direct: 2 };

export interface Conv2dAttrs extends ConvAttrs {
  /** Fused epilogue: max(0, ·) after bias and residual. */
  readonly relu: boolean;
}

export interface Conv2dInputGradAttrs extends ConvAttrs {
  /** Height and width of the forward input. */
  readonly size: readonly [number, number];
}

export interface Conv2dWeightGradAttrs extends ConvAttrs {
  /** Height and width of the kernel. */
  readonly kernel: readonly [number, number];
}

function outputSize(op: string, size: number, kernel: number, attrs: ConvAttrs): number {
  const out = Math.floor((size + 2 * attrs.padding - kernel) / attrs.stride) + 1;
  if (out < 1) {
    throw new ShapeError(
      op,
      `Expected a kernel no larger than the padded input, got kernel ${kernel}, input ${size}, padding ${attrs.padding}`,
    );
  }
  return out;
}

const sizes = (spec: Spec): [number, number, number, number] => spec.shape as [number, number, number, number];

/** Weight, and the forward shapes it implies, checked against an activation on the given side. */
function checkWeight(op: string, weight: Spec, attrs: ConvAttrs): void {
  expectRank(op, weight, 4, "weight");
  expectSpecs(op, sizes(weight)[0] % attrs.groups === 0, "output channels divisible by the groups", {
    weight,
    groups: attrs.groups,
  });
}

/** Calls `visit` with flat indices for every (output element, weight) pair that meets inside the input. */
function eachTap(
  x: readonly number[],
  w: readonly number[],
  y: readonly number[],
  attrs: ConvAttrs,
  visit: (xi: number, wi: number, yi: number) => void,
): void {
  const [batch, xc, xh, xw] = x as [number, number, number, number];
  const [oc, ic, kh, kw] = w as [number, number, number, number];
  const [, , yh, yw] = y as [number, number, number, number];
  const perGroup = oc / attrs.groups;
  for (let n = 0; n < batch; n++)
    for (let o = 0; o < oc; o++)
      for (let p = 0; p < yh; p++)
        for (let q = 0; q < yw; q++) {
          const yi = ((n * oc + o) * yh + p) * yw + q;
          const first = Math.floor(o / perGroup) * ic;
          for (let c = 0; c < ic; c++)
            for (let i = 0; i < kh; i++) {
              const row = p * attrs.stride + i - attrs.padding;
              if (row < 0 || row >= xh) continue;
              for (let j = 0; j < kw; j++) {
                const col = q * attrs.stride + j - attrs.padding;
                if (col < 0 || col >= xw) continue;
                visit(((n * xc + first + c) * xh + row) * xw + col, ((o * ic + c) * kh + i) * kw + j, yi);
              }
            }
        }
}

const encodeConv = (attrs: ConvAttrs): number[] => [
  attrs.stride,
  attrs.padding,
  attrs.groups,
  METHOD_CODES[attrs.methods],
];

function convAttrs({ stride, padding, groups, methods }: ConvAttrs): ConvAttrs {
  return { stride, padding, groups, methods };
}

/**
 * Two-dimensional cross-correlation, as PyTorch's conv2d: x [N,C,H,W], weight [O,C/groups,kh,kw], optional bias [O] and residual
 * (of the output's shape, added before the ReLU) → [N,O,H',W'].
 */
export const conv2d: OpDef<Conv2dAttrs> = {
  name: "conv2d",
  kind: "map",
  inPaperLedger: true,
  infer(ins, attrs) {
    const x = need("conv2d", ins, 0, "an input");
    const weight = need("conv2d", ins, 1, "a weight");
    expectRank("conv2d", x, 4, "input");
    checkWeight("conv2d", weight, attrs);
    const [oc, ic, kh, kw] = sizes(weight);
    const [, c, h, w] = sizes(x);
    if (c !== ic * attrs.groups) {
      throw new ShapeError(
        "conv2d",
        `Expected input channels = weight channels × groups, got input ${formatSpec(x)}, weight ${formatSpec(weight)}, groups ${attrs.groups}`,
      );
    }
    const out = f32(x.shape[0]!, oc, outputSize("conv2d", h, kh, attrs), outputSize("conv2d", w, kw, attrs));
    const bias = ins[2] ?? null;
    expectSpecs("conv2d", bias === null || sameSpec(bias, f32(oc)), `bias [${oc}]`, { bias, weight });
    const residual = ins[3] ?? null;
    expectSpecs("conv2d", residual === null || sameSpec(residual, out), `residual ${formatSpec(out)}`, { residual });
    return out;
  },
  reference(ins, attrs, out) {
    const x = tensor(ins, 0);
    const w = tensor(ins, 1);
    const y = out.data;
    eachTap(x.shape, w.shape, out.shape, attrs, (xi, wi, yi) => {
      y[yi]! += x.data[xi]! * w.data[wi]!;
    });
    const bias = ins[2];
    const residual = ins[3];
    const pixels = out.shape[2]! * out.shape[3]!;
    for (let i = 0; i < y.length; i++) {
      if (bias) y[i]! += bias.data[Math.floor(i / pixels) % out.shape[1]!]!;
      if (residual) y[i]! += residual.data[i]!;
      if (attrs.relu) y[i] = relu(y[i]!);
    }
  },
  vjp(g, node, ct, needs) {
    const [x, w, bias, residual] = node.in as [Value, Value, Value | null, Value | null];
    const attrs = convAttrs(node.attrs);
    const dy = node.attrs.relu ? g.node("reluGrad", [ct, node.out], {}) : ct;
    const [, , h, width] = sizes(g.spec(x));
    const [, , kh, kw] = sizes(g.spec(w));
    return [
      needs[0] ? g.node("conv2dInputGrad", [dy, w, null, null], { ...attrs, size: [h, width] }) : null,
      needs[1] ? g.node("conv2dWeightGrad", [x, dy], { ...attrs, kernel: [kh, kw] }) : null,
      needs[2] && bias !== null ? g.node("channelSum", [dy], {}) : null,
      needs[3] && residual !== null ? dy : null,
    ];
  },
  macs(ins, attrs) {
    const out = conv2d.infer(ins, attrs);
    const [, ic, kh, kw] = sizes(ins[1]!);
    return product(out.shape.slice(1) as number[]) * ic * kh * kw;
  },
  encode: ({ stride, padding, groups, relu, methods }) => [
    stride,
    padding,
    groups,
    Number(relu),
    METHOD_CODES[methods],
  ],
};

/** max(0, v) that lets NaN through, as the native kernels do. */
export function relu(v: number): number {
  return v > 0 || Number.isNaN(v) ? v : 0;
}

function inputGradSpec(ins: readonly (Spec | null)[], attrs: Conv2dInputGradAttrs): Spec {
  const dy = need("conv2dInputGrad", ins, 0, "an output gradient");
  const weight = need("conv2dInputGrad", ins, 1, "a weight");
  expectRank("conv2dInputGrad", dy, 4, "output gradient");
  checkWeight("conv2dInputGrad", weight, attrs);
  const [oc, ic, kh, kw] = sizes(weight);
  const forward = f32(
    dy.shape[0]!,
    oc,
    outputSize("conv2dInputGrad", attrs.size[0], kh, attrs),
    outputSize("conv2dInputGrad", attrs.size[1], kw, attrs),
  );
  expectSpecs("conv2dInputGrad", sameSpec(dy, forward), `output gradient ${formatSpec(forward)}`, { dy, weight });
  return f32(dy.shape[0]!, ic * attrs.groups, ...attrs.size);
}

/**
 * The gradient of conv2d with respect to its input: dy, weight, optional residual (another gradient to add), optional mask (the ReLU
 * output that was this convolution's input, or its `positiveBits`: where it is not positive the result is zero) → [N,C,H,W].
 */
export const conv2dInputGrad: OpDef<Conv2dInputGradAttrs> = {
  name: "conv2dInputGrad",
  kind: "map",
  infer(ins, attrs) {
    const out = inputGradSpec(ins, attrs);
    const residual = ins[2] ?? null;
    expectSpecs("conv2dInputGrad", residual === null || sameSpec(residual, out), `residual ${formatSpec(out)}`, {
      residual,
    });
    const mask = ins[3] ?? null;
    const fits =
      mask === null || sameSpec(mask, out) || (attrs.groups === 1 && takesMaskBits(out) && isMaskOf(mask, out));
    expectSpecs("conv2dInputGrad", fits, `ReLU mask ${formatSpec(out)}, or its positiveBits without groups`, { mask });
    return out;
  },
  reference(ins, attrs, out) {
    const dy = tensor(ins, 0);
    const w = tensor(ins, 1);
    eachTap(out.shape, w.shape, dy.shape, attrs, (xi, wi, yi) => {
      out.data[xi]! += dy.data[yi]! * w.data[wi]!;
    });
    addAndMask(ins[2], ins[3], out);
  },
  macs(ins, attrs) {
    const dy = ins[0]!;
    const [, ic, kh, kw] = sizes(ins[1]!);
    inputGradSpec(ins, attrs);
    return product(dy.shape.slice(1) as number[]) * ic * kh * kw;
  },
  encode: encodeConv,
};

/** The epilogue of input gradients: add another gradient, then zero where the forward ReLU was not active. */
export function addAndMask(
  residual: ReferenceTensor | null | undefined,
  mask: ReferenceTensor | null | undefined,
  out: ReferenceTensor,
): void {
  for (let i = 0; i < out.data.length; i++) {
    if (residual) out.data[i]! += residual.data[i]!;
    if (mask && !isPositive(mask, out, i)) out.data[i] = 0;
  }
}

/** Whether element `i` of a ReLU's output was positive, by that output or by its `positiveBits`. */
export function isPositive(mask: ReferenceTensor, of: ReferenceTensor, i: number): boolean {
  return mask.data.length === of.data.length ? mask.data[i]! > 0 : bitAt(mask.data, i);
}

/** The gradient of conv2d with respect to its weight, summed over the batch: x, dy → [O,C/groups,kh,kw]. */
export const conv2dWeightGrad: OpDef<Conv2dWeightGradAttrs> = {
  name: "conv2dWeightGrad",
  kind: "reduce",
  infer(ins, attrs) {
    const x = need("conv2dWeightGrad", ins, 0, "an input");
    const dy = need("conv2dWeightGrad", ins, 1, "an output gradient");
    expectRank("conv2dWeightGrad", x, 4, "input");
    expectRank("conv2dWeightGrad", dy, 4, "output gradient");
    const [, c, h, w] = sizes(x);
    const [, oc] = sizes(dy);
    const [kh, kw] = attrs.kernel;
    const op = "conv2dWeightGrad";
    expectSpecs(op, c % attrs.groups === 0 && oc % attrs.groups === 0, "channels divisible by the groups", {
      x,
      dy,
      groups: attrs.groups,
    });
    const forward = f32(x.shape[0]!, oc, outputSize(op, h, kh, attrs), outputSize(op, w, kw, attrs));
    expectSpecs(op, sameSpec(dy, forward), `output gradient ${formatSpec(forward)}`, { dy, x });
    return f32(oc, c / attrs.groups, kh, kw);
  },
  reference(ins, attrs, out) {
    const x = tensor(ins, 0);
    const dy = tensor(ins, 1);
    eachTap(x.shape, out.shape, dy.shape, attrs, (xi, wi, yi) => {
      out.data[wi]! += x.data[xi]! * dy.data[yi]!;
    });
  },
  macs(ins, attrs) {
    const [, c] = sizes(ins[0]!);
    return (product(ins[1]!.shape.slice(1) as number[]) * c * attrs.kernel[0] * attrs.kernel[1]) / attrs.groups;
  },
  encode: encodeConv,
};
