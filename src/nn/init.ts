import { imageElements, type Spec } from "../ops/spec.js";
import type { Random } from "../util/random.js";

/** Draws a parameter's initial values. */
export type Initializer = (spec: Spec, random: Random) => Float32Array;

function fanIn(spec: Spec): number {
  return imageElements(spec) / (spec.shape[0] as number);
}

export const zeros: Initializer = (spec) => new Float32Array(imageElements(spec));

export const ones: Initializer = (spec) => new Float32Array(imageElements(spec)).fill(1);

/** Normal with standard deviation √(2 / fan-in) (He et al. 2015), for weights before a ReLU. */
export const kaimingNormal: Initializer = (spec, random) => {
  const deviation = Math.sqrt(2 / fanIn(spec));
  return Float32Array.from({ length: imageElements(spec) }, () => deviation * random.normal());
};

/** Uniform in ±1/√(fan-in): PyTorch's default for linear layers. For a bias, give the fan-in of its weight. */
export function linearUniform(fanInOfWeight?: number): Initializer {
  return (spec, random) => {
    const bound = 1 / Math.sqrt(fanInOfWeight ?? fanIn(spec));
    return Float32Array.from({ length: imageElements(spec) }, () => random.uniform(-bound, bound));
  };
}
