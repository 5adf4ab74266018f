import { concreteShape, isPerImage, type Spec } from "../../ops/spec.js";
import type { Tf, TfTensor } from "./program.js";

/** Whether a program keeps the value with its channels last, as TensorFlow.js's kernels have images: [N,H,W,C]. */
export function isImages(spec: Spec): boolean {
  return isPerImage(spec) && spec.shape.length === 4;
}

/** The shape that a program keeps a value in. */
export function innerShape(spec: Spec, batch: number): number[] {
  const shape = concreteShape(spec, batch);
  if (!isImages(spec)) return shape;
  const [n, c, h, w] = shape as [number, number, number, number];
  return [n, h, w, c];
}

/** Elements in row-major order, NCHW, as a program keeps them. */
export function toInner(tf: Tf, elements: TfTensor, spec: Spec, batch: number): TfTensor {
  const shaped = tf.reshape(elements, concreteShape(spec, batch));
  return isImages(spec) ? tf.transpose(shaped, [0, 2, 3, 1]) : shaped;
}

/** The inverse: a tensor of one dimension, row-major, NCHW. */
export function toElements(tf: Tf, inner: TfTensor, spec: Spec): TfTensor {
  return tf.reshape(isImages(spec) ? tf.transpose(inner, [0, 3, 1, 2]) : inner, [-1]);
}
