import { MOMENTS, type NormAttrs } from "../../../ops/batch-norm.js";
import type { Tf, TfTensor } from "../program.js";
import { input, optional, type Rules } from "./rule.js";

/** One row of a matrix, [C]. */
function rowOf(tf: Tf, matrix: TfTensor, index: number): TfTensor {
  return tf.reshape(tf.slice(matrix, [index, 0], [1, -1]), [-1]);
}

/** All axes but that of the channels, which is the last. */
const overChannels = ({ rank }: TfTensor): number[] => (rank === 4 ? [0, 1, 2] : [0]);

/** 1 / √(variance + eps) of each channel. */
function inverseDeviation(tf: Tf, moments: TfTensor, { eps }: NormAttrs): TfTensor {
  return tf.rsqrt(tf.add(rowOf(tf, moments, MOMENTS.variance), eps));
}

/** x̂, of mean 0 and variance 1 in each channel. */
function normalized(tf: Tf, x: TfTensor, moments: TfTensor, attrs: NormAttrs): TfTensor {
  return tf.mul(tf.sub(x, rowOf(tf, moments, MOMENTS.mean)), inverseDeviation(tf, moments, attrs));
}

const NORMALIZED_KERNELS = ["Slice", "Reshape", "Add", "Sub", "Multiply", "Rsqrt"];

export const normRules: Rules<
  "channelAffine" | "scaleRows" | "row" | "channelMoments" | "batchNorm" | "batchNormGradSums" | "batchNormInputGrad"
> = {
  channelAffine: {
    kernels: ["Multiply", "Add"],
    write: (program, node) =>
      program.call([input(node, 0), input(node, 1), input(node, 2)], ([x, scale, shift]) =>
        program.tf.add(program.tf.mul(x, scale), shift),
      ),
  },
  scaleRows: {
    kernels: ["Multiply", "Reshape"],
    write: (program, node) =>
      program.call([input(node, 0), input(node, 1)], ([w, scale]) =>
        program.tf.mul(w, program.tf.reshape(scale, [-1, ...w.shape.slice(1).map(() => 1)])),
      ),
  },
  row: {
    kernels: ["Slice", "Reshape"],
    write: (program, node) => program.call([input(node, 0)], ([x]) => rowOf(program.tf, x, node.attrs.index)),
  },
  channelMoments: {
    kernels: ["Sum", "RealDiv", "Sub", "Square", "Concat", "Reshape", "Transpose"],
    write: (program, node) => {
      const { tf } = program;
      return program.call([input(node, 0)], ([x]) => {
        const axes = overChannels(x);
        const channels = x.shape.at(-1)!;
        const count = x.size / channels;
        const mean = tf.div(tf.sum(x, axes), count);
        const squares = tf.sum(tf.square(tf.sub(x, mean)), axes);
        // A single pixel has no spread to estimate one from.
        const rows = [mean, tf.div(squares, count), tf.div(squares, Math.max(1, count - 1))];
        return tf.reshape(tf.concat(rows), [rows.length, channels]);
      });
    },
  },
  batchNorm: {
    kernels: [...NORMALIZED_KERNELS, "Relu"],
    write: (program, node) => {
      const { tf } = program;
      const ins = [input(node, 0), input(node, 1), input(node, 2), input(node, 3), optional(node, 4)] as const;
      return program.call(ins, ([x, moments, weight, bias, residual]) => {
        const y = tf.add(tf.mul(normalized(tf, x, moments, node.attrs), weight), bias);
        const sum = residual === null ? y : tf.add(y, residual);
        return node.attrs.relu ? tf.relu(sum) : sum;
      });
    },
  },
  batchNormGradSums: {
    kernels: [...NORMALIZED_KERNELS, "Sum", "Transpose", "Concat"],
    write: (program, node) => {
      const { tf } = program;
      return program.call([input(node, 0), input(node, 1), input(node, 2)], ([dy, x, moments]) => {
        const axes = overChannels(x);
        const rows = [tf.sum(dy, axes), tf.sum(tf.mul(dy, normalized(tf, x, moments, node.attrs)), axes)];
        return tf.reshape(tf.concat(rows), [rows.length, x.shape.at(-1)!]);
      });
    },
  },
  batchNormInputGrad: {
    kernels: [...NORMALIZED_KERNELS, "RealDiv"],
    write: (program, node) => {
      const { tf } = program;
      const ins = [input(node, 0), input(node, 1), input(node, 2), input(node, 3), input(node, 4)] as const;
      return program.call(ins, ([dy, x, moments, weight, sums]) => {
        const count = x.size / x.shape.at(-1)!;
        const through = tf.mul(normalized(tf, x, moments, node.attrs), rowOf(tf, sums, 1));
        const shared = tf.div(tf.add(through, rowOf(tf, sums, 0)), count);
        return tf.mul(tf.sub(dy, shared), tf.mul(weight, inverseDeviation(tf, moments, node.attrs)));
      });
    },
  },
};
