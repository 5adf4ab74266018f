import type { Tf, TfTensor } from "../program.js";

export const EPILOGUE_KERNELS = ["Add", "Multiply", "Step"];

/** A gradient where the output y of a ReLU is positive, else 0. */
export function masked(tf: Tf, dy: TfTensor, y: TfTensor): TfTensor {
  return tf.mul(dy, tf.step(y));
}

/** The epilogue of input gradients: another gradient is added, and what did not pass the ReLU is zeroed. */
export function addAndMask(tf: Tf, dx: TfTensor, residual: TfTensor | null, mask: TfTensor | null): TfTensor {
  const sum = residual === null ? dx : tf.add(dx, residual);
  return mask === null ? sum : masked(tf, sum, mask);
}
