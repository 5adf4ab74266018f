import { input, type Rules } from "./rule.js";

/** Sums, over the batch or not, and what gives a sum back to the images. */
export const reduceRules: Rules<"sumPerImage" | "sumAll" | "reduceBatch" | "expandBatch" | "channelSum" | "allReduce"> =
  {
    sumPerImage: {
      kernels: ["Sum", "Reshape"],
      write: (program, node) =>
        program.call([input(node, 0)], ([x]) => program.tf.sum(program.tf.reshape(x, [x.shape[0], -1]), 1)),
    },
    sumAll: {
      kernels: ["Sum"],
      write: (program, node) => program.call([input(node, 0)], ([x]) => program.tf.sum(x)),
    },
    reduceBatch: {
      kernels: ["Sum", "Mean"],
      write: (program, node) =>
        program.call([input(node, 0)], ([x]) => (node.attrs.mean ? program.tf.mean(x) : program.tf.sum(x))),
    },
    expandBatch: {
      kernels: ["Reshape", "Tile", "RealDiv"],
      write: (program, node) =>
        program.callOfBatch([input(node, 0)], ([x], batch) => {
          const each = node.attrs.mean ? program.tf.div(x, batch) : x;
          return program.tf.broadcastTo(program.tf.reshape(each, [1]), [batch]);
        }),
    },
    channelSum: {
      kernels: ["Sum", "Transpose", "Reshape"],
      write: (program, node) =>
        program.call([input(node, 0)], ([x]) => program.tf.sum(x, x.rank === 4 ? [0, 1, 2] : [0])),
    },
    // There is one device.
    allReduce: { kernels: [], write: (_program, node) => input(node, 0) },
  };
