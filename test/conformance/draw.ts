import { concreteShape, product } from "../../src/ops/spec.js";
import type { Random } from "../../src/util/random.js";
import type { CaseInput } from "./cases.js";

/** Four weights of 8 bits, −127 … 127. */
function words(random: Random): number {
  return [0, 8, 16, 24].reduce((word, shift) => word | (((random.integer(255) - 127) & 0xff) << shift), 0);
}

/** Seeded numbers for an input of a case. float32-exact, so that every backend is given the same. */
export function draw({ spec, draw: kind }: CaseInput, batch: number, random: Random): Float32Array | Int32Array {
  const count = product(concreteShape(spec, batch));
  const fill = (f: (i: number) => number): Float32Array => Float32Array.from({ length: count }, (_, i) => f(i));
  switch (kind) {
    case "normal":
      return fill(() => random.normal());
    case "positive":
      return fill(() => random.uniform(0.5, 2));
    case "flags":
      return fill(() => random.integer(2));
    case "distinct": {
      // No ties and no near-ties, so that a maximum stays where it is when an element is nudged.
      const order = random.permutation(count);
      return fill((i) => order[i]! / 8 - count / 16);
    }
    case "labels":
      return Int32Array.from({ length: count }, () => random.integer(10));
    case "ids":
      return Int32Array.from({ length: count }, (_, i) => 1000 * i + 7);
    case "words":
      return Int32Array.from({ length: count }, () => words(random));
    case "seed":
      return Int32Array.of(123456789, -5);
  }
}
