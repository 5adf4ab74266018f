import { MOMENTS } from "../ops/batch-norm.js";
import type { PoolAttrs } from "../ops/pool.js";
import { imageElements, type Shape } from "../ops/spec.js";
import { apply } from "./apply.js";
import type { Tensor } from "./tensor.js";

/**
 * Functions of tensors. All work on eager and traced tensors alike; shapes are NCHW, "N" first where there is a batch, and errors are
 * `ShapeError`s that name both sides.
 */

/** A tensor, or a number that stands for a scalar. */
export type Operand = Tensor | number;

export interface Conv2dOptions {
  readonly bias?: Tensor;
  /** Default 1. */
  readonly stride?: number;
  /** Zeros on every side. Default 0. */
  readonly padding?: number;
  /** Default 1. */
  readonly groups?: number;
}

/** x [N,C,H,W], weight [O,C/groups,kh,kw] → [N,O,H',W'], as PyTorch's conv2d. */
export function conv2d(x: Tensor, weight: Tensor, options: Conv2dOptions = {}): Tensor {
  const { bias = null, stride = 1, padding = 0, groups = 1 } = options;
  return apply("conv2d", [x, weight, bias, null], { stride, padding, groups, relu: false, methods: "any" });
}

/** x [N,K], weight [O,K], bias [O] → [N,O]. */
export function linear(x: Tensor, weight: Tensor, bias: Tensor | null = null): Tensor {
  return apply("linear", [x, weight, bias], { relu: false });
}

export type PoolOptions = Partial<PoolAttrs> & { readonly kernel: number };

function poolAttrs({ kernel, stride = kernel, padding = 0 }: PoolOptions): PoolAttrs {
  return { kernel, stride, padding };
}

/** Maximum over square windows; the stride is the window's size unless given. */
export function maxPool2d(x: Tensor, options: PoolOptions): Tensor {
  return apply("maxPool2d", [x], poolAttrs(options));
}

/** Mean over square windows; the stride is the window's size unless given. */
export function avgPool2d(x: Tensor, options: PoolOptions): Tensor {
  return apply("avgPool2d", [x], poolAttrs(options));
}

/** [N,…] → [N, elements], in NCHW order. */
export function flatten(x: Tensor): Tensor {
  return reshape(x, ["N", imageElements(x.spec)]);
}

export function reshape(x: Tensor, shape: Shape): Tensor {
  return apply("reshape", [x], { shape });
}

/** x · scale + shift, a scale [C] and a shift [C] for each channel of x [N,C] or [N,C,H,W]. */
export function channelAffine(x: Tensor, scale: Tensor, shift: Tensor): Tensor {
  return apply("channelAffine", [x, scale, shift], {});
}

export interface BatchNormResult {
  readonly y: Tensor;
  /** Of x's channels over the batch and the pixels, [C]. */
  readonly mean: Tensor;
  readonly unbiasedVariance: Tensor;
}

/** Batch norm with the statistics of the batch: x [N,C] or [N,C,H,W], weight [C], bias [C]. */
export function batchNorm(x: Tensor, weight: Tensor, bias: Tensor, eps: number): BatchNormResult {
  const moments = apply("channelMoments", [x], {});
  return {
    y: apply("batchNorm", [x, moments, weight, bias, null], { eps, relu: false }),
    mean: apply("row", [moments], { index: MOMENTS.mean }),
    unbiasedVariance: apply("row", [moments], { index: MOMENTS.unbiasedVariance }),
  };
}

export const relu = (x: Tensor): Tensor => apply("relu", [x], {});
export const neg = (x: Tensor): Tensor => apply("neg", [x], {});
export const exp = (x: Tensor): Tensor => apply("exp", [x], {});
export const log = (x: Tensor): Tensor => apply("log", [x], {});
export const sqrt = (x: Tensor): Tensor => apply("sqrt", [x], {});
export const abs = (x: Tensor): Tensor => apply("abs", [x], {});
/** −1, 0 or 1. */
export const sign = (x: Tensor): Tensor => apply("sign", [x], {});
/** min(max(x, lo), hi). */
export const clamp = (x: Tensor, lo: number, hi: number): Tensor => apply("clamp", [x], { lo, hi });
/** scale · x + shift. */
export const affine = (x: Tensor, scale: number, shift: number): Tensor => apply("affine", [x], { scale, shift });

/** Operands have equal shapes, or one is a scalar: a number, [], or [N] against a per-image value. */
export function add(a: Tensor, b: Operand): Tensor {
  return typeof b === "number" ? affine(a, 1, b) : apply("add", [a, b], {});
}

export function sub(a: Tensor, b: Operand): Tensor {
  return typeof b === "number" ? affine(a, 1, -b) : apply("sub", [a, b], {});
}

export function mul(a: Tensor, b: Operand): Tensor {
  return typeof b === "number" ? affine(a, b, 0) : apply("mul", [a, b], {});
}

export function div(a: Tensor, b: Operand): Tensor {
  return typeof b === "number" ? affine(a, 1 / b, 0) : apply("div", [a, b], {});
}

export const minimum = (a: Tensor, b: Tensor): Tensor => apply("minimum", [a, b], {});
export const maximum = (a: Tensor, b: Tensor): Tensor => apply("maximum", [a, b], {});
/** 1 where a > b, else 0. */
export const greater = (a: Tensor, b: Tensor): Tensor => apply("greater", [a, b], {});
/** Each image's row of `a` where `condition` [N] is not zero, else of `b`. */
export const select = (condition: Tensor, a: Tensor, b: Tensor): Tensor => apply("select", [condition, a, b], {});

/** Σ of each image's elements: [N,…] → [N]. */
export const sumPerImage = (x: Tensor): Tensor => apply("sumPerImage", [x], {});
/** Mean over the batch: [N] → []. */
export const meanBatch = (x: Tensor): Tensor => apply("reduceBatch", [x], { mean: true });
/** Sum over the batch: [N] → []. */
export const sumBatch = (x: Tensor): Tensor => apply("reduceBatch", [x], { mean: false });

/** Cross-entropy in nats of each image: logits [N,K], labels [N] i32 → [N]. */
export const crossEntropy = (logits: Tensor, labels: Tensor): Tensor => apply("crossEntropy", [logits, labels], {});
/** Over the classes: [N,K] → [N,K]. */
export const softmax = (logits: Tensor): Tensor => apply("softmax", [logits], {});
/** −Σ p·log(p + 1e-5) of softmax(logits), in nats: [N,K] → [N]. */
export const entropy = (logits: Tensor): Tensor => apply("entropy", [logits], {});
/** The first class of the largest logit: [N,K] → [N] i32. */
export const argmax = (logits: Tensor): Tensor => apply("argmax", [logits], {});

/** The seed and the image ids on which random values depend: [2] i32, [N] i32. */
export interface RandomSource {
  readonly seed: Tensor;
  readonly ids: Tensor;
}

/** Uniform in [lo, hi) for each image, a function of (seed, image id, stream). `shape` begins with "N". */
export function randomUniform(source: RandomSource, shape: Shape, lo: number, hi: number, stream: number): Tensor {
  return apply("randomUniform", [source.seed, source.ids], { lo, hi, stream, shape });
}

/** Zeroes a fraction `rate` of the elements and divides the others by 1 − rate. */
export function dropout(x: Tensor, source: RandomSource, rate: number, stream: number): Tensor {
  return apply("dropout", [x, source.seed, source.ids], { rate, stream });
}
