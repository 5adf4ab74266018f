import { addAndMask, EPILOGUE_KERNELS } from "./epilogue.js";
import { input, optional, type Rules } from "./rule.js";

/**
 * Transposed factors are transposed before: TensorFlow.js's WebAssembly is slow with those that it is to transpose itself, and wrong where the product is
 * fused with what follows.
 */
const PRODUCT_KERNELS = ["BatchMatMul", "Reshape"];

export const linearRules: Rules<"linear" | "linearInputGrad" | "linearWeightGrad"> = {
  linear: {
    kernels: [...PRODUCT_KERNELS, "Transpose", "Add", "Relu"],
    write(program, node) {
      const { tf } = program;
      const weight = input(node, 1);
      const transposed = program.shared(`transposed ${weight}`, () => program.call([weight], ([w]) => tf.transpose(w)));
      return program.call([input(node, 0), transposed, optional(node, 2)], ([x, w, bias]) => {
        const y = tf.matMul(x, w);
        const sum = bias === null ? y : tf.add(y, bias);
        return node.attrs.relu ? tf.relu(sum) : sum;
      });
    },
  },
  linearInputGrad: {
    kernels: [...PRODUCT_KERNELS, ...EPILOGUE_KERNELS],
    write: (program, node) =>
      program.call([input(node, 0), input(node, 1), optional(node, 2), optional(node, 3)], ([dy, w, residual, mask]) =>
        addAndMask(program.tf, program.tf.matMul(dy, w), residual, mask),
      ),
  },
  linearWeightGrad: {
    kernels: [...PRODUCT_KERNELS, "Transpose"],
    write: (program, node) =>
      program.call([input(node, 0), input(node, 1)], ([x, dy]) => program.tf.matMul(program.tf.transpose(dy), x)),
  },
};
