import * as F from "../tensor/functional.js";
import type { Tensor } from "../tensor/tensor.js";

/** The norm that ε bounds: of the greatest change of a pixel, or the Euclidean length of the whole change. */
export type Norm = "linf" | "l2";

/** The images within ε of the clean one in a norm, and in [0, 1]. Tensors are [N,C,H,W] inside a trace, ε is []. */
export interface Ball {
  readonly norm: Norm;
  /** The direction of unit length (zero for a zero gradient) in which the loss rises fastest. */
  direction(gradient: Tensor): Tensor;
  project(x: Tensor, origin: Tensor, eps: Tensor): Tensor;
  /** The same for arrays, in place and in double precision, so that no backend's rounding can leave the ball. */
  projectImages(images: Float32Array, origin: Float32Array, eps: number, count: number): void;
}

/** Below any length that a float32 gradient can have; keeps a division by a length finite. */
const TINY = 1e-30;
const HUGE = 3e38;

/** Each image's values over the sum of their magnitudes. */
export const ofUnitSum = (x: Tensor): Tensor => F.div(x, F.clamp(F.sumPerImage(F.abs(x)), TINY, HUGE));

const length = (x: Tensor): Tensor => F.sqrt(F.sumPerImage(F.mul(x, x)));

const linf: Ball = {
  norm: "linf",
  direction: (gradient) => F.sign(gradient),
  project: (x, origin, eps) => F.clamp(F.minimum(F.maximum(x, F.sub(origin, eps)), F.add(origin, eps)), 0, 1),
  projectImages(images, origin, eps) {
    for (let i = 0; i < images.length; i++) {
      images[i] = Math.min(Math.max(images[i]!, origin[i]! - eps, 0), origin[i]! + eps, 1);
    }
  },
};

const l2: Ball = {
  norm: "l2",
  direction(gradient) {
    // By the sum of magnitudes first: the squares of small gradients would vanish in float32.
    const scaled = ofUnitSum(gradient);
    return F.div(scaled, F.clamp(length(scaled), TINY, HUGE));
  },
  project(x, origin, eps) {
    const change = F.sub(x, origin);
    const factor = F.clamp(F.div(eps, F.clamp(length(change), TINY, HUGE)), 0, 1);
    // Clipping moves pixels towards the clean ones, which are in [0, 1]: it does not lead out of the ball.
    return F.clamp(F.add(origin, F.mul(change, factor)), 0, 1);
  },
  projectImages(images, origin, eps, count) {
    const row = images.length / count;
    for (let n = 0; n < count; n++) {
      const own = images.subarray(n * row, (n + 1) * row);
      const clean = origin.subarray(n * row, (n + 1) * row);
      const changed = Math.sqrt(own.reduce((sum, value, i) => sum + (value - clean[i]!) ** 2, 0));
      const factor = changed > eps ? eps / changed : 1;
      for (let i = 0; i < row; i++) {
        if (factor < 1) own[i] = clean[i]! + (own[i]! - clean[i]!) * factor;
        own[i] = Math.min(Math.max(own[i]!, 0), 1);
      }
    }
  },
};

export const BALLS: Readonly<Record<Norm, Ball>> = { linf, l2 };

/** What `make` gives for each norm. */
export function perNorm<T>(make: (ball: Ball) => T): Readonly<Record<Norm, T>> {
  return { linf: make(linf), l2: make(l2) };
}
