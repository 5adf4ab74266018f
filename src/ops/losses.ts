import type { Value } from "../graph/types.js";
import {
  expectRank,
  expectSpecs,
  need,
  tensor,
  type NoAttrs,
  type NumberArray,
  type OpDef,
  type ReferenceTensor,
} from "./op.js";
import { mean } from "../util/mean.js";
import { f32, i32, isPerImage, sameSpec, type Spec } from "./spec.js";

function logitsSpec(op: string, ins: readonly (Spec | null)[], i: number): Spec {
  const logits = need(op, ins, i, "logits");
  expectRank(op, logits, 2, "logits");
  expectSpecs(op, isPerImage(logits), "logits [N, classes]", { logits });
  return logits;
}

function labelsSpec(op: string, ins: readonly (Spec | null)[], i: number): void {
  const labels = need(op, ins, i, "labels");
  expectSpecs(op, sameSpec(labels, i32("N")), "labels [N] i32", { labels });
}

/** Softmax of one row, shifted by its maximum so that nothing overflows, and log Σ exp. */
function softmaxOf(row: NumberArray): { readonly p: Float64Array; readonly logSum: number } {
  const max = Math.max(...row);
  const p = Float64Array.from(row, (value) => Math.exp(value - max));
  const sum = p.reduce((a, b) => a + b, 0);
  return { p: p.map((value) => value / sum), logSum: max + Math.log(sum) };
}

/** The logits of image `n`. */
function rowOf({ shape, data }: ReferenceTensor, n: number): NumberArray {
  const classes = shape[1]!;
  return data.subarray(n * classes, (n + 1) * classes);
}

/** The shape and the reference of what is computed from each image's logits alone: [N,K] → [N]. */
function scalarOfLogits(
  name: string,
  out: Spec,
  of: (row: NumberArray) => number,
): Pick<OpDef<NoAttrs>, "name" | "kind" | "infer" | "reference"> {
  return {
    name,
    kind: "map",
    infer(ins) {
      logitsSpec(name, ins, 0);
      return out;
    },
    reference(ins, _attrs, { data }) {
      for (let n = 0; n < data.length; n++) data[n] = of(rowOf(tensor(ins, 0), n));
    },
  };
}

/** Cross-entropy −log softmax(logits)[label], in nats, of each image: logits [N,K], labels [N] in 0 … K−1 → [N]. */
export const crossEntropy: OpDef<NoAttrs> = {
  name: "crossEntropy",
  kind: "map",
  infer(ins) {
    logitsSpec("crossEntropy", ins, 0);
    labelsSpec("crossEntropy", ins, 1);
    return f32("N");
  },
  reference(ins, _attrs, out) {
    for (let n = 0; n < out.data.length; n++) {
      const row = rowOf(tensor(ins, 0), n);
      out.data[n] = softmaxOf(row).logSum - row[tensor(ins, 1).data[n]!]!;
    }
  },
  vjp(g, node, ct, needs) {
    const [logits, labels] = node.in as [Value, Value];
    return [needs[0] ? g.node("crossEntropyGrad", [ct, logits, labels], {}) : null, null];
  },
};

/** ct · (softmax(logits) − onehot(label)): ct [N], logits [N,K], labels [N] → [N,K]. */
export const crossEntropyGrad: OpDef<NoAttrs> = {
  name: "crossEntropyGrad",
  kind: "map",
  infer(ins) {
    const ct = need("crossEntropyGrad", ins, 0, "a gradient");
    expectSpecs("crossEntropyGrad", sameSpec(ct, f32("N")), "a gradient of one scalar an image", { ct });
    labelsSpec("crossEntropyGrad", ins, 2);
    return logitsSpec("crossEntropyGrad", ins, 1);
  },
  reference(ins, _attrs, out) {
    const classes = out.shape[1]!;
    for (let n = 0; n < out.shape[0]!; n++) {
      const { p } = softmaxOf(rowOf(tensor(ins, 1), n));
      p[tensor(ins, 2).data[n]!]! -= 1;
      for (let k = 0; k < classes; k++) out.data[n * classes + k] = tensor(ins, 0).data[n]! * p[k]!;
    }
  },
};

export interface MarginAttrs {
  /** Divide by the distance between the largest and the third largest logit: the DLR loss. */
  readonly scaled: boolean;
}

/** Keeps the DLR loss finite where the three largest logits are equal. */
export const SPREAD_OFFSET = 1e-12;

/** Of one row of logits: the classes of the largest and the third largest, the largest but for the label, and what the margin is divided by. */
interface Ranking {
  readonly first: number;
  readonly third: number;
  readonly other: number;
  readonly spread: number;
}

function rank(row: NumberArray, label: number, { scaled }: MarginAttrs): Ranking {
  // Stable: of equal logits the first class comes first.
  const order = Array.from(row.keys()).sort((a, b) => row[b]! - row[a]!);
  const [first, second] = order as [number, number];
  const third = order[2] ?? second;
  const spread = scaled ? row[first]! - row[third]! + SPREAD_OFFSET : 1;
  return { first, third, other: first === label ? second : first, spread };
}

