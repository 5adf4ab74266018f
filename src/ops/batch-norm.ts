import type { Value } from "../graph/types.js";
import { channelIndex, channelsOf } from "./channel.js";
import { relu } from "./conv2d.js";
import { expectRank, expectSpecs, float, need, tensor, type NoAttrs, type OpDef, type ReferenceTensor } from "./op.js";
import { f32, formatSpec, sameSpec, type Spec } from "./spec.js";
import { ShapeError } from "../util/errors.js";

/**
 * Batch normalisation with the statistics of the batch (Ioffe and Szegedy, "Batch normalization", ICML 2015), in the parts between which the whole
 * batch must be seen: `channelMoments` | `batchNorm`, and in the gradient `batchNormGradSums` | `batchNormInputGrad`.
 */

/** The rows of what `channelMoments` makes. */
export const MOMENTS = { mean: 0, variance: 1, unbiasedVariance: 2 } as const;

/** Mean, variance and unbiased variance (· n/(n − 1)) of each channel over the n pixels of the batch: [N,C] or [N,C,H,W] → [3,C]. */
export const channelMoments: OpDef<NoAttrs> = {
  name: "channelMoments",
  kind: "reduce",
  infer: (ins) => f32(3, channelsOf("channelMoments", need("channelMoments", ins, 0, "an input"))),
  reference(ins, _attrs, out) {
    const x = tensor(ins, 0);
    const channels = x.shape[1]!;
    const channel = channelIndex(x.shape);
    const count = x.data.length / channels;
    const mean = new Float64Array(channels);
    const squares = new Float64Array(channels);
    for (let i = 0; i < x.data.length; i++) mean[channel(i)]! += x.data[i]! / count;
    for (let i = 0; i < x.data.length; i++) squares[channel(i)]! += (x.data[i]! - mean[channel(i)]!) ** 2;
    for (let c = 0; c < channels; c++) {
      out.data[c] = mean[c]!;
      out.data[channels + c] = squares[c]! / count;
      // A single pixel has no spread to estimate one from; its biased variance is 0, and so is this.
      out.data[2 * channels + c] = squares[c]! / Math.max(1, count - 1);
    }
  },
};

export interface NormAttrs {
  /** Added to the variance, so that its root can be divided by. */
  readonly eps: number;
}

export interface BatchNormAttrs extends NormAttrs {
  /** Fused epilogue: max(0, ·) after the residual. */
  readonly relu: boolean;
}

const encodeEps = ({ eps }: NormAttrs): ReturnType<typeof float>[] => [float(eps)];

/** What every part but the first begins with: x, and the moments of its channels. */
function checkMoments(op: string, x: Spec, moments: Spec): number {
  const channels = channelsOf(op, x);
  expectSpecs(op, sameSpec(moments, f32(3, channels)), `moments [3,${channels}]`, { x, moments });
  return channels;
}

/** The statistics of a channel, as the reference computes with them. */
function statistics(
  moments: ReferenceTensor,
  { eps }: NormAttrs,
): { mean: (c: number) => number; inverse: (c: number) => number } {
  const channels = moments.shape[1]!;
  return {
    mean: (c) => moments.data[c]!,
    inverse: (c) => 1 / Math.sqrt(moments.data[MOMENTS.variance * channels + c]! + eps),
  };
}

/**
 * (x − mean) / √(variance + eps) · weight + bias, with optional residual (of x's shape, added before the ReLU): x, moments [3,C], weight [C], bias [C] → x's
 * shape. The moments must be those of x: the gradient of x is that through the moments too.
 */
export const batchNorm: OpDef<BatchNormAttrs> = {
  name: "batchNorm",
  kind: "map",
  inPlace: true,
  infer(ins) {
    const x = need("batchNorm", ins, 0, "an input");
    const channels = checkMoments("batchNorm", x, need("batchNorm", ins, 1, "moments"));
    const weight = need("batchNorm", ins, 2, "a weight");
    const bias = need("batchNorm", ins, 3, "a bias");
    const wanted = f32(channels);
    const both = sameSpec(weight, wanted) && sameSpec(bias, wanted);
    expectSpecs("batchNorm", both, `weight and bias ${formatSpec(wanted)}`, { x, weight, bias });
    const residual = ins[4] ?? null;
    expectSpecs("batchNorm", residual === null || sameSpec(residual, x), `residual ${formatSpec(x)}`, { residual });
    return x;
  },
  reference(ins, attrs, out) {
    const [x, weight, bias, residual] = [tensor(ins, 0), tensor(ins, 2), tensor(ins, 3), ins[4]];
    const { mean, inverse } = statistics(tensor(ins, 1), attrs);
    const channel = channelIndex(x.shape);
    for (let i = 0; i < x.data.length; i++) {
      const c = channel(i);
      const y = (x.data[i]! - mean(c)) * inverse(c) * weight.data[c]! + bias.data[c]! + (residual?.data[i] ?? 0);
      out.data[i] = attrs.relu ? relu(y) : y;
    }
  },
  vjp(g, node, ct, needs) {
    const [x, moments, weight] = node.in as [Value, Value, Value];
    const dy = node.attrs.relu ? g.node("reluGrad", [ct, node.out], {}) : ct;
    const { eps } = node.attrs;
    const sums = g.node("batchNormGradSums", [dy, x, moments], { eps });
    return [
      needs[0] ? g.node("batchNormInputGrad", [dy, x, moments, weight, sums], { eps }) : null,
      null,
      needs[2] ? g.node("row", [sums], { index: 1 }) : null,
      needs[3] ? g.node("row", [sums], { index: 0 }) : null,
      needs[4] ? dy : null,
    ];
  },
  encode: ({ eps, relu }) => [float(eps), Number(relu)],
};

