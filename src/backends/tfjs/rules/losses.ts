import { ENTROPY_OFFSET, SPREAD_OFFSET } from "../../../ops/losses.js";
import { BackendError } from "../../../util/errors.js";
import type { Tf, TfTensor } from "../program.js";
import { input, type Rules } from "./rule.js";

type Losses =
  | "crossEntropy"
  | "crossEntropyGrad"
  | "uniformCrossEntropy"
  | "margin"
  | "marginGrad"
  | "softmax"
  | "entropy"
  | "argmax";

/** 1 at each label's class, [N,K] in f32. @throws BackendError on a label that is no class */
function oneHot(tf: Tf, op: string, labels: TfTensor, classes: number): TfTensor {
  const bad = labels.dataSync().find((label) => label < 0 || label >= classes);
  if (bad !== undefined) throw new BackendError(`[${op}] Expected labels from 0 to ${classes - 1} but received ${bad}`);
  return tf.oneHot(labels, classes);
}

/** Of each row the element at the place of the 1, even if another is infinite: [N]. */
function picked(tf: Tf, rows: TfTensor, hot: TfTensor): TfTensor {
  return tf.sum(tf.where(tf.cast(hot, "bool"), rows, tf.zerosLike(rows)), 1);
}

/** A factor for each row. */
const column = (tf: Tf, factors: TfTensor): TfTensor => tf.reshape(factors, [-1, 1]);

const classesOf = (logits: TfTensor): number => logits.shape[1]!;

const HOT_KERNELS = ["OneHot", "Cast"];
const PICKED_KERNELS = ["Identity", "Select", "ZerosLike", "Sum"];
const LOG_SUM_KERNELS = ["Max", "Sub", "Exp", "Sum", "Log", "Add", "Reshape"];

/** The three largest logits of each row and their classes; of equal ones the first class comes first. */
interface Ranking {
  /** By rank, [N] each: the third is the second where there are but two classes. */
  readonly logits: readonly [TfTensor, TfTensor, TfTensor];
  readonly classes: readonly [TfTensor, TfTensor, TfTensor];
  /** Of the largest but for the label. */
  readonly other: { readonly logit: TfTensor; readonly class: TfTensor };
  /** What the margin is divided by. */
  readonly spread: TfTensor;
}

function rank(tf: Tf, logits: TfTensor, labels: TfTensor, scaled: boolean): Ranking {
  const count = Math.min(3, classesOf(logits));
  const top = tf.topk(logits, count);
  const at = (matrix: TfTensor): [TfTensor, TfTensor, TfTensor] =>
    [0, 1, Math.min(2, count - 1)].map((k) => tf.reshape(tf.slice(matrix, [0, k], [-1, 1]), [-1])) as never;
  const [values, classes] = [at(top.values), at(top.indices)];
  const isFirst = tf.equal(classes[0], labels);
  return {
    logits: values,
    classes,
    other: { logit: tf.where(isFirst, values[1], values[0]), class: tf.where(isFirst, classes[1], classes[0]) },
    spread: scaled ? tf.add(tf.sub(values[0], values[2]), SPREAD_OFFSET) : tf.onesLike(values[0]),
  };
}

const RANK_KERNELS = ["TopK", "Slice", "Reshape", "Equal", "Identity", "Select", "Sub", "Add", "OnesLike"];

export const lossRules: Rules<Losses> = {
  softmax: {
    kernels: ["Softmax"],
    write: (program, node) => program.call([input(node, 0)], ([logits]) => program.tf.softmax(logits)),
  },
  argmax: {
    kernels: ["ArgMax"],
    write: (program, node) => program.call([input(node, 0)], ([logits]) => program.tf.argMax(logits, 1)),
  },
  entropy: {
    kernels: ["Softmax", "Add", "Log", "Multiply", "Sum", "Neg"],
    write: (program, node) => {
      const { tf } = program;
      return program.call([input(node, 0)], ([logits]) => {
        const p = tf.softmax(logits);
        return tf.neg(tf.sum(tf.mul(p, tf.log(tf.add(p, ENTROPY_OFFSET))), 1));
      });
    },
  },
  uniformCrossEntropy: {
    kernels: [...LOG_SUM_KERNELS, "Mean"],
    write: (program, node) => {
      const { tf } = program;
      return program.call([input(node, 0)], ([logits]) => tf.sub(tf.logSumExp(logits, 1), tf.mean(logits, 1)));
    },
  },
  crossEntropy: {
    kernels: [...LOG_SUM_KERNELS, ...HOT_KERNELS, ...PICKED_KERNELS],
    write: (program, node) => {
      const { tf } = program;
      return program.call([input(node, 0), input(node, 1)], ([logits, labels]) => {
        const hot = oneHot(tf, "crossEntropy", labels, classesOf(logits));
        return tf.sub(tf.logSumExp(logits, 1), picked(tf, logits, hot));
      });
    },
  },
  crossEntropyGrad: {
    kernels: ["Softmax", ...HOT_KERNELS, ...PICKED_KERNELS, "Sub", "Multiply", "Reshape"],
    write: (program, node) => {
      const { tf } = program;
      return program.call([input(node, 0), input(node, 1), input(node, 2)], ([ct, logits, labels]) => {
        const hot = oneHot(tf, "crossEntropyGrad", labels, classesOf(logits));
        const p = tf.softmax(logits);
        const others = tf.where(tf.cast(hot, "bool"), tf.zerosLike(p), p);
        // p − 1 of the label is what the others sum to, with all their digits where p is nearly 1.
        return tf.mul(column(tf, ct), tf.sub(others, tf.mul(hot, tf.sum(others, 1, true))));
      });
    },
  },
  margin: {
    kernels: [...RANK_KERNELS, ...HOT_KERNELS, ...PICKED_KERNELS, "RealDiv"],
    write: (program, node) => {
      const { tf } = program;
      return program.call([input(node, 0), input(node, 1)], ([logits, labels]) => {
        const hot = oneHot(tf, "margin", labels, classesOf(logits));
        const { other, spread } = rank(tf, logits, labels, node.attrs.scaled);
        return tf.div(tf.sub(other.logit, picked(tf, logits, hot)), spread);
      });
    },
  },
  marginGrad: {
    kernels: [...RANK_KERNELS, ...HOT_KERNELS, ...PICKED_KERNELS, "RealDiv", "Multiply"],
    write: (program, node) => {
      const { tf } = program;
      return program.call([input(node, 0), input(node, 1), input(node, 2)], ([ct, logits, labels]) => {
        const hotOf = (classes: TfTensor): TfTensor => oneHot(tf, "marginGrad", classes, classesOf(logits));
        const hot = hotOf(labels);
        const { classes, other, spread } = rank(tf, logits, labels, node.attrs.scaled);
        const each = tf.div(ct, spread);
        const gradient = tf.mul(column(tf, each), tf.sub(hotOf(other.class), hot));
        if (!node.attrs.scaled) return gradient;
        const scaled = tf.div(tf.mul(each, tf.sub(other.logit, picked(tf, logits, hot))), spread);
        return tf.add(gradient, tf.mul(column(tf, scaled), tf.sub(hotOf(classes[2]), hotOf(classes[0]))));
      });
    },
  },
};
