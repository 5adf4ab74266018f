import { opDef } from "../../../ops/index.js";
import { concreteShape, product, type Spec } from "../../../ops/spec.js";
import { toInner } from "../layout.js";
import type { Tf, TfTensor } from "../program.js";
import { input, type Rules } from "./rule.js";

/** Random numbers are Philox's, to the same bits on every backend: they are drawn here, and handed to TensorFlow.js. */
function drawn(
  tf: Tf,
  op: "randomUniform" | "dropout",
  ins: readonly TfTensor[],
  attrs: unknown,
  out: Spec,
  batch: number,
): TfTensor {
  const shape = concreteShape(out, batch);
  const data = new Float32Array(product(shape));
  const host = ins.map((tensor) => ({ shape: tensor.shape, data: tensor.dataSync<"float32" | "int32">() }));
  opDef(op).reference(host, attrs, { shape, data });
  return toInner(tf, tf.tensor1d(data), out, batch);
}

export const randomRules: Rules<"randomUniform" | "dropout"> = {
  randomUniform: {
    kernels: ["Reshape", "Transpose"],
    write: (program, node) =>
      program.callOfBatch([input(node, 0), input(node, 1)], (ins, batch) =>
        drawn(program.tf, "randomUniform", ins, node.attrs, node.out, batch),
      ),
  },
  dropout: {
    kernels: ["Reshape", "Transpose", "Multiply", "Fill"],
    // The mask is what dropout makes of ones.
    write: (program, node) => {
      const { tf } = program;
      return program.callOfBatch([input(node, 0), input(node, 1), input(node, 2)], ([x, seed, ids], batch) => {
        const ones = tf.fill(concreteShape(node.out, batch), 1);
        return tf.mul(x, drawn(tf, "dropout", [ones, seed, ids], node.attrs, node.out, batch));
      });
    },
  },
};