function expectClasses(op: string, logits: Spec, { scaled }: MarginAttrs): void {
  const least = scaled ? 3 : 2;
  expectSpecs(op, Number(logits.shape[1]) >= least, `logits of ${least} or more classes`, { logits });
}

/**
 * How far the label is from winning: the largest other logit − the label's, positive where the image is misclassified. `scaled`, it is the DLR loss
 * of Croce and Hein, "Reliable evaluation of adversarial robustness with an ensemble of diverse parameter-free attacks" (ICML 2020), equation 6,
 * which does not change when logits are shifted or scaled. logits [N,K], labels [N] → [N].
 */
export const margin: OpDef<MarginAttrs> = {
  name: "margin",
  kind: "map",
  infer(ins, attrs) {
    expectClasses("margin", logitsSpec("margin", ins, 0), attrs);
    labelsSpec("margin", ins, 1);
    return f32("N");
  },
  reference(ins, attrs, out) {
    for (let n = 0; n < out.data.length; n++) {
      const row = rowOf(tensor(ins, 0), n);
      const label = tensor(ins, 1).data[n]!;
      const { other, spread } = rank(row, label, attrs);
      out.data[n] = (row[other]! - row[label]!) / spread;
    }
  },
  vjp(g, node, ct, needs) {
    const [logits, labels] = node.in as [Value, Value];
    return [needs[0] ? g.node("marginGrad", [ct, logits, labels], node.attrs) : null, null];
  },
  encode: (attrs) => [Number(attrs.scaled)],
};

/** The gradient of `margin`: ct [N], logits [N,K], labels [N] → [N,K]. The choice of the largest logits is taken as fixed. */
export const marginGrad: OpDef<MarginAttrs> = {
  name: "marginGrad",
  kind: "map",
  infer(ins, attrs) {
    const ct = need("marginGrad", ins, 0, "a gradient");
    expectSpecs("marginGrad", sameSpec(ct, f32("N")), "a gradient of one scalar an image", { ct });
    labelsSpec("marginGrad", ins, 2);
    const logits = logitsSpec("marginGrad", ins, 1);
    expectClasses("marginGrad", logits, attrs);
    return logits;
  },
  reference(ins, attrs, out) {
    for (let n = 0; n < out.shape[0]!; n++) {
      const row = rowOf(tensor(ins, 1), n);
      const label = tensor(ins, 2).data[n]!;
      const { first, third, other, spread } = rank(row, label, attrs);
      const ct = tensor(ins, 0).data[n]! / spread;
      const gradient = rowOf(out, n);
      gradient[other]! += ct;
      gradient[label]! -= ct;
      if (!attrs.scaled) continue;
      const scaled = (ct * (row[other]! - row[label]!)) / spread;
      gradient[first]! -= scaled;
      gradient[third]! += scaled;
    }
  },
  encode: (attrs) => [Number(attrs.scaled)],
};

/** Cross-entropy −(1/K)·Σ log softmax(logits) to the uniform distribution, in nats: [N,K] → [N]. Least, log K, where all classes are alike. */
export const uniformCrossEntropy: OpDef<NoAttrs> = {
  ...scalarOfLogits("uniformCrossEntropy", f32("N"), (row) => softmaxOf(row).logSum - mean(row)),
  vjp(g, node, ct) {
    const logits = node.in[0]!;
    const shift = -1 / Number(g.spec(logits).shape[1]);
    return [g.node("mul", [ct, g.node("affine", [g.node("softmax", [logits], {})], { scale: 1, shift })], {})];
  },
};

/** Softmax over the classes: [N,K] → [N,K]. */
export const softmax: OpDef<NoAttrs> = {
  name: "softmax",
  kind: "map",
  infer: (ins) => logitsSpec("softmax", ins, 0),
  reference(ins, _attrs, out) {
    for (let n = 0; n < out.shape[0]!; n++) rowOf(out, n).set(softmaxOf(rowOf(tensor(ins, 0), n)).p);
  },
};

/** Keeps the logarithm finite where a probability is zero; the authors' constant, which their thresholds were chosen with. */
export const ENTROPY_OFFSET = 1e-5;

/** −Σ p·log(p + 1e-5) of softmax(logits), in nats: [N,K] → [N]. */
export const entropy: OpDef<NoAttrs> = scalarOfLogits(
  "entropy",
  f32("N"),
  (row) => -softmaxOf(row).p.reduce((sum, q) => sum + q * Math.log(q + ENTROPY_OFFSET), 0),
);

/** The first class of the largest logit: [N,K] → [N] i32. */
export const argmax: OpDef<NoAttrs> = scalarOfLogits("argmax", i32("N"), (row) =>
  Array.from(row).reduce((best, value, k) => (value > row[best]! ? k : best), 0),
);
