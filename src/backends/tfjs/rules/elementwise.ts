import { innerShape, isImages } from "../layout.js";
import type { Spec } from "../../../ops/spec.js";
import type { Tf, TfTensor } from "../program.js";
import { masked } from "./epilogue.js";
import { input, type Rule, type Rules } from "./rule.js";

type Unary = "relu" | "neg" | "abs" | "sign" | "exp" | "log" | "sqrt" | "copy" | "affine" | "clamp";
type Binary = "add" | "sub" | "mul" | "div" | "minimum" | "maximum" | "greater";

function unary<O extends Unary>(
  kernels: readonly string[],
  f: (tf: Tf, x: TfTensor, attrs: Parameters<Rule<O>["write"]>[1]["attrs"]) => TfTensor,
): Rule<O> {
  return {
    kernels,
    write: (program, node) => program.call([input(node, 0)], ([x]) => f(program.tf, x, node.attrs)),
  };
}

/** An operand of one scalar an image, shaped so that it meets each of the image's elements. */
function aligned(tf: Tf, x: TfTensor, spec: Spec, out: Spec): TfTensor {
  if (spec.shape.length === 0 || spec.shape.length === out.shape.length) return x;
  return tf.reshape(x, [-1, ...out.shape.slice(1).map(() => 1)]);
}

function binary<O extends Binary>(
  kernels: readonly string[],
  f: (tf: Tf, a: TfTensor, b: TfTensor) => TfTensor,
): Rule<O> {
  return {
    kernels: [...kernels, "Reshape"],
    write: (program, { in: [a, b], inSpecs: [aSpec, bSpec], out }) =>
      program.call([a!, b!], ([x, y]) =>
        f(program.tf, aligned(program.tf, x, aSpec!, out), aligned(program.tf, y, bSpec!, out)),
      ),
  };
}

export const elementwiseRules: Rules<Unary | Binary | "reluGrad" | "select" | "reshape" | "expand" | "fill"> = {
  relu: unary(["Relu"], (tf, x) => tf.relu(x)),
  neg: unary(["Neg"], (tf, x) => tf.neg(x)),
  abs: unary(["Abs"], (tf, x) => tf.abs(x)),
  // TensorFlow.js's Sign is 0 of what is nearer to 0 than 1e-7, as the gradients of images that a network is sure of are.
  sign: unary(["Step", "Neg", "Sub"], (tf, x) => tf.sub(tf.step(x), tf.step(tf.neg(x)))),
  exp: unary(["Exp"], (tf, x) => tf.exp(x)),
  log: unary(["Log"], (tf, x) => tf.log(x)),
  sqrt: unary(["Sqrt"], (tf, x) => tf.sqrt(x)),
  copy: unary(["Identity"], (tf, x) => tf.clone(x)),
  affine: unary(["Multiply", "Add"], (tf, x, { scale, shift }) => tf.add(tf.mul(x, scale), shift)),
  // In this order both let NaN through, which ClipByValue makes `lo` of.
  clamp: unary(["Maximum", "Minimum"], (tf, x, { lo, hi }) => tf.minimum(tf.maximum(x, lo), hi)),
  add: binary(["Add"], (tf, a, b) => tf.add(a, b)),
  sub: binary(["Sub"], (tf, a, b) => tf.sub(a, b)),
  mul: binary(["Multiply"], (tf, a, b) => tf.mul(a, b)),
  div: binary(["RealDiv"], (tf, a, b) => tf.div(a, b)),
  minimum: binary(["Minimum"], (tf, a, b) => tf.minimum(a, b)),
  maximum: binary(["Maximum"], (tf, a, b) => tf.maximum(a, b)),
  greater: binary(["Greater", "Cast"], (tf, a, b) => tf.cast(tf.greater(a, b), "float32")),
  reluGrad: {
    kernels: ["Multiply", "Step"],
    write: (program, node) => program.call([input(node, 0), input(node, 1)], ([dy, y]) => masked(program.tf, dy, y)),
  },
  select: {
    kernels: ["NotEqual", "Reshape", "Tile", "Identity", "Select"],
    write: (program, node) => {
      const { tf } = program;
      return program.call([input(node, 0), input(node, 1), input(node, 2)], ([condition, a, b]) =>
        tf.where(tf.notEqual(aligned(tf, condition, node.inSpecs[0]!, node.out), 0), a, b),
      );
    },
  },
  reshape: {
    kernels: ["Reshape", "Transpose"],
    // Between the two shapes the elements are in the order of ours.
    write: (program, node) => {
      const { tf } = program;
      const [spec] = node.inSpecs;
      const { out } = node;
      const sizes = out.shape.map((dim) => (dim === "N" ? -1 : dim));
      return program.call([input(node, 0)], ([x]) => {
        const ours = isImages(spec!) ? tf.transpose(x, [0, 3, 1, 2]) : x;
        const shaped = tf.reshape(ours, sizes);
        return isImages(out) ? tf.transpose(shaped, [0, 2, 3, 1]) : shaped;
      });
    },
  },
  expand: {
    kernels: ["Reshape", "Tile"],
    write: (program, node) => {
      const { tf } = program;
      return program.callOfBatch([input(node, 0)], ([x], batch) => {
        const shape = innerShape(node.out, batch);
        return tf.broadcastTo(
          tf.reshape(x, x.rank === 0 ? shape.map(() => 1) : [-1, ...shape.slice(1).map(() => 1)]),
          shape,
        );
      });
    },
  },
  fill: {
    kernels: ["Fill"],
    write: (program, { attrs, out }) =>
      program.callOfBatch([], (_, batch) => program.tf.fill(innerShape(out, batch), attrs.value)),
  },
};