/** Σ dy and Σ dy·x̂ over the batch and the pixels, the gradients of bias and weight: dy, x, moments [3,C] → [2,C]. */
export const batchNormGradSums: OpDef<NormAttrs> = {
  name: "batchNormGradSums",
  kind: "reduce",
  infer(ins) {
    const dy = need("batchNormGradSums", ins, 0, "an output gradient");
    const x = need("batchNormGradSums", ins, 1, "the forward input");
    const channels = checkMoments("batchNormGradSums", x, need("batchNormGradSums", ins, 2, "moments"));
    expectSpecs("batchNormGradSums", sameSpec(dy, x), "two values of one shape", { dy, x });
    return f32(2, channels);
  },
  reference(ins, attrs, out) {
    const [dy, x] = [tensor(ins, 0), tensor(ins, 1)];
    const { mean, inverse } = statistics(tensor(ins, 2), attrs);
    const channel = channelIndex(x.shape);
    const channels = x.shape[1]!;
    for (let i = 0; i < x.data.length; i++) {
      const c = channel(i);
      out.data[c]! += dy.data[i]!;
      out.data[channels + c]! += dy.data[i]! * (x.data[i]! - mean(c)) * inverse(c);
    }
  },
  encode: encodeEps,
};

/** weight / √(variance + eps) · (dy − (Σ dy + x̂ · Σ dy·x̂) / n): dy, x, moments [3,C], weight [C], sums [2,C] → x's shape. */
export const batchNormInputGrad: OpDef<NormAttrs> = {
  name: "batchNormInputGrad",
  kind: "map",
  inPlace: true,
  infer(ins) {
    const dy = need("batchNormInputGrad", ins, 0, "an output gradient");
    const x = need("batchNormInputGrad", ins, 1, "the forward input");
    const channels = checkMoments("batchNormInputGrad", x, need("batchNormInputGrad", ins, 2, "moments"));
    const weight = need("batchNormInputGrad", ins, 3, "a weight");
    const sums = need("batchNormInputGrad", ins, 4, "sums");
    expectSpecs("batchNormInputGrad", sameSpec(dy, x), "two values of one shape", { dy, x });
    expectSpecs(
      "batchNormInputGrad",
      sameSpec(weight, f32(channels)) && sameSpec(sums, f32(2, channels)),
      `weight [${channels}] and sums [2,${channels}]`,
      { x, weight, sums },
    );
    return x;
  },
  reference(ins, attrs, out) {
    const [dy, x, weight, sums] = [tensor(ins, 0), tensor(ins, 1), tensor(ins, 3), tensor(ins, 4)];
    const { mean, inverse } = statistics(tensor(ins, 2), attrs);
    const channel = channelIndex(x.shape);
    const channels = x.shape[1]!;
    const count = x.data.length / channels;
    for (let i = 0; i < x.data.length; i++) {
      const c = channel(i);
      const normalised = (x.data[i]! - mean(c)) * inverse(c);
      const shared = (sums.data[c]! + normalised * sums.data[channels + c]!) / count;
      out.data[i] = weight.data[c]! * inverse(c) * (dy.data[i]! - shared);
    }
  },
  encode: encodeEps,
};

export interface RowAttrs {
  readonly index: number;
}

/** One row of a whole matrix: [R,C] → [C]. */
export const row: OpDef<RowAttrs> = {
  name: "row",
  kind: "map",
  infer(ins, { index }) {
    const x = need("row", ins, 0, "a matrix");
    expectRank("row", x, 2, "a whole matrix");
    const [rows, columns] = x.shape;
    if (typeof rows !== "number" || !Number.isInteger(index) || index < 0 || index >= rows)
      throw new ShapeError("row", `Expected a row of a whole matrix, got row ${index} of ${formatSpec(x)}`);
    return f32(columns!);
  },
  reference(ins, { index }, out) {
    const columns = out.data.length;
    out.data.set(tensor(ins, 0).data.subarray(index * columns, (index + 1) * columns));
  },
  encode: ({ index }) => [index],
};
